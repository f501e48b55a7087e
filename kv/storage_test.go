package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func logEntry(index, term uint64) *pb.Entry {
	return &pb.Entry{Index: &index, Term: &term, Data: fmt.Appendf(nil, "%d/%d", index, term)}
}

func entries(from, to, term uint64) (all []*pb.Entry) {
	for i := from; i <= to; i++ {
		all = append(all, logEntry(i, term))
	}
	return all
}

// appending is a record of a write without a snapshot.
func appending(from, to, term uint64) *pb.Message {
	return &pb.Message{Entries: entries(from, to, term)}
}

func snapshotAt(index, term uint64) *pb.Snapshot {
	return &pb.Snapshot{Data: newState().encode(), Metadata: &pb.SnapshotMetadata{
		Index: &index, Term: &term, ConfState: &pb.ConfState{Voters: []uint64{1, 2, 3}},
	}}
}

func newborn() *Image {
	return &Image{ID: 7, Hard: &pb.HardState{Term: new(uint64(1)), Commit: new(uint64(1))}, Snapshot: snapshotAt(1, 1)}
}

func newDisk(t require.TestingT, dir string) (*disk, *Image) {
	d, img, err := openDisk(dir, func() (*Image, error) { return newborn(), nil })
	require.NoError(t, err)
	return d, img
}

// notBorn is for disks that exist: they are not made again.
func notBorn() (*Image, error) { return nil, errors.New("made again") }

func opened(t require.TestingT, dir string) (*disk, *Image) {
	d, img, err := openDisk(dir, notBorn)
	require.NoError(t, err)
	return d, img
}

// requireImage compares what a start has loaded with what it should have.
func requireImage(t require.TestingT, want, got *Image) {
	require.Equal(t, want.ID, got.ID)
	require.True(t, proto.Equal(want.Hard, got.Hard), "hard state: want %v, got %v", want.Hard, got.Hard)
	require.True(t, proto.Equal(want.Snapshot, got.Snapshot), "snapshot: want %v, got %v", want.Snapshot, got.Snapshot)
	require.Len(t, got.Entries, len(want.Entries))
	for i, e := range want.Entries {
		require.True(t, proto.Equal(e, got.Entries[i]), "entry %d: want %v, got %v", i, e, got.Entries[i])
	}
}

// drawWrite draws what raft could ask for next, given what is on disk and in its memory.
func drawWrite(t *rapid.T, img *Image, term uint64) *Write {
	first := img.Snapshot.GetMetadata().GetIndex()
	last, commit := first, img.Hard.GetCommit()
	if n := len(img.Entries); n > 0 {
		last = max(first, img.Entries[n-1].GetIndex())
	}
	w := &Write{}
	switch rapid.SampledFrom([]string{"append", "append", "conflict", "vote", "compact", "restore"}).Draw(t, "write") {
	case "append": // from anywhere after the commit index: conflicts are overwritten
		from := rapid.Uint64Range(commit+1, last+1).Draw(t, "from")
		last = from + rapid.Uint64Range(0, 2).Draw(t, "more")
		w.Entries = entries(from, last, term)
	case "conflict": // within one write
		w.Entries = append(entries(last+1, last+3, term), logEntry(last+2, term+1))
		last += 2
	case "compact": // the log after the snapshot is written again
		if commit > first {
			w.Snapshot = snapshotAt(commit, 1)
			w.Entries = slices.Clone(img.Entries[commit-first:])
		}
		w.Entries = append(w.Entries, logEntry(last+1, term))
		last++
	case "restore":
		w.Snapshot, w.Entries = snapshotAt(last+5, term), entries(last+6, last+6, term)
		commit, last = last+5, last+6
	}
	commit = rapid.Uint64Range(commit, last).Draw(t, "commit")
	w.Hard = &pb.HardState{Term: &term, Vote: new(uint64(2)), Commit: &commit}
	return w
}

