package kv

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func entry(index, term uint64) *pb.Entry {
	return &pb.Entry{Index: &index, Term: &term, Data: fmt.Appendf(nil, "%d/%d", index, term)}
}

func snapshotAt(index, term uint64) *pb.Snapshot {
	return &pb.Snapshot{Data: newState().encode(), Metadata: &pb.SnapshotMetadata{
		Index: &index, Term: &term, ConfState: &pb.ConfState{Voters: []uint64{1, 2, 3}},
	}}
}

func requireImage(t require.TestingT, want, got Image) {
	require.True(t, proto.Equal(want.Hard, got.Hard), "hard state: want %v, got %v", want.Hard, got.Hard)
	require.True(t, proto.Equal(want.Snapshot, got.Snapshot), "snapshot: want %v, got %v", want.Snapshot, got.Snapshot)
	require.Len(t, got.Entries, len(want.Entries))
	for i, e := range want.Entries {
		require.True(t, proto.Equal(e, got.Entries[i]), "entry %d: want %v, got %v", i, e, got.Entries[i])
	}
}

// drawWrite draws what raft could ask for next, given what is on disk and in its memory.
func drawWrite(t *rapid.T, img Image, term uint64) *Write {
	first := img.Snapshot.GetMetadata().GetIndex()
	last := first + uint64(len(sinceSnapshot(img).Entries))
	commit := img.Hard.GetCommit()
	w := &Write{}
	switch rapid.SampledFrom([]string{"append", "append", "append", "compact", "restore"}).Draw(t, "write") {
	case "append": // from anywhere after the commit index: conflicts are overwritten
		from := rapid.Uint64Range(commit+1, last+1).Draw(t, "from")
		m := &pb.Message{}
		for i := range rapid.Uint64Range(1, 3).Draw(t, "n") {
			m.Entries = append(m.Entries, entry(from+i, term))
			last = from + i
		}
		w.Appends = []*pb.Message{{}, m}
	case "compact":
		if commit > first {
			w.Snapshot, w.Drop = snapshotAt(commit, 1), rapid.Uint64Range(first, commit).Draw(t, "drop")
		}
	case "restore":
		last += 5
		commit = last
		w.Appends = []*pb.Message{{Snapshot: snapshotAt(last, term)}}
	}
	commit = rapid.Uint64Range(commit, last).Draw(t, "commit")
	w.Hard = &pb.HardState{Term: &term, Vote: new(uint64(2)), Commit: &commit}
	return w
}

// TestDiskCrashPoints copies the database between writes, as a crash leaves it, and reopens the copy:
// all that was synced is there. It compares with the simulator's disk, which is thereby tested too.
func TestDiskCrashPoints(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		require.NoError(rt, err)
		d, want, err := openDisk(dir, 1, []uint64{1, 2, 3})
		require.NoError(rt, err)
		for term := range uint64(rapid.IntRange(1, 8).Draw(rt, "writes")) {
			w := drawWrite(rt, want, term+2)
			require.NoError(rt, d.write(w))
			want.write(w)
			raw, err := os.ReadFile(filepath.Join(dir, "kv.db"))
			require.NoError(rt, err)
			requireImage(rt, sinceSnapshot(want), reopen(rt, dir, raw))
		}
		require.NoError(rt, d.db.Close())
	})
}

// sinceSnapshot leaves out the entries before the snapshot, which a start does not load.
func sinceSnapshot(img Image) Image {
	for len(img.Entries) > 0 && img.Entries[0].GetIndex() <= img.Snapshot.GetMetadata().GetIndex() {
		img.Entries = img.Entries[1:]
	}
	return img
}

func reopen(t require.TestingT, dir string, raw []byte) Image {
	crashed, err := os.MkdirTemp(dir, "crash")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(crashed, "kv.db"), raw, 0o600))
	d, img, err := openDisk(crashed, 1, []uint64{1, 2, 3})
	require.NoError(t, err)
	require.NoError(t, d.db.Close())
	return img
}

