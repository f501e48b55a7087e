package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ordeal"
	"ordeal/checker"
	"ordeal/internal/sandbox"
	"ordeal/internal/term"
	"ordeal/kv/bugs"
	"ordeal/nemesis"
	"ordeal/results"
	"ordeal/systems"
	"ordeal/workloads"
)

// trialFlags are the flags of run and soak that describe one trial.
type trialFlags struct {
	config   ordeal.Config
	system   string
	schedule string
	online   bool
	set      *pflag.FlagSet
}

func (t *trialFlags) bind(c *cobra.Command) {
	f := c.Flags()
	t.set = f
	f.StringVar(&t.system, "system", systems.Kinds()[0].Name, "system under test: "+systemNames())
	f.IntVar(&t.config.Nodes, "nodes", 0, "nodes of the cluster (default 5, or what the bug names)")
	f.DurationVar(&t.config.Time, "time", 0, "length of the load (default 30s, or what the bug names)")
	f.IntVar(&t.config.Concurrency, "concurrency", 0, "clients at a time (default four a node, or what the bug names)")
	f.Float64Var(&t.config.Rate, "rate", 0, "operations per second over all clients (default as fast as possible)")
	f.IntVar(&t.config.Keys, "keys", 5, "keys in use at a time")
	f.StringVar(&t.config.Bug, "bug", "", "plant a bug in kv: an id or the path of a diff; known: "+bugNames())
	f.BoolVar(&t.online, "online", true, "follow register, and of kv what is found, not what is absent, and end a trial at the response that made its history impossible")
	f.StringVar(&t.config.Out, "out", results.DefaultOut, "directory for the run's directory")
	crossCheck(c, &t.config.Budget)
	for flag, names := range map[string]string{"system": systemNames(), "bug": bugNames()} {
		complete(c, flag, strings.Split(names, ", "))
	}
}

// plantedFlag is between bugs run and its trials.
const plantedFlag = "planted"

// complete offers fixed words for a flag.
func complete(c *cobra.Command, flag string, words []string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that does not exist
}

// read makes the config of a trial from flags and arguments, checked.
func (t *trialFlags) read(args []string) (ordeal.Config, error) {
	c := t.config
	c.Offline = !t.online
	// Zero means "the default" in a Config, but on a command line somebody has written it.
	for _, name := range []string{"nodes", "time", "concurrency", "keys", "seed"} {
		if f := t.set.Lookup(name); f != nil && f.Changed && (f.Value.String() == "0" || f.Value.String() == "0s") {
			return c, &ordeal.UsageError{Err: fmt.Errorf("--%s: it must not be 0", name)}
		}
	}
	if len(args) > 0 {
		c.Workload = args[0]
	}
	system, err := systems.New(t.system, systems.Options{})
	if err != nil {
		return c, &ordeal.UsageError{Err: err}
	}
	c.System = system
	if c.Schedule, err = readSchedule(t.schedule); err != nil {
		return c, &ordeal.UsageError{Err: err}
	}
	return c, c.Check()
}

func readSchedule(path string) (*nemesis.Schedule, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--schedule: %w", err)
	}
	defer func() { _ = f.Close() }()
	s, err := nemesis.ReadSchedule(path, f)
	return &s, err
}

func runCommand() *cobra.Command {
	var (
		flags  trialFlags
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "run [WORKLOAD]",
		Short: "Run one trial and judge it",
		Long: `Run one trial and judge it.

Workloads:
` + workloadHelp() + `
Faults, as NAME[:VARIANT][@TARGET], in a list such as kill,pause@leader,partition:isolate@n2:
` + faultHelp() + `
Targets: one, leader, minority, majority, all, or a node such as n2. "all" is every fault, "none" is none.`,
		Example: `  ordeal run                                    five nodes, 30 s of all faults
  ordeal run --bug leader-local-read            a trial as the planted bug asks for: it must be convicted
  ordeal run --faults pause@leader --time 1m    the leader stops again and again
  ordeal run --time 30s --schedule results/latest/schedule.json`,
		Args:      usageArgs(cobra.MaximumNArgs(1)),
		ValidArgs: workloadNames(),
		RunE: func(c *cobra.Command, args []string) error {
			config, err := flags.read(args)
			if err != nil {
				return err
			}
			if flags.schedule != "" && c.Flags().Changed("faults") {
				return &ordeal.UsageError{Err: errors.New("--faults and --schedule exclude each other")}
			}
			code, err := ordeal.Sandboxed(func() int { return sealed(runInside(config, asJSON, c.OutOrStdout())) })
			if err != nil {
				return orSkipped(err, asJSON, c.OutOrStdout())
			}
			if !sandbox.Inside() {
				code = unsealed(code)
			}
			return exit(code)
		},
	}
	flags.bind(c)
	f := c.Flags()
	f.StringVar(&flags.config.Faults, "faults", "", `faults to inject (default "all", or what the bug names)`)
	f.Uint64Var(&flags.config.Seed, "seed", 0, "seed of schedule and operations (default drawn)")
	f.StringVar(&flags.schedule, "schedule", "", "file with the schedule to use instead of a drawn one")
	f.BoolVar(&flags.config.KeepGoing, "keep-going", false, "record on after --online has seen a violation")
	f.BoolVar(&asJSON, "json", false, "print events as JSON lines")
	f.StringVar(&flags.config.Planted, plantedFlag, "", "program of a node that has the bug already, as bugs run builds it")
	_ = f.MarkHidden(plantedFlag) // fails only for a flag that does not exist
	complete(c, "faults", append(nemesis.Names(), "all", "none"))
	return c
}