// TestDiskCrashPoints crashes within every write, in every way that a disk can leave one half done, and goes on
// from some of them: all that was acknowledged is there, and the write is there as a whole or not at all. It
// compares with the simulator's disk, which is thereby tested too.
func TestDiskCrashPoints(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		require.NoError(rt, err)
		d, want := newDisk(rt, dir)
		path := filepath.Join(dir, "kv.log")
		for term := range uint64(rapid.IntRange(1, 8).Draw(rt, "writes")) {
			before, err := os.ReadFile(path)
			require.NoError(rt, err)
			start := d.end
			w, old := drawWrite(rt, want, 2*term+2), *want
			require.NoError(rt, d.write(w))
			want.write(w)
			after, err := os.ReadFile(path)
			require.NoError(rt, err)
			got, err := readLog(after)
			require.NoError(rt, err)
			end := d.end
			requireImage(rt, want, got)
			if bytes.HasPrefix(after, before[:start]) {
				tear(rt, before, after[:end], start, &old)
			}
			if rapid.Bool().Draw(rt, "crash") {
				require.NoError(rt, d.close())
				if rapid.Bool().Draw(rt, "undone") {
					// In place, or under another name that has not become the file's: any part may be there.
					torn, half := before, after[:rapid.IntRange(0, end).Draw(rt, "written")]
					if bytes.HasPrefix(half, before[:start]) && len(half) < end {
						torn = half
					}
					require.NoError(rt, os.WriteFile(path+".new", half, 0o600))
					require.NoError(rt, os.WriteFile(path, torn, 0o600))
					want = &old
				}
				d, got = opened(rt, dir)
				requireImage(rt, want, got)
				require.NoFileExists(rt, path+".new")
			}
		}
		require.NoError(rt, d.close())
	})
}

// tear reads the log as it is when of its last record the end is missing, the beginning, or anything; what
// is missing is still zero, or past the end of the file.
func tear(t *rapid.T, before, after []byte, start int, old *Image) {
	check := func(log []byte) {
		got, err := readLog(log)
		require.NoError(t, err)
		if whole := append(bytes.Clone(log), make([]byte, len(after))...); bytes.HasPrefix(whole, after) {
			return // only zeros are missing, and there they are
		}
		requireImage(t, old, got)
	}
	zeros := make([]byte, len(after))
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	for cut := start; cut < len(after); cut++ {
		if len(bytes.TrimRight(after[cut:], "\x00")) > 0 {
			check(after[:cut])
		}
		check(append(bytes.Clone(after[:cut]), zeros[cut:]...))
		check(append(append(bytes.Clone(after[:start]), zeros[start:cut]...), after[cut:]...))
		patchy := bytes.Clone(after)
		for i := start; i < len(after); i++ {
			if rng.IntN(2) == 0 {
				patchy[i] = 0
			}
		}
		check(patchy)
	}
	check(before)
}

// threeRecords is a log, and where its records begin and the last one ends.
func threeRecords(t *testing.T) (log []byte, ends []int, images []*Image) {
	dir := t.TempDir()
	d, want := newDisk(t, dir)
	ends, images = []int{len(magic), d.end}, []*Image{nil, newborn()}
	for i := uint64(2); i < 6; i += 2 {
		w := &Write{Hard: &pb.HardState{Term: new(uint64(2)), Commit: &i}, Entries: entries(i, i+1, 2)}
		require.NoError(t, d.write(w))
		want.write(w)
		img := *want
		ends, images = append(ends, d.end), append(images, &img)
	}
	require.NoError(t, d.close())
	log, err := os.ReadFile(filepath.Join(dir, "kv.log"))
	require.NoError(t, err)
	return log[:ends[3]+100], ends, images // of the zeros a few will do
}

