package words

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpansHaveAboutThreeDigits(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 ns": 0, "999 ns": 999, "1 µs": time.Microsecond, "1.5 µs": 1500, "4 ms": 4 * time.Millisecond,
		"18 ms": 18 * time.Millisecond, "1.3 s": 1300 * time.Millisecond, "61 s": time.Minute + time.Second,
	} {
		require.Equal(t, want, Span(d))
	}
}

func TestOneIsOne(t *testing.T) {
	require.Equal(t, "1 key, 0 keys, 3 keys", Count(1, "key")+", "+Count(0, "key")+", "+Count(3, "key"))
	require.Equal(t, "1 anomaly, 2 anomalies", Plural(1, "anomaly", "anomalies")+", "+Plural(2, "anomaly", "anomalies"))
}
