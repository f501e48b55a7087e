package bugs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// Build builds a node that has the bug. The sources stay as they are: the changed files are laid over
// them for this build only.
func (b Bug) Build(ctx context.Context, out string) error {
	sources, err := Sources(ctx)
	if err != nil {
		return err
	}
	return b.compile(ctx, sources, "-o", out, "ordeal/cmd/kvnode")
}

// Sources is the directory of kv's sources, which bugs are planted in. Without the go command, or outside
// of the repository, there are none.
func Sources(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("planting a bug needs the go command: %w", err)
	}
	dir, err := run(ctx, "list", "-f", "{{.Dir}}", "ordeal/kv")
	if err != nil {
		return "", fmt.Errorf("planting a bug needs kv's sources, so it is done within Ordeal's repository: %w", err)
	}
	return strings.TrimSpace(dir), nil
}

// Check tells why the diff cannot be applied to the sources.
func (b Bug) Check(sources string) error {
	_, err := b.apply(sources)
	return err
}

// compile runs go build with the bug laid over the sources.
func (b Bug) compile(ctx context.Context, sources string, args ...string) error {
	changed, err := b.apply(sources)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "ordeal-bug-")
	if err != nil {
		return fmt.Errorf("bug %s: %w", b.ID, err)
	}
	overlay, err := writeOverlay(tmp, sources, changed)
	if err == nil {
		_, err = run(ctx, append([]string{"build", "-overlay", overlay}, args...)...)
	}
	if err = errors.Join(err, os.RemoveAll(tmp)); err != nil {
		return fmt.Errorf("bug %s: %w", b.ID, err)
	}
	return nil
}

func run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], errors.Join(ctx.Err(), err), strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}

// writeOverlay writes the changed files and the list that tells go build what they stand for.
func writeOverlay(tmp, dir string, changed map[string][]byte) (string, error) {
	replace := make(map[string]string)
	for name, text := range changed {
		to := filepath.Join(tmp, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(dir, filepath.FromSlash(name))] = to
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(tmp, "overlay.json")
	return overlay, os.WriteFile(overlay, list, 0o600)
}

// apply gives the changed files, by their paths within kv/, whose sources are in dir.
func (b Bug) apply(dir string) (map[string][]byte, error) {
	changed, err := b.applied(dir)
	if err != nil {
		return nil, fmt.Errorf("bug %s: %w", b.ID, err)
	}
	return changed, nil
}

func (b Bug) applied(dir string) (map[string][]byte, error) {
	files, _, err := gitdiff.Parse(bytes.NewReader(b.Diff))
	if err != nil {
		return nil, fmt.Errorf("the diff is malformed: %w", err)
	}
	if len(files) == 0 {
		return nil, errors.New("the diff is empty")
	}
	changed := make(map[string][]byte)
	for _, f := range files {
		name, err := source(f)
		if err != nil {
			return nil, err
		}
		if _, twice := changed[name]; twice {
			return nil, fmt.Errorf("kv/%s: the diff has two sections for it", name)
		}
		var old []byte
		if !f.IsNew {
			if old, err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				return nil, err
			}
		}
		for i, hunk := range f.TextFragments {
			if err := relocate(hunk, old); err != nil {
				return nil, fmt.Errorf("kv/%s: hunk %d (%s): %w", name, i+1, strings.TrimSpace(hunk.Header()), err)
			}
		}
		var text bytes.Buffer
		if err := gitdiff.Apply(&text, bytes.NewReader(old), f); err != nil {
			return nil, fmt.Errorf("kv/%s: %w", name, err)
		}
		changed[name] = text.Bytes()
	}
	return changed, nil
}

// source is the file that a section of a diff changes, by its path within kv/. The section must make a
// difference to the node: tests are not part of it, nor is what the go command does not compile.
func source(f *gitdiff.File) (string, error) {
	name, ok := strings.CutPrefix(strings.TrimPrefix(f.NewName, "b/"), "kv/")
	switch {
	case !ok || f.IsDelete || f.IsBinary || f.IsRename || path.Clean(name) != name || !fs.ValidPath(name):
		return "", fmt.Errorf("the diff is to change text files in kv/, not %q", f.NewName)
	case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
		return "", fmt.Errorf("kv/%s: the diff is to change Go files, other than tests", name)
	case len(f.TextFragments) == 0:
		return "", fmt.Errorf("kv/%s: the diff changes none of its lines", name)
	}
	return name, nil
}

// relocate moves a hunk to where its old lines are now, the nearest place if there are several. The
// lines must match exactly, but code above them may have come or gone since the diff was made.
func relocate(hunk *gitdiff.TextFragment, old []byte) error {
	var want []string
	for _, l := range hunk.Lines {
		if l.Old() {
			want = append(want, l.Line)
		}
	}
	lines := strings.SplitAfter(string(old), "\n")
	best, distance := int64(-1), int64(len(lines)+1)
	for at := range len(lines) - len(want) + 1 {
		d := max(hunk.OldPosition-1-int64(at), int64(at)+1-hunk.OldPosition)
		if d < distance && strings.Join(lines[at:at+len(want)], "") == strings.Join(want, "") {
			best, distance = int64(at)+1, d
		}
	}
	if best < 0 {
		return errors.New("its lines are not there any more")
	}
	if len(want) > 0 {
		hunk.OldPosition = best
	}
	return nil
}