// TestDiskFlippedBits: a flipped bit is never read as other data. In the last record it cannot be told from a
// torn write.
func TestDiskFlippedBits(t *testing.T) {
	t.Parallel()
	log, ends, images := threeRecords(t)
	for at := range ends[3] + 50 {
		for bit := range 8 {
			log[at] ^= 1 << bit
			got, err := readLog(log)
			switch {
			case at < len(magic):
				require.ErrorContains(t, err, "not a log of this version")
			case at < ends[2]:
				record := ends[0]
				if at >= ends[1] {
					record = ends[1]
				}
				require.EqualError(t, err, fmt.Sprintf("record at offset %d: checksum mismatch", record))
			case at < ends[3]:
				require.NoError(t, err)
				requireImage(t, images[2], got)
			default:
				require.NoError(t, err)
				requireImage(t, images[3], got)
			}
			log[at] ^= 1 << bit
		}
	}
}

func TestDiskRefuses(t *testing.T) {
	t.Parallel()
	log, ends, _ := threeRecords(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "kv.log")
	for name, c := range map[string]struct{ log, err string }{
		"empty":        {"", "not a log of this version"},
		"zeros":        {string(make([]byte, len(log))), "not a log of this version"},
		"no record":    {magic, "record at offset 8: checksum mismatch"},
		"half a birth": {string(log[:ends[1]-1]), "record at offset 8: checksum mismatch"},
		"a hole":       {string(log[:ends[1]]) + string(make([]byte, ends[2]-ends[1])) + string(log[ends[2]:]), fmt.Sprintf("record at offset %d: checksum mismatch", ends[1])},
		"no image":     {magic + record(8, appending(2, 3, 1)), "record at offset 8: a log begins with an image"},
		"two images":   {magic + record(8, birthRecord()) + record(8+len(record(8, birthRecord())), birthRecord()), fmt.Sprintf("record at offset %d: a log begins with an image", 8+len(record(8, birthRecord())))},
		"a gap":        {magic + record(8, birthRecord(logEntry(3, 1))), "record at offset 8: entry 3 where the log is of 0 entries from 2 on"},
		"an old entry": {magic + record(8, birthRecord(logEntry(1, 1))), "record at offset 8: entry 1 where the log is of 0 entries from 2 on"},
		"lost commits": {magic + record(8, &pb.Message{To: new(uint64(1)), Snapshot: snapshotAt(1, 1), Commit: new(uint64(2))}), "commit index 2 is outside of the log"},
		"not protobuf": {magic + rawRecord(8, []byte("\xff")), "record at offset 8: proto"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(c.log), 0o600))
			_, _, err := openDisk(dir, notBorn)
			require.ErrorContains(t, err, path+": "+c.err)
		})
	}
	require.NoError(t, os.WriteFile(path, log, 0o600))
	d, _ := opened(t, dir)
	_, _, err := openDisk(dir, notBorn)
	require.ErrorContains(t, err, "lock "+dir, "two processes on one directory")
	require.NoError(t, d.close())
	_, _, err = openDisk(path, notBorn)
	require.Error(t, err, "not a directory")
}

func birthRecord(log ...*pb.Entry) *pb.Message {
	return &pb.Message{To: new(uint64(1)), Commit: new(uint64(1)), Snapshot: snapshotAt(1, 1), Entries: log}
}

func record(offset int, m *pb.Message) string {
	b, err := appendRecord(nil, offset, m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// rawRecord is a record of any payload, with the right checksums.
func rawRecord(offset int, payload []byte) string {
	header := binary.BigEndian.AppendUint64(nil, uint64(len(payload)))
	header = binary.BigEndian.AppendUint32(header, checksum(payload))
	header = binary.BigEndian.AppendUint32(header, headerChecksum(offset, header))
	return string(header) + string(payload)
}

// TestHalfMadeDisk: a crash before the first start was complete leaves nothing that counts.
func TestHalfMadeDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, half := range []string{"", magic, "half"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "kv.log.new"), []byte(half), 0o600))
		_, _, err := openDisk(dir, notBorn)
		require.ErrorContains(t, err, "made again")
		require.NoFileExists(t, filepath.Join(dir, "kv.log"))
	}
	d, img := newDisk(t, dir)
	requireImage(t, newborn(), img)
	require.NoError(t, d.close())
	d, img = opened(t, dir)
	requireImage(t, newborn(), img)
	require.NoError(t, d.close())
}