// TestDiskCrashWithinWrite tears a write: any part of the pages, but not the meta page that is written
// after them. The write before it must be there, whole.
func TestDiskCrashWithinWrite(t *testing.T) {
	dir := t.TempDir()
	d, img, err := openDisk(dir, 1, []uint64{1, 2, 3})
	require.NoError(t, err)
	path := filepath.Join(dir, "kv.db")
	append4 := func(from uint64) *Write {
		return &Write{Hard: img.Hard, Appends: []*pb.Message{{Entries: []*pb.Entry{
			entry(from, 2), entry(from+1, 2), entry(from+2, 2), entry(from+3, 2),
		}}}}
	}
	require.NoError(t, d.write(append4(2)))
	img.write(append4(2))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, d.write(append4(6)))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, d.db.Close())
	page := os.Getpagesize()
	for torn := 2 * page; torn < len(after); torn += page {
		copy(before[2*page:torn], after[2*page:torn])
		requireImage(t, img, reopen(t, dir, before))
	}
}

func TestDiskRefuses(t *testing.T) {
	dir := t.TempDir()
	d, _, err := openDisk(dir, 1, []uint64{1, 2, 3})
	require.NoError(t, err)
	require.NoError(t, d.write(&Write{
		Hard:    &pb.HardState{Term: new(uint64(2)), Commit: new(uint64(2))},
		Appends: []*pb.Message{{Entries: []*pb.Entry{entry(2, 2)}}},
	}))
	_, _, err = openDisk(dir, 1, []uint64{1, 2, 3})
	require.ErrorContains(t, err, "timeout", "two processes on one directory")
	require.NoError(t, d.db.Close())

	_, _, err = openDisk(dir, 2, []uint64{1, 2, 3})
	require.ErrorContains(t, err, "data of node 1 of [1 2 3], not of node 2 of [1 2 3]")
	_, _, err = openDisk(dir, 1, []uint64{1, 2})
	require.ErrorContains(t, err, "not of node 1 of [1 2]")

	path := filepath.Join(dir, "kv.db")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, damage := range map[string]func([]byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"truncated": func(b []byte) []byte { return b[:2*os.Getpagesize()] },
		"garbage":   func(b []byte) []byte { return make([]byte, len(b)) },
		"pages":     func(b []byte) []byte { clear(b[2*os.Getpagesize():]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, damage(append([]byte(nil), whole...)), 0o600))
			_, _, err := openDisk(dir, 1, []uint64{1, 2, 3})
			require.ErrorContains(t, err, "kv.db")
		})
	}
}

// TestDiskFlippedBits: no flip of a bit is read back as other data. A flip in bbolt's newer meta page makes
// it take the older one, and with it the state before the last write; that it cannot tell from a crash.
func TestDiskFlippedBits(t *testing.T) {
	dir := t.TempDir()
	d, img, err := openDisk(dir, 1, []uint64{1})
	require.NoError(t, err)
	w := &Write{Hard: img.Hard, Appends: []*pb.Message{{Entries: []*pb.Entry{entry(2, 2), entry(3, 2)}}}}
	require.NoError(t, d.write(w))
	img.write(w)
	require.NoError(t, d.db.Close())
	path := filepath.Join(dir, "kv.db")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	refused := 0
	for at := 0; at < len(whole); at += 97 {
		whole[at] ^= 4
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		d, got, err := openDisk(dir, 1, []uint64{1})
		if err != nil {
			require.NotContains(t, err.Error(), "timeout")
			refused++
		} else {
			if len(got.Entries) == len(img.Entries) {
				requireImage(t, img, got)
			}
			require.NoError(t, d.db.Close())
		}
		whole[at] ^= 4
	}
	require.NotZero(t, refused)
}

// TestHalfMadeDatabase: a crash before the first start was complete leaves nothing that counts.
func TestHalfMadeDatabase(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kv.db.new"), []byte("half"), 0o600))
	d, img, err := openDisk(dir, 1, []uint64{1})
	require.NoError(t, err)
	require.Equal(t, uint64(1), img.Hard.GetCommit())
	require.NoError(t, d.db.Close())
}

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
