package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ordeal"
	"ordeal/internal/term"
	"ordeal/results"
	"ordeal/workloads"
)

func checkCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check DIR|history.jsonl",
		Short: "Judge what was recorded, again",
		Long: `Judge what was recorded, again.

Given a run's directory, all checks are made and the verdict and reports are written anew; a run whose
harness died is judged as far as it was recorded. Given a history alone, it is judged as one of the
register workload, and nothing is written.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			info, err := os.Stat(args[0])
			if err != nil {
				return &ordeal.UsageError{Err: err}
			}
			judge := judgeHistory
			if info.IsDir() {
				judge = judgeRun
			}
			verdict, text, err := judge(c, args[0])
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
	return c
}

func judgeRun(c *cobra.Command, path string) (results.Verdict, string, error) {
	run, err := ordeal.Judge(c.Context(), path)
	if err != nil {
		return results.Verdict{}, "", err
	}
	return run.Verdict, run.Text(term.Colour(os.Stdout)), nil
}

func judgeHistory(c *cobra.Command, path string) (results.Verdict, string, error) {
	verdict, err := ordeal.JudgeHistory(c.Context(), path, workloads.Kinds()[0].Name)
	if err != nil {
		return verdict, "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %d ok, %d fail, %d info  %s\n", verdict.Status, verdict.Ops.OK, verdict.Ops.Fail, verdict.Ops.Info, verdict.Reason)
	for _, f := range verdict.Findings {
		fmt.Fprintf(&text, "%q: %s\n  %s\n", f.Key, f.Rule, f.Text)
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
