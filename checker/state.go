package checker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ordeal/history"
	"ordeal/internal/words"
)

// NodeState is what a node said of its state.
type NodeState struct {
	Node    string
	Applied uint64 // the index up to which the state has applied the log
	Hash    string
	At      time.Duration // when it said so, since the run began
}

// NodeStates finds what the Observer recorded of the nodes' states. A hash is a JSON string; one that
// is not is an error that names the event.
func NodeStates(events []history.Event) ([]NodeState, error) {
	var states []NodeState
	for _, e := range events {
		if e.Process != history.Observer || e.F != history.SawState {
			continue
		}
		s := NodeState{Node: e.Node, Applied: e.Revision, At: e.Time}
		if err := json.Unmarshal(e.Value, &s.Hash); err != nil {
			return nil, fmt.Errorf("event %d: state hash of %s: %w", e.Index, history.Word(e.Node), err)
		}
		states = append(states, s)
	}
	return states, nil
}

// StateHashes judges whether states that have applied the same index are the same. It is Valid only
// if there is an index at which every node was seen, and Unknown if there is none, since then some
// node was compared with nobody.
func StateHashes(states []NodeState) Verdict {
	v := Verdict{Checker: "state-hash", Engine: "scan"}
	byIndex := map[uint64][]NodeState{}
	latest := map[string]uint64{}
	for _, s := range states {
		latest[s.Node] = max(latest[s.Node], s.Applied)
		seen := byIndex[s.Applied]
		if i := slices.IndexFunc(seen, func(o NodeState) bool { return o.Node == s.Node && o.Hash == s.Hash }); i < 0 {
			byIndex[s.Applied] = append(seen, s)
		}
	}
	complete := false
	for _, seen := range byIndex {
		if f := differ(seen); f != nil {
			v.Findings = append(v.Findings, *f)
		}
		complete = complete || len(seen) >= len(latest)
	}
	slices.SortFunc(v.Findings, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Text, b.Text)) })
	switch {
	case len(v.Findings) > 0:
		v.Status, v.Reason = Invalid, fmt.Sprintf("states differ at %d of the indexes seen", len(v.Findings))
	case len(latest) < 2:
		v.Status, v.Reason = Unknown, fmt.Sprintf("the state of %s was seen, which compares with nothing", words.Count(len(latest), "node"))
	case !complete:
		v.Status, v.Reason = Unknown, "no index was seen on every node: "+listed(latest)
	}
	return v
}

// differ compares states of one index.
func differ(seen []NodeState) *Finding {
	slices.SortFunc(seen, func(a, b NodeState) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Node, b.Node)) })
	same := func(s NodeState) bool { return s.Hash == seen[0].Hash }
	if !slices.ContainsFunc(seen, func(s NodeState) bool { return !same(s) }) {
		return nil
	}
	parts := make([]string, len(seen))
	for i, s := range seen {
		parts[i] = fmt.Sprintf("%s has %s", history.Word(s.Node), history.Word(s.Hash))
	}
	return &Finding{
		Rule: ruleDiverged,
		Text: fmt.Sprintf("at applied index %d the states differ: %s.", seen[0].Applied, strings.Join(parts, ", ")),
		From: seen[0].At, To: seen[len(seen)-1].At,
	}
}

func listed(latest map[string]uint64) string {
	var parts []string
	for node, index := range latest {
		parts = append(parts, fmt.Sprintf("%s at %d", history.Word(node), index))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
