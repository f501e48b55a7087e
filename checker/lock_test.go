package checker

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// What a sentence says that nobody did, nobody did in the whole history, however little of it the witness has.
func TestLockSentencesAreTrue(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	said := map[string]int{}
	for range histories(t, 6_000) {
		o := orderly{r: r, corrupt: 7}
		ops := o.small((*orderly).lock)
		v := Linearizable(Lock(), Budget{}).Check(t.Context(), ops)
		require.NoError(t, v.Broken)
		for _, f := range v.Findings {
			if claim := untrue(f, ops, said); claim != "" {
				require.Fail(t, claim, "%s\nof\n%s", f.Text, picture(ops))
			}
		}
	}
	t.Log(said)
	require.Len(t, said, 5)
}

// untrue is a claim about all operations that a finding makes and ops do not bear out. It counts the claims.
func untrue(f Finding, ops []history.Op, said map[string]int) string {
	acquires := func(kind history.Type, is func(op *history.Op) bool) (n int) {
		for i := range ops {
			if ops[i].F == "acquire" && ops[i].Type == kind && is(&ops[i]) {
				n++
			}
		}
		return n
	}
	granted := func(number string) bool {
		return acquires(history.OK, func(op *history.Op) bool { return string(op.Output) == number }) > 0
	}
	begun := func(n string) bool { // when one of the witnesses had ended
		return slices.ContainsFunc(f.Ops, func(i int) bool {
			return n == strconv.Itoa(acquires(history.Info, func(op *history.Op) bool { return op.Call <= ops[i].Return }))
		})
	}
	for _, claim := range [...]struct {
		form string
		true func(parts []string) bool
	}{
		{`nobody was granted ([\d, ]*\d)`, func(parts []string) bool { return !slices.ContainsFunc(strings.Split(parts[1], ", "), granted) }},
		{`and no acquire whose outcome is unknown had begun`, func([]string) bool { return begun("0") }},
		{`only (\d+) acquires? whose outcome`, func(parts []string) bool { return begun(parts[1]) }},
		{`nobody gave (\d+) back`, func(parts []string) bool {
			return !slices.ContainsFunc(ops, func(op history.Op) bool {
				return op.F == "release" && op.Type != history.Fail && string(op.Input) == parts[1]
			})
		}},
		{`before acquire→(\d+) by p\d, which was granted it, began`, func(parts []string) bool {
			return acquires(history.OK, func(op *history.Op) bool { return string(op.Output) == parts[1] }) > 0
		}},
	} {
		if parts := regexp.MustCompile(claim.form).FindStringSubmatch(f.Text); parts != nil {
			said[claim.form]++
			if !claim.true(parts) {
				return claim.form
			}
		}
	}
	return ""
}
