package cluster

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Command is how a node is started; no shell is involved.
type Command struct {
	// Path is the program: absolute, relative to the harness's working directory, or, without a
	// slash, looked up on PATH.
	Path string
	Args []string // without argv[0]
	// Env is added to a minimal environment: PATH, HOME (the data directory), TMPDIR, LANG, and
	// what Go programs need to report coverage and races.
	Env []string
	// Files are written into the data directory before the first start, by names relative to it.
	// Names that lead out of it are refused.
	Files map[string]string
}

// execCommand makes a Command executable, with dir as home and working directory.
func execCommand(c Command, dir string) (*exec.Cmd, error) {
	path := c.Path
	if strings.ContainsRune(path, filepath.Separator) {
		abs, err := filepath.Abs(path) // the node's working directory is another
		if err != nil {
			return nil, err
		}
		path = abs
	}
	cmd := exec.Command(path, c.Args...) //nolint:noctx // it lives until Kill, whatever context started it
	cmd.Args[0] = c.Path
	cmd.Dir = dir
	cmd.Env = append(minimalEnv(dir), c.Env...)
	cmd.SysProcAttr = ownGroup()
	return cmd, nil
}

// minimalEnv is what every node gets: nothing of the user's that could make two machines differ.
func minimalEnv(home string) []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	env := []string{"PATH=" + path, "HOME=" + home, "TMPDIR=" + os.TempDir(), "LANG=C.UTF-8"}
	for _, name := range []string{"GOCOVERDIR", "GORACE", "GOTRACEBACK"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// writeFiles writes a node's files; os.Root refuses names that lead out of dir, also by links.
func writeFiles(dir string, files map[string]string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("write the file %q: it would not be in the data directory", name)
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("write the file %q: %w", name, err)
		}
		if err := root.WriteFile(name, []byte(files[name]), 0o644); err != nil {
			return fmt.Errorf("write the file %q: %w", name, err)
		}
	}
	return nil
}
