package checker

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// Wherever two values of a hundred that contradict each other are, if there are fewer than sixteen between them, they are found
// together.
func TestNeighboursAreSearchedTogether(t *testing.T) {
	for stale := range 99 {
		for apart := range 16 {
			later := stale + 1 + apart
			if later > 99 {
				continue
			}
			ops := numbered(easy("k", 200))
			ops[2*later+1].Output = json.RawMessage(fmt.Sprint(stale))
			p, err := parseRegister(pointers(ops))
			require.NoError(t, err)
			part := local(t.Context(), p, 1<<20)
			require.NotNil(t, part, "%d found after %d", stale, later)
			require.LessOrEqual(t, part.Groups(), 32)
			require.False(t, plain(part))
		}
	}
	p, err := parseRegister(pointers(numbered(easy("k", 200))))
	require.NoError(t, err)
	require.Nil(t, local(t.Context(), p, 1<<20))
}

// BenchmarkLocal searches legal keys of n operations and of four times as many for a violation among neighbours.
func BenchmarkLocal(b *testing.B) {
	for _, n := range []int{25_000, 100_000} {
		queue := growing(n, "enqueue", func(i int) string { return fmt.Sprint(i / 2) })
		for i := 1; i < n; i += 2 {
			queue[i].F, queue[i].Input, queue[i].Output = "dequeue", nil, queue[i].Input
		}
		for _, c := range []struct {
			model Model
			ops   []history.Op
		}{
			{Register(), load{keys: 1, ops: n, clients: 5}.history(1)},
			{List(), growing(n, "append", func(i int) string { return fmt.Sprint(i) })},
			{Queue(), queue},
			{Text(), growing(n, "append", func(i int) string { return fmt.Sprintf(`"%d;"`, i) })},
		} {
			p, err := c.model.Parse(pointers(c.ops))
			require.NoError(b, err)
			b.Run(fmt.Sprintf("%s-%d", c.model.Name, n), func(b *testing.B) {
				for b.Loop() {
					if local(b.Context(), p, 1<<30) != nil {
						b.Fatal("it is legal")
					}
				}
			})
		}
	}
}
