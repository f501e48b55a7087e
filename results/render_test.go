package results

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLook(t *testing.T) {
	d := synthetic(t, 100_000, true)
	require.NoError(t, Render(d))
	require.NoError(t, WriteIndex(d.path+"/.."))
	os.RemoveAll("/tmp/look")
	require.NoError(t, os.CopyFS("/tmp/look", os.DirFS(d.path+"/..")))
}

func BenchmarkRender(b *testing.B) {
	d := synthetic(b, 100_000, true)
	for b.Loop() {
		require.NoError(b, Render(d))
	}
}
