package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ordeal"
	"ordeal/history"
	"ordeal/results"
)

// exportFormat is a row of the table of forms that a history can be written in.
type exportFormat struct {
	name  string
	write func(io.Writer, history.History) error
}

func exportFormats() []exportFormat {
	return []exportFormat{
		{"edn", func(w io.Writer, h history.History) error { return history.WriteEDN(w, h.Events) }},
		{"jsonl", func(w io.Writer, h history.History) error { return history.WriteJSONL(w, h.Events) }},
		{"csv", func(w io.Writer, h history.History) error {
			ops, err := history.Pair(h.Events)
			if err != nil {
				return &ordeal.UsageError{Err: err}
			}
			return history.WriteCSV(w, ops)
		}},
	}
}

func formatNames() (names []string) {
	for _, f := range exportFormats() {
		names = append(names, f.name)
	}
	return names
}

func exportCommand() *cobra.Command {
	var format, out string
	c := &cobra.Command{
		Use:   "export DIR|FILE",
		Short: "Write a history for other programs",
		Long: `Write the history of a run, or any that ordeal check reads, for other programs.

edn    as Jepsen, Knossos and Elle read it, a map a line. The value of an operation on a key is [key value], as Jepsen
       writes values of independent keys, and :key says the key again. A completion repeats the value of its invocation;
       what it was answered beyond that is in :found.
jsonl  as ordeal writes it, events numbered anew. The nemesis of a Jepsen history is left out.
csv    an operation a row, with input and output as JSON. Text that a spreadsheet would take for a formula
       gets a ' before it.`,
		Example: `  ordeal export results/latest --format csv -o ops.csv
  ordeal export history.edn --format jsonl | jq .f`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			formats := exportFormats()
			i := slices.IndexFunc(formats, func(f exportFormat) bool { return f.name == format })
			if i < 0 {
				return &ordeal.UsageError{Err: fmt.Errorf("--format: %q is none of %s", format, strings.Join(formatNames(), ", "))}
			}
			h, err := loadHistory(args[0])
			if err != nil {
				return err
			}
			if h.Torn != "" {
				_, _ = fmt.Fprintln(c.ErrOrStderr(), "ordeal: all but the end, which is torn:", h.Torn)
			}
			if out == "" {
				return formats[i].write(c.OutOrStdout(), h)
			}
			return writeFile(out, func(w io.Writer) error { return formats[i].write(w, h) })
		},
	}
	c.Flags().StringVar(&format, "format", "edn", "form to write: "+strings.Join(formatNames(), ", "))
	c.Flags().StringVarP(&out, "output", "o", "", "file to write, instead of standard output")
	complete(c, "format", formatNames())
	return c
}

// loadHistory reads a history, or that of a run's directory.
func loadHistory(path string) (history.History, error) {
	info, err := os.Stat(path)
	if err != nil {
		return history.History{}, &ordeal.UsageError{Err: err}
	}
	if info.IsDir() {
		dir, err := results.Open(path)
		if err != nil {
			return history.History{}, &ordeal.UsageError{Err: err}
		}
		path = dir.History()
	}
	f, err := os.Open(path)
	if err != nil {
		return history.History{}, &ordeal.UsageError{Err: err}
	}
	defer func() { _ = f.Close() }() // only read
	h, err := history.Load(filepath.Base(path), f)
	if err != nil {
		return h, &ordeal.UsageError{Err: err}
	}
	return h, nil
}

// writeFile writes a file as a whole or leaves what was there.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return &ordeal.UsageError{Err: fmt.Errorf("-o: %w", err)}
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
