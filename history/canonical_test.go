package history

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEqualValuesInOtherWords(t *testing.T) {
	var groups []string
	for _, group := range [][]string{
		{`"a<b"`, `"a\u003cb"`}, {`{"a":1,"b":[2]}`, `{ "b" : [2], "a":1 }`}, {`"é"`, `"\u00e9"`}, {`"😀"`, `"\ud83d\ude00"`}, {`"\\ud83d\ude00"`}, {`"\ud83d"`}, {`null`, ``}, {`1`}, {`1.0`}, {`"1"`}, {"\"\xff\""}, {"\"\xfe\""},
	} {
		want, ok := Canonical(json.RawMessage(group[0]))
		require.True(t, ok)
		require.NotContains(t, groups, string(want), "what differs stays different")
		groups = append(groups, string(want))
		for _, other := range group {
			got, ok := Canonical(json.RawMessage(other))
			require.True(t, ok)
			require.Equal(t, want, got)
		}
		require.NotContains(t, string(want), "\n")
	}
	a, _ := Canonical(json.RawMessage("\"\xff\""))
	b, _ := Canonical(json.RawMessage("\"\xfe\""))
	require.NotEqual(t, a, b)
	for _, half := range []string{`"\ud83d"`, `"\\ud83d\ude00"`, `"\ude00\ud83d"`} {
		got, ok := Canonical(json.RawMessage(half))
		require.True(t, ok)
		require.Equal(t, half, string(got), "it stays as it is: decoded, it would be like others")
	}
	require.True(t, strings.HasPrefix(string(a), `"`))
}

// A cas whose values are as plain as most is taken apart by itself, and just as any other.
func TestPlainPair(t *testing.T) {
	for text, plain := range map[string]bool{
		`[1,2]`: true, `["a","b"]`: true, `["a,b","c"]`: false, `[1,[2,3]]`: false, `[1 ,2]`: false, `[null,2]`: false, `[1,-2]`: false,
		`[1,2,3]`: false, `[,]`: false, `[1,]`: false, `[,1]`: false, `[1]`: false, `[1,"]`: false, `[01,2]`: false, ``: false, `[`: false, `1,2`: false,
	} {
		from, to, ok := plainPair(json.RawMessage(text))
		require.Equal(t, plain, ok, text)
		if ok {
			otherFrom, otherTo, ok := tuple(json.RawMessage(text))
			require.True(t, ok, text)
			require.Equal(t, [2]json.RawMessage{otherFrom, otherTo}, [2]json.RawMessage{from, to}, text)
		}
	}
}
