package systems

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimeLeft(t *testing.T) {
	require.True(t, timeLeft(t.Context(), time.Hour), "without an end")
	hour, cancel := context.WithTimeout(t.Context(), time.Hour)
	require.True(t, timeLeft(hour, time.Minute))
	require.False(t, timeLeft(hour, 2*time.Hour))
	cancel()
	require.False(t, timeLeft(hour, 0))
}
