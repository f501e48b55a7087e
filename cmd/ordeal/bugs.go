package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"ordeal"
	"ordeal/kv/bugs"
	"ordeal/results"
)

func bugsCommand() *cobra.Command {
	asJSON := false
	list := func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return showBugs(c.OutOrStdout(), args, asJSON)
		}
		return listBugs(c.OutOrStdout(), asJSON)
	}
	c := &cobra.Command{
		Use:   "bugs",
		Short: "List the bugs planted in kv, tell their stories, and see that they are convicted",
		Long: `List the bugs that are planted in the reference KV. Each is a small diff of its source with a header that says
where it happened in earnest, which trial reveals it, which check must convict it, and how reliably:
tier A in 19 of 20 trials, B in one at least, C if we are lucky.`,
		Example: `  ordeal bugs                                   all of them
  ordeal bugs show leader-local-read            its story and the diff
  ordeal bugs run --tier A -n 20                each 20 times: all must be convicted
  ordeal bugs run ./mine.diff                   a bug of your own`,
		Args: usageArgs(cobra.NoArgs), RunE: list,
	}
	c.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON, an object a line")
	c.AddCommand(
		&cobra.Command{
			Use: "list [ID|FILE.diff...]", Short: "List them", ValidArgsFunction: completeBugs, RunE: list,
		},
		&cobra.Command{
			Use: "show ID|FILE.diff...", Short: "Tell a bug's story, and show the diff",
			Args: usageArgs(cobra.MinimumNArgs(1)), ValidArgsFunction: completeBugs, RunE: list,
		},
		bugsRunCommand(&asJSON),
	)
	return c
}

// completeBugs offers ids, and the names of files for a diff of somebody's own.
func completeBugs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return strings.Split(bugNames(), ", "), cobra.ShellCompDirectiveDefault
}

// bugLine is a bug as JSON.
type bugLine struct {
	ID          string   `json:"id"`
	Tier        string   `json:"tier"`
	Check       []string `json:"check"`
	Faults      string   `json:"faults"`
	Workload    string   `json:"workload"`
	Time        string   `json:"time"`
	Nodes       int      `json:"nodes,omitempty"`
	Concurrency int      `json:"concurrency,omitempty"`
	State       string   `json:"state"`
	Title       string   `json:"title"`
	Origin      string   `json:"origin"`
	Story       string   `json:"story"`
	Diff        string   `json:"diff,omitempty"`
}

func lineOf(b bugs.Bug) bugLine {
	return bugLine{
		ID: b.ID, Tier: b.Tier, Check: append([]string{}, b.Checks...), Faults: b.Faults, Workload: b.Workload, Time: b.Time.String(),
		Nodes: b.Nodes, Concurrency: b.Concurrency, State: stateOf(b), Title: b.Title, Origin: b.Origin, Story: b.Story,
	}
}

// stateOf says whether a bug can be revealed yet.
func stateOf(b bugs.Bug) string {
	if b.Needs != "" {
		return "waits for " + b.Needs
	}
	return "ready"
}

func listBugs(w io.Writer, asJSON bool) error {
	all, err := bugs.All()
	if err != nil {
		return err
	}
	if asJSON {
		return printLines(w, all, lineOf)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "ID\tTIER\tCHECK\tFAULTS\tWORKLOAD\tSTATE\tTITLE")
	for _, b := range all {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", b.ID, b.Tier, strings.Join(b.Checks, ","), b.Faults, b.Workload, stateOf(b), b.Title)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print bugs: %w", err)
	}
	return nil
}

func showBugs(w io.Writer, names []string, asJSON bool) error {
	var all []bugs.Bug
	for _, name := range names {
		b, err := bugs.Find(name)
		if err != nil {
			return &ordeal.UsageError{Err: err}
		}
		all = append(all, b)
	}
	if asJSON {
		return printLines(w, all, func(b bugs.Bug) bugLine {
			line := lineOf(b)
			line.Diff = string(b.Diff)
			return line
		})
	}
	for i, b := range all {
		if i > 0 {
			_, _ = fmt.Fprintln(w)
		}
		_, _ = fmt.Fprint(w, bugText(b, names[i]))
	}
	return nil
}

func printLines(w io.Writer, all []bugs.Bug, line func(bugs.Bug) bugLine) error {
	enc := json.NewEncoder(w)
	for _, b := range all {
		if err := enc.Encode(line(b)); err != nil {
			return fmt.Errorf("print bugs: %w", err)
		}
	}
	return nil
}

// bugText is a bug with all that its header tells, and its diff; name is the id or the path that it was asked for by.
func bugText(b bugs.Bug, name string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s  tier %s  %s\n", b.ID, cmp.Or(b.Tier, "not given"), stateOf(b))
	if b.Title != "" {
		fmt.Fprintf(&s, "%s\n", b.Title)
	}
	trial := []string{"faults " + cmp.Or(b.Faults, "not given"), "workload " + cmp.Or(b.Workload, "not given"), b.Time.String() + " of load"}
	if b.Nodes > 0 {
		trial = append(trial, fmt.Sprintf("%d nodes", b.Nodes))
	}
	if b.Concurrency > 0 {
		trial = append(trial, fmt.Sprintf("%d clients", b.Concurrency))
	}
	fmt.Fprintf(&s, "\n  happened in   %s\n", cmp.Or(b.Origin, "not given"))
	fmt.Fprintf(&s, "  revealed by   %s\n", strings.Join(trial, ", "))
	fmt.Fprintf(&s, "  convicted by  %s\n", cmp.Or(strings.Join(b.Checks, " or "), "any check"))
	again := results.Again(results.Manifest{Command: []string{"ordeal", "run", "--bug", name}}) // as a shell reads it
	fmt.Fprintf(&s, "  try it        %s\n\n", again)
	if b.Story != "" {
		fmt.Fprintf(&s, "%s\n\n", wrap(b.Story, 100))
	}
	s.WriteString(patch(b))
	return s.String()
}

// wrap breaks a text into lines of a width.
func wrap(text string, width int) string {
	var s strings.Builder
	at := 0
	for word := range strings.FieldsSeq(text) {
		if at > 0 && at+1+len(word) > width {
			s.WriteByte('\n')
			at = 0
		}
		if at > 0 {
			s.WriteByte(' ')
			at++
		}
		s.WriteString(word)
		at += len(word)
	}
	return s.String()
}

// patch is the diff without its header, harmless to a terminal.
func patch(b bugs.Bug) string {
	text := string(b.Diff)
	for strings.HasPrefix(text, "#") {
		_, text, _ = strings.Cut(text, "\n")
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
