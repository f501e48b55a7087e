package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ordeal"
	"ordeal/checker"
	"ordeal/internal/term"
	"ordeal/results"
)

func checkCommand() *cobra.Command {
	var asJSON bool
	var model string
	var budget checker.Budget
	c := &cobra.Command{
		Use:   "check DIR|FILE",
		Short: "Judge what was recorded, again or elsewhere",
		Long: `Judge what was recorded, again or elsewhere.

Given a run's directory, all checks are made and the verdict and reports are written anew; a run whose
harness died is judged as far as it was recorded.

Given a history alone, its operations are judged by --model, and nothing is written. It may be a history.jsonl, a
history.edn of Jepsen's, a jepsen.log, or a log such as Porcupine's tests have; which it is shows in how it begins.
Without --model the history.jsonl of a run is judged as the run's workload, and any other as a register's. Of a
register or a kv the revisions that answers carry, if they do, are judged as well.

In EDN, values [key value] of independent keys are known by their tag, #jepsen.independent/tuple, or, since Jepsen
writes them without it, by all operations having such values. The value of a failed operation is not taken for what it found.`,
		Example: `  ordeal check results/latest
  ordeal check store/latest/history.edn --model list`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			info, err := os.Stat(args[0])
			switch {
			case err != nil:
				return &ordeal.UsageError{Err: err}
			case info.IsDir() && model != "":
				return &ordeal.UsageError{Err: fmt.Errorf("--model: a run is judged as its workload; for another model name %s", filepath.Join(args[0], "history.jsonl"))}
			}
			done := func() {}
			if !asJSON {
				done = showJudging(c.ErrOrStderr())
			}
			var verdict results.Verdict
			var text string
			if info.IsDir() {
				verdict, text, err = judgeRun(c, args[0], budget)
			} else {
				verdict, text, err = judgeHistory(c, args[0], model, budget)
			}
			done()
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(verdict); err != nil {
					return fmt.Errorf("print verdict: %w", err)
				}
			} else {
				_, _ = fmt.Fprint(c.OutOrStdout(), text)
			}
			return verdictExit(verdict.Status)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the verdict as JSON")
	crossCheck(c, &budget)
	c.Flags().StringVar(&model, "model", "", "model that a history is held against: "+strings.Join(ordeal.Models(), ", "))
	complete(c, "model", ordeal.Models())
	return c
}

// crossCheck is the flag that says how far Porcupine judges beside the checker's own engines.
func crossCheck(c *cobra.Command, b *checker.Budget) {
	c.Flags().Var(&b.CrossCheck, "cross-check", "keys that Porcupine judges as well: all, a sample in 2 s, or none (off)")
	complete(c, "cross-check", checker.CrossChecks())
}

// showJudging tells on w how long it takes: on a terminal in a line that comes after a second, elsewhere
// in one every ten. It ends when done is called.
func showJudging(w io.Writer) (done func()) {
	every, live := plainEvery, (*term.Live)(nil)
	if f, ok := w.(*os.File); ok && term.Interactive(f) {
		every, live = time.Second, term.NewLive(f)
	}
	began, over, gone := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			line := "  judging, " + seconds(time.Since(began))
			if live != nil {
				live.Draw([]string{line})
			} else {
				_, _ = fmt.Fprintln(w, line)
			}
		}
	}()
	return func() {
		close(over)
		<-gone
		if live != nil {
			live.Clear()
		}
	}
}

func judgeRun(c *cobra.Command, path string, budget checker.Budget) (results.Verdict, string, error) {
	run, err := ordeal.Judge(c.Context(), path, budget)
	if err != nil {
		return results.Verdict{}, "", err
	}
	return run.Verdict, run.Text(term.Colour(os.Stdout)), nil
}

func judgeHistory(c *cobra.Command, path, model string, budget checker.Budget) (results.Verdict, string, error) {
	verdict, err := ordeal.JudgeHistory(c.Context(), path, model, budget)
	if err != nil {
		return verdict, "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %d ok, %d fail, %d info  %s\n", verdict.Status, verdict.Ops.OK, verdict.Ops.Fail, verdict.Ops.Info, verdict.Reason)
	for _, f := range verdict.Findings {
		if f.Key != "" {
			fmt.Fprintf(&text, "%q: ", f.Key)
		}
		fmt.Fprintf(&text, "%s\n  %s\n", f.Rule, f.Text)
		if f.Unconfirmed != "" {
			fmt.Fprintf(&text, "  %s\n", f.Unconfirmed)
		}
	}
	return verdict, text.String(), nil
}

func reportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "report DIR",
		Short: "Write a run's pages, JUnit XML and summary again",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := results.Open(args[0])
			if err != nil {
				return &ordeal.UsageError{Err: err}
			}
			if _, err := os.Stat(dir.Verdict()); errors.Is(err, os.ErrNotExist) {
				return &ordeal.UsageError{Err: fmt.Errorf("%s has no verdict yet: run ordeal check %s", args[0], args[0])}
			}
			if err := results.Render(dir); err != nil {
				return err
			}
			_, _ = fmt.Fprintln(c.OutOrStdout(), dir.Index())
			return nil
		},
	}
}
