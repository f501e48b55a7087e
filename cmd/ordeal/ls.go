package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ordeal/internal/sandbox"
	"ordeal/results"
)

func lsCommand() *cobra.Command {
	var (
		out    string
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the runs, newest first",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			runs, err := results.List(out)
			if err != nil {
				return err
			}
			if asJSON {
				return printRuns(c, runs)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
			_, _ = fmt.Fprintln(w, "STATE\tWORKLOAD\tFAULTS\tSEED\tOK\tFINDINGS\tDIRECTORY")
			for _, r := range runs {
				m := r.Manifest
				_, _ = fmt.Fprintf(w, "%s\t%q\t%q\t%d\t%d\t%d\t%s\n", r.State, m.Workload, m.Faults, m.Seed, r.Verdict.Ops.OK, len(r.Verdict.Findings), r.Dir.Path())
			}
			if err := w.Flush(); err != nil {
				return fmt.Errorf("print runs: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", results.DefaultOut, "directory with the runs")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a run")
	return c
}

func printRuns(c *cobra.Command, runs []results.Summary) error {
	enc := json.NewEncoder(c.OutOrStdout())
	for _, r := range runs {
		line := map[string]any{
			"state": r.State, "dir": r.Dir.Path(), "workload": r.Manifest.Workload, "faults": r.Manifest.Faults,
			"seed": r.Manifest.Seed, "ops": r.Verdict.Ops, "findings": len(r.Verdict.Findings),
		}
		if r.Err != nil {
			line["error"] = r.Err.Error()
		}
		if err := enc.Encode(line); err != nil {
			return fmt.Errorf("print runs: %w", err)
		}
	}
	return nil
}

func doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say which faults this machine can inject, and why not the others",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			all := sandbox.Capabilities()
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(all)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
			for _, row := range all {
				sign := "yes"
				if !row.OK {
					sign = "no"
				}
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", sign, row.Name, row.Detail)
			}
			if err := w.Flush(); err != nil {
				return fmt.Errorf("print capabilities: %w", err)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
