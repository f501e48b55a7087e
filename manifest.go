package ordeal

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"ordeal/results"
	"ordeal/systems"
)

// manifest says what is about to run; command repeats it.
func (p *plan) manifest(command []string) results.Manifest {
	m := results.Manifest{
		Ordeal: version(), Command: command, Workload: p.Workload, System: p.System.Name(), Nodes: p.Nodes,
		Faults: []string{}, Time: p.Time, Seed: p.Seed, Concurrency: p.Concurrency, Rate: p.Rate, Keys: p.Keys,
		Bug: p.Bug, Started: time.Now().UTC(), Machine: machine(), Timeout: p.Timeout, Bound: p.Bound,
	}
	_, m.TellsState = p.System.(systems.Inspectable)
	_, m.ApplyLogs = p.System.(systems.ApplyLogger)
	for _, s := range p.specs {
		m.Faults = append(m.Faults, s.String())
	}
	if p.Schedule != nil {
		m.Faults = []string{}
		for _, s := range p.schedule.Steps {
			m.Faults = append(m.Faults, s.Fault)
		}
		m.Notes = append(m.Notes, "the schedule was given, not drawn: schedule.json has it")
	}
	return m
}

// command is the command line that runs p again; schedule is where a given schedule is kept.
func (p *plan) command(schedule string) []string {
	c := []string{"ordeal", "run", p.Workload}
	add := func(flag, value, otherwise string) {
		if value != otherwise {
			c = append(c, "--"+flag, value)
		}
	}
	add("system", p.System.Name(), "kv")
	nodes, concurrency := "5", strconv.Itoa(4*p.Nodes)
	if p.bug != nil && (p.bug.Nodes > 0 || p.bug.Concurrency > 0) {
		nodes, concurrency = "", "" // what is left out is the header's to say
	}
	add("nodes", strconv.Itoa(p.Nodes), nodes)
	if p.Schedule == nil {
		add("faults", p.Faults, "")
	} else {
		add("schedule", schedule, "")
	}
	add("bug", p.Bug, "")
	add("time", p.Time.String(), "")
	add("seed", strconv.FormatUint(p.Seed, 10), "")
	add("concurrency", strconv.Itoa(p.Concurrency), concurrency)
	add("rate", strconv.FormatFloat(p.Rate, 'g', -1, 64), "0")
	add("keys", strconv.Itoa(p.Keys), "5")
	if p.Offline {
		c = append(c, "--online=false")
	}
	if p.KeepGoing {
		c = append(c, "--keep-going")
	}
	return c
}

// version is the commit that this program was built from, as far as the build knows.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v, dirty := info.Main.Version, ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 7:
			v = s.Value[:7]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if v == "" {
		return "unknown"
	}
	return v + dirty
}

// machine is the operating system, its kernel and the number of processors.
func machine() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease") // absent elsewhere: then the name must do
	return strings.Join(strings.Fields(fmt.Sprintf("%s/%s %s %d cpus", runtime.GOOS, runtime.GOARCH, kernel, runtime.NumCPU())), " ")
}