// TestDiskFull lets the disk of another process be full, by a limit on the size of its files: the write fails,
// and everything that was acknowledged before is there afterwards.
func TestDiskFull(t *testing.T) {
	if dir := os.Getenv("KV_TEST_FULL_DISK"); dir != "" {
		fillDisk(t, dir)
		return
	}
	for _, how := range []string{"log", "snapshot"} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			child := exec.Command(os.Args[0], "-test.run=^TestDiskFull$")
			child.Env = append(os.Environ(), "KV_TEST_FULL_DISK="+dir, "KV_TEST_FULL_BY="+how)
			out, err := child.CombinedOutput()
			require.NoError(t, err, "%s", out)
			text, err := os.ReadFile(filepath.Join(dir, "acknowledged"))
			require.NoError(t, err)
			acknowledged, err := strconv.Atoi(string(text))
			require.NoError(t, err)
			require.NotZero(t, acknowledged)
			d, img := opened(t, dir)
			require.Contains(t, []int{acknowledged, acknowledged + 1}, len(img.Entries))
			require.NoError(t, d.write(&Write{Hard: newborn().Hard, Entries: entries(2, 2, 9)}))
			require.NoError(t, d.close())
		})
	}
}

func fillDisk(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	limit := uint64(growBytes + growBytes/2)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}))
	d, img := newDisk(t, dir)
	var err error
	last := uint64(1)
	for err == nil && last < 1000 {
		w := &Write{Hard: img.Hard, Entries: entries(last+1, last+1, 2)}
		w.Entries[0].Data = make([]byte, growBytes/16)
		if last == 5 && os.Getenv("KV_TEST_FULL_BY") == "snapshot" {
			w = &Write{Hard: img.Hard, Snapshot: snapshotAt(3, 2)}
			w.Snapshot.Data = make([]byte, limit)
		}
		if err = d.write(w); err == nil {
			last++
		}
	}
	require.ErrorIs(t, err, syscall.EFBIG)
	require.ErrorContains(t, err, filepath.Join(dir, "kv.log"))
	require.ErrorIs(t, d.write(&Write{Hard: img.Hard}), syscall.EFBIG, "there is no second try")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "acknowledged"), fmt.Append(nil, last-1), 0o600))
}

// FuzzOpenDisk: whatever the file holds, it is refused or opened, and what can be opened can be written to and
// opened again. The input stands as it is, and as the payload of a record, once first and once later.
func FuzzOpenDisk(f *testing.F) {
	f.Add([]byte(magic + record(8, birthRecord(logEntry(2, 1)))))
	first := record(8, birthRecord())
	for _, m := range []*pb.Message{birthRecord(logEntry(2, 1)), appending(2, 3, 2), {Commit: new(uint64(5))}} {
		b, err := proto.Marshal(m)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, log := range []string{
			string(data), magic + string(data), magic + rawRecord(8, data), magic + first + string(data),
			magic + first + rawRecord(8+len(first), data),
		} {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "kv.log"), []byte(log), 0o600))
			d, img, err := openDisk(dir, notBorn)
			if err != nil {
				continue
			}
			next := img.Snapshot.GetMetadata().GetIndex() + uint64(len(img.Entries)) + 1
			w := &Write{Hard: img.Hard, Entries: entries(next, next, 9)}
			require.NoError(t, d.write(w))
			require.NoError(t, d.close())
			img.write(w)
			d, got := opened(t, dir)
			requireImage(t, img, got)
			require.NoError(t, d.close())
		}
	})
}
