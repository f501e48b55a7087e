package ordeal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"ordeal/checker"
	"ordeal/internal/sandbox"
	"ordeal/results"
	"ordeal/systems"
)

// Main is what a TestMain calls, with its result given to os.Exit: it runs the tests inside the
// sandbox. The test binary is also the node of the reference KV. Where no sandbox can be made the tests
// run all the same, and Test skips.
func Main(m interface{ Run() int }) int {
	code, err := Sandboxed(m.Run)
	if _, ok := errors.AsType[*sandbox.Unavailable](err); ok {
		return m.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ordeal:", err)
		return 255
	}
	return code
}

// Sandboxed runs f inside the sandbox and returns its result: this program is started again in new
// namespaces, and all that it starts there dies with it, or with us. If the process was started to
// be a node, it is one instead. The error is a *sandbox.Unavailable where the machine allows no sandbox.
func Sandboxed(f func() int) (int, error) {
	if code, isNode := systems.RunNode(os.Args); isNode {
		return code, nil
	}
	code, done, err := sandbox.Enter()
	if done || err != nil {
		return code, err
	}
	return f(), nil
}

// T is what Test needs of a *testing.T.
type T interface {
	Helper()
	Name() string
	Context() context.Context
	Output() io.Writer
	Attr(key, value string)
	ArtifactDir() string
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Test puts a system on trial and fails t unless the verdict is valid: an unknown verdict is a failure
// too. Where the machine allows no sandbox it skips with the reason, or fails if ORDEAL_REQUIRE has
// net. The seed is c.Seed, or ORDEAL_SEED from the environment, or drawn. Directories of runs that are not
// valid are kept under c.Out; with -artifacts every run goes to the test's artifacts.
func Test(t T, c Config) *results.Run {
	t.Helper()
	r := try(t, c)
	if r.Verdict.Status != checker.Valid {
		t.Errorf("%s", r.Text(false))
		return r
	}
	_, _ = fmt.Fprintf(t.Output(), "valid: %d ok operations, seed %d\n", r.Verdict.Ops.OK, r.Manifest.Seed)
	return r
}

// Try is Test without a demand on the verdict, for tests that expect a conviction.
func Try(t T, c Config) *results.Run {
	t.Helper()
	r := try(t, c)
	_, _ = fmt.Fprintln(t.Output(), r.Text(false))
	return r
}

// try runs a trial, or ends t by Fatalf or Skipf if it cannot take place.
func try(t T, c Config) *results.Run {
	t.Helper()
	if err := sandbox.Ready(); err != nil {
		if sandbox.Required("net") {
			t.Fatalf("ORDEAL_REQUIRE has net, but TestMain did not get ordeal.Main into a sandbox: %v", err)
		}
		t.Skipf("%v", err)
	}
	artifacts := flag.Lookup("test.artifacts")
	keepAll := artifacts != nil && artifacts.Value.String() == "true"
	if keepAll {
		c.Out = t.ArtifactDir()
	}
	if err := seedFromEnv(&c); err != nil {
		t.Fatalf("%v", err)
	}
	r, err := run(t.Context(), c, func(seed uint64) []string {
		return []string{"env", fmt.Sprintf("ORDEAL_SEED=%d", seed), "go", "test", "-count=1", "-run", "^" + strings.ReplaceAll(regexp.QuoteMeta(t.Name()), "/", "$/^") + "$", "."}
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Attr("ordeal.seed", strconv.FormatUint(r.Manifest.Seed, 10))
	t.Attr("ordeal.verdict", r.Verdict.Status.String())
	if r.Verdict.Status == checker.Valid && !keepAll {
		if err := os.RemoveAll(r.Dir.Path()); err != nil {
			t.Errorf("remove clean run: %v", err)
		}
	} else {
		t.Attr("ordeal.report", r.Dir.Index())
	}
	return r
}

func seedFromEnv(c *Config) error {
	text := os.Getenv("ORDEAL_SEED")
	if text == "" || c.Seed != 0 {
		return nil
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("ORDEAL_SEED: %w", err)
	}
	c.Seed = seed
	return nil
}