// orSkipped turns the lack of a sandbox into a verdict: nothing was shown, so it is unknown; where
// ORDEAL_REQUIRE insists on a network it is a failure.
func orSkipped(err error, asJSON bool, stdout io.Writer) error {
	var unavailable *sandbox.Unavailable
	if !errors.As(err, &unavailable) || sandbox.Required("net") {
		return err
	}
	if asJSON {
		skipped := results.Verdict{Status: checker.Unknown, Reason: "skipped: " + unavailable.Error()}
		return errors.Join(json.NewEncoder(stdout).Encode(verdictLine{Event: "verdict", Verdict: skipped}), exit(exitUnknown))
	}
	_, _ = fmt.Fprintln(stdout, "UNKNOWN  skipped:", unavailable)
	return exit(exitUnknown)
}

// A Go program that panics exits with 2, which must not be taken for the verdict unknown. So the process
// in the sandbox adds to its verdicts' codes what the one outside takes off again.
const seal = 100

func sealed(code int) int {
	if code <= exitUnknown {
		return code + seal
	}
	return code
}

func unsealed(code int) int {
	switch {
	case code >= seal && code <= seal+exitUnknown:
		return code - seal
	case code <= exitUnknown:
		return exitBroken
	}
	return code
}

// runInside is the run itself, inside the sandbox.
func runInside(config ordeal.Config, asJSON bool, stdout io.Writer) int {
	ctx, stop := onInterrupt()
	defer stop()
	view := newScreen(os.Stderr)
	if asJSON {
		view = &jsonView{enc: json.NewEncoder(stdout)}
	}
	config.Watch = view.watch
	r, err := ordeal.Run(ctx, config)
	view.end()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintln(os.Stderr, "ordeal: interrupted before the run began")
		return exitInterrupted
	}
	if err != nil {
		return code(err, os.Stderr)
	}
	if asJSON {
		view.(*jsonView).verdict(r)
	} else {
		_, _ = fmt.Fprint(stdout, r.Text(term.Colour(os.Stdout)))
	}
	return int(verdictExit(r.Verdict.Status))
}

// onInterrupt is a context that the first SIGINT ends; the second ends the process, and with it, since
// it is the sandbox's first, every node.
func onInterrupt() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		cancel()
		if _, ok := <-signals; ok {
			os.Exit(exitInterrupted)
		}
	}()
	return ctx, func() { signal.Stop(signals); close(signals); cancel() }
}

func workloadNames() []string {
	var names []string
	for _, k := range workloads.Kinds() {
		names = append(names, k.Name)
	}
	return names
}

func workloadHelp() string {
	var b strings.Builder
	for _, k := range workloads.Kinds() {
		fmt.Fprintf(&b, "  %-10s %s\n", k.Name, k.Doc)
	}
	return b.String()
}

func faultHelp() string {
	var b strings.Builder
	for _, k := range nemesis.Kinds() {
		fmt.Fprintf(&b, "  %-10s %s\n", k.Name, k.Doc)
		if k.Param != "" {
			fmt.Fprintf(&b, "  %-10s %s: %s\n", "", k.Param, strings.Join(k.VariantNames(), ", "))
		}
	}
	return b.String()
}

func systemNames() string {
	var names []string
	for _, k := range systems.Kinds() {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

func bugNames() string {
	all, err := bugs.All()
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, b := range all {
		names = append(names, b.ID)
	}
	return strings.Join(names, ", ")
}
