package kvnode

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestApplyLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "apply.jsonl")
	write := func(from uint64) {
		l, err := OpenApplyLog(path)
		require.NoError(t, err)
		l.Boot(from)
		l.Apply(from+1, 2, nil)
		l.Restore(9, 3)
		l.Leader(4)
		require.NoError(t, l.Close())
	}
	write(1)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"index":10,"te`)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	write(5)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `{"boot":1,"from":1}
{"index":2,"term":2,"digest":"e3b0c44298fc1c14"}
{"restore":9,"term":3}
{"leader":true,"term":4}
{"boot":1,"from":5}
{"index":6,"term":2,"digest":"e3b0c44298fc1c14"}
{"restore":9,"term":3}
{"leader":true,"term":4}
`, string(text))
	require.NoError(t, os.WriteFile(path, []byte("torn"), 0o600))
	write(1)
	_, err = OpenApplyLog(filepath.Join(path, "no-directory"))
	require.Error(t, err)
}
