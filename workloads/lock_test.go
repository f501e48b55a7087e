package workloads

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// A client releases what it was granted, the oldest first, until it is known that it holds that no more.
func TestClientsReleaseWhatTheyHold(t *testing.T) {
	w := Lock(Options{Keys: 3})
	releases := func(client int) (first history.Event) {
		n := 0
		for op := range w.Ops(rand.New(rand.NewPCG(3, 4)), client) {
			if op.F == "release" {
				return op
			}
			if n++; n == 50 {
				return history.Event{}
			}
		}
		return history.Event{}
	}
	none := history.Event{}
	require.Equal(t, none, releases(0))

	grant := func(key, token string) {
		w.Done(0, history.Event{F: "acquire", Key: key, Type: history.OK, Value: json.RawMessage(token)})
	}
	grant("k1", "7")
	w.Done(0, history.Event{F: "acquire", Key: "k2", Type: history.Fail, Value: json.RawMessage("8"), Err: "held"})
	w.Done(0, history.Event{F: "acquire", Key: "k2", Type: history.Info})
	grant("k0", "9")
	oldest := history.Event{F: "release", Key: "k1", Value: json.RawMessage("7")}
	require.Equal(t, oldest, releases(0))
	require.Equal(t, none, releases(1), "another client")

	w.Done(0, history.Event{F: "release", Key: "k1", Type: history.Fail, Err: "not applied: no-leader"})
	require.Equal(t, oldest, releases(0))
	w.Done(0, history.Event{F: "release", Key: "k1", Type: history.Info})
	require.Equal(t, oldest, releases(0))
	w.Done(0, history.Event{F: "release", Key: "k1", Type: history.Fail, Value: json.RawMessage("null"), Err: "not held"})
	require.Equal(t, "k0", releases(0).Key)
	w.Done(0, history.Event{F: "release", Key: "k0", Type: history.Fail, Value: json.RawMessage("null"), Err: "not held"})
	require.Equal(t, none, releases(0))
	grant("k1", "12")
	w.Done(0, history.Event{F: "release", Key: "k1", Type: history.OK, Value: json.RawMessage("12")})
	require.Equal(t, none, releases(0))
}
