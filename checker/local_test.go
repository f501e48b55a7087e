package checker

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

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

// oneConflict has writes of values that are open for long, but for 0 and one later, which contradict each other.
func oneConflict(values, later int) []history.Op {
	ops := make([]history.Op, values, values+2)
	for i := range ops {
		if ops[i] = span(i, 1000, "write", fmt.Sprint(i)); i == 0 || i == later {
			ops[i].Return = time.Duration(i + 1)
		}
	}
	for i, found := range []int{later, 0} {
		read := span(100+10*i, 101+10*i, "read", "")
		read.Type, read.Input, read.Output = history.OK, nil, json.RawMessage(fmt.Sprint(found))
		ops = append(ops, read)
	}
	return numbered(ops)
}

// So they are where there are few values at all, unless they are the first and the last.
func TestNeighboursAmongFewAreSearchedTogether(t *testing.T) {
	for values := 2; values <= 40; values++ {
		for later := 1; later < min(values, 17); later++ {
			p, err := parseRegister(pointers(oneConflict(values, later)))
			require.NoError(t, err)
			ends := values < 18 && later == values-1
			require.Equal(t, !ends, local(t.Context(), p, 1<<20) != nil, "0 found after %d of %d", later, values)
		}
	}
}

// A part is cut out only if there is room for it.
func TestNeighboursHaveToFit(t *testing.T) {
	p, err := parseList(pointers(append(turns(1000, "append N -"), turns(2, "read - [1]", "read - [2]")...)))
	require.NoError(t, err)
	require.Nil(t, local(t.Context(), p, p.Size()-1))
	require.LessOrEqual(t, testing.AllocsPerRun(1, func() { local(t.Context(), p, p.Size()-1) }), 1.0)
	require.NotNil(t, local(t.Context(), p, 2*p.Size()+1<<20))
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
