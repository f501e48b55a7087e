package checker

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// TestBlindCas has cas that failed without telling what they found, beside a write of 1 to a key that is absent.
func TestBlindCas(t *testing.T) {
	write := func(call, ret int) history.Op { return span(call, ret, "write", "1") }
	blind := func(call, ret int, old string) history.Op {
		op := span(call, ret, "cas", "["+old+",7]")
		op.Type, op.Err = history.Fail, history.Mismatch
		return op
	}
	for name, c := range map[string]struct {
		ops  []history.Op
		want result // of zones
	}{
		"it did not find 5":                           {[]history.Op{write(10, 20), blind(0, 5, "5")}, legal},
		"it did not find null, after the write":       {[]history.Op{write(10, 20), blind(30, 40, "null")}, legal},
		"it did not find null, before the write":      {[]history.Op{write(10, 20), blind(0, 9, "null")}, unfit},
		"it ends when the write begins":               {[]history.Op{write(10, 20), blind(0, 10, "null")}, legal},
		"it begins when the write ends":               {[]history.Op{write(10, 20), blind(20, 30, "1")}, legal},
		"the first is behind the write":               {[]history.Op{write(0, 100), blind(10, 20, "null"), blind(30, 40, "1")}, unfit},
		"the first is behind the write, at one time":  {[]history.Op{write(0, 100), blind(10, 20, "null"), blind(20, 40, "1")}, legal},
		"the second is behind the write, so can be 1": {[]history.Op{write(0, 100), blind(10, 20, "1"), blind(30, 40, "null")}, legal},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := parseRegister(pointers(numbered(c.ops)))
			require.NoError(t, err)
			a := p.(*registerProblem).zoned(t.Context(), 1<<30)
			require.Equal(t, c.want, a.Result)
			require.Equal(t, c.want == legal, plain(p))
			if c.want == legal {
				require.NoError(t, p.Replay(a.Order))
			}
		})
	}
}

// span is an operation that was ok.
func span(call, ret int, f, in string) history.Op {
	return history.Op{Key: "k", F: f, Input: json.RawMessage(in), Call: time.Duration(call), Return: time.Duration(ret), Ended: time.Duration(ret)}
}
