package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ordeal/internal/sandbox"
	"ordeal/systems"
)

func TestMain(m *testing.M) {
	if code, isNode := systems.RunNode(os.Args); isNode {
		os.Exit(code)
	}
	testscript.Main(m, map[string]func(){"ordeal": main})
}

// TestScripts drives the command line as a person would; each script in testdata tells a story.
func TestScripts(t *testing.T) {
	noSandbox := sandbox.Probe()
	if noSandbox != nil && sandbox.Required("net") {
		t.Fatal(noSandbox)
	}
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("MODULE", module)
			return forGo(e)
		},
		Cmds:      map[string]func(*testscript.TestScript, bool, []string){"code": exitsWith, "await": await},
		Condition: func(string) (bool, error) { return noSandbox == nil, nil }, // the only one is [sandbox]
	})
}

// forGo hands on where the go command keeps things, since a script has another home.
func forGo(e *testscript.Env) error {
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return err
		}
		e.Setenv(name, strings.TrimSpace(string(value)))
	}
	return nil
}

// exitsWith runs ordeal and demands an exit code: code 254 run nosuch.
func exitsWith(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("ordeal", args[1:]...)
	got := "0"
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = strconv.Itoa(exit.ExitCode())
	} else {
		ts.Check(err)
	}
	if got != args[0] {
		ts.Fatalf("ordeal %s: exit %s, not %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// await waits until a file that matches a pattern is at least so many bytes long: await 1000 out/*/history.jsonl.
func await(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		files, err := filepath.Glob(ts.MkAbs(args[1]))
		ts.Check(err)
		for _, f := range files {
			if info, err := os.Stat(f); err == nil && info.Size() >= size {
				return
			}
		}
	}
	ts.Fatalf("%s did not grow to %d bytes", args[1], size)
}
