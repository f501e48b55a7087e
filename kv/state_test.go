package kv

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func drawCommand(t *rapid.T) Command {
	text := rapid.SampledFrom([]string{"", "a", "b", "c\x00/"})
	cmd := Command{
		Op:    rapid.SampledFrom([]Op{Put, Put, Delete}).Draw(t, "op"),
		If:    rapid.SampledFrom([]Match{Always, Always, IfValue, IfRevision}).Draw(t, "if"),
		Key:   text.Draw(t, "key"),
		Value: []byte(text.Draw(t, "value")),
	}
	switch cmd.If {
	case IfValue:
		cmd.Old = []byte(text.Draw(t, "old"))
	case IfRevision:
		cmd.Rev = rapid.Uint64Range(0, 40).Draw(t, "rev")
	}
	return cmd
}

// TestStateIsAMap compares the state machine with a plain map. On the way it goes through a snapshot now
// and then, and its hash must be that of a state which was built in one go.
func TestStateIsAMap(t *testing.T) {
	type entry struct {
		value string
		rev   uint64
	}
	rapid.Check(t, func(t *rapid.T) {
		s, model := newState(), map[string]entry{}
		for index := uint64(1); index <= 40; index++ {
			cmd := drawCommand(t)
			now, found := model[cmd.Key]
			holds := cmd.If == Always || cmd.If == IfRevision && now.rev == cmd.Rev ||
				cmd.If == IfValue && found && now.value == string(cmd.Old)
			res := s.apply(index, &cmd)
			require.Equal(t, !holds, res.conflict)
			switch {
			case !holds:
				require.Equal(t, now, entry{string(res.value), res.rev})
				require.Equal(t, found, res.found)
			case cmd.Op == Put:
				model[cmd.Key] = entry{string(cmd.Value), index}
				require.Equal(t, index, res.rev)
			default:
				delete(model, cmd.Key)
				require.Equal(t, found, res.found)
			}
			if rapid.IntRange(0, 9).Draw(t, "snapshot") == 0 {
				again, err := decodeState(s.encode())
				require.NoError(t, err)
				require.Equal(t, s.encode(), again.encode())
				require.Equal(t, s.hash, again.hash)
				s = again
			}
		}
		fresh := newState()
		for key, e := range model {
			require.Equal(t, result{found: true, value: []byte(e.value), rev: e.rev}, s.get(key))
			fresh.put(key, []byte(e.value), e.rev)
		}
		require.Equal(t, fresh.encode(), s.encode())
		require.Equal(t, fresh.hash, s.hash)
	})
}

func TestHashTellsStatesApart(t *testing.T) {
	hash := func(key, value string, rev uint64) uint64 {
		s := newState()
		s.put(key, []byte(value), rev)
		return s.hash
	}
	seen := map[uint64]bool{
		0: true, hash("a", "b", 1): true, hash("a", "b", 2): true, hash("ab", "", 1): true, hash("", "ab", 1): true,
	}
	require.Len(t, seen, 5)
}

func TestCommandCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cmd := drawCommand(t)
		id := proposalID{rapid.Uint64().Draw(t, "node"), rapid.Uint64().Draw(t, "boot"), rapid.Uint64().Draw(t, "seq")}
		data := cmd.encode(id)
		gotID, got, err := decodeCommand(data)
		require.NoError(t, err)
		require.Equal(t, id, gotID)
		require.Equal(t, data, got.encode(gotID))
		cut := rapid.IntRange(0, len(data)-len(cmd.Value)-1).Draw(t, "cut")
		_, _, err = decodeCommand(data[:cut])
		require.Error(t, err)
	})
}

// TestGarbage: nothing that can arrive makes a decoder panic.
func TestGarbage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		_, _, _ = decodeCommand(append([]byte{commandFormat, 2, 0}, data...))
		_, _ = decodeState(seal(nil, append([]byte{snapshotFormat}, data...)))
		_, _ = decodeMessages(data, 1)
	})
}
