// Command ordeal puts replicated systems on trial. See ordeal help.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"ordeal"
	"ordeal/checker"
	"ordeal/systems"
)

// Exit codes; 0, 1 and 2 are verdicts.
const (
	exitValid   = 0
	exitInvalid = 1
	exitUnknown = 2
	exitUsage   = 254
	exitBroken  = 255

	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

// exit is a command's result when there is nothing more to say.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func main() {
	if code, isNode := systems.RunNode(os.Args); isNode {
		os.Exit(code)
	}
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "ordeal",
		Short: "Put a replicated system on trial",
		Long: `Ordeal starts a replicated system's nodes as real processes on a private network, loads them
with clients, injects faults, records every operation and decides whether what happened was legal.

Exit codes: 0 valid, 1 invalid, 2 unknown, 254 wrong usage or input, 255 the harness itself broke.`,
		SilenceUsage: true, SilenceErrors: true,
		// Without this cobra would take an unknown command for help.
		Args: usageArgs(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &ordeal.UsageError{Err: err} })
	root.AddCommand(runCommand(), soakCommand(), bugsCommand(), checkCommand(), exportCommand(), reportCommand(), lsCommand(), doctorCommand())
	return code(root.Execute(), stderr)
}

// code maps a command's error to the exit code, and says it in one line.
func code(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	if done, ok := errors.AsType[exit](err); ok {
		return int(done)
	}
	_, _ = fmt.Fprintln(stderr, "ordeal:", err)
	if _, ok := errors.AsType[*ordeal.UsageError](err); ok {
		return exitUsage
	}
	return exitBroken
}

// usageArgs turns cobra's complaints about arguments into usage errors.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return &ordeal.UsageError{Err: err}
		}
		return nil
	}
}

// verdictExit is the exit code of a verdict.
func verdictExit(s checker.Status) exit {
	switch s {
	case checker.Valid:
		return exitValid
	case checker.Invalid:
		return exitInvalid
	default:
		return exitUnknown
	}
}
