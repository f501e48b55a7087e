// Package results keeps runs on disk and renders what was found in them: text, pages, JUnit, summary.
//
// It does not know how a run was made; all it reads is the run directory.
package results

import (
	"strconv"
	"time"

	"ordeal/checker"
	"ordeal/history"
)

// Verdict is verdict.json: what all checkers together say about a run.
type Verdict struct {
	Status   checker.Status   `json:"status"`
	Reason   string           `json:"reason,omitempty"` // one sentence; always given unless valid
	Ops      Counts           `json:"ops"`
	Checkers []CheckerRow     `json:"checkers"`
	Findings []Finding        `json:"findings"`
	Windows  []history.Window `json:"windows"`
	// RecoveryMS is, for each node, the time from the end of the last fault to its first ok answer;
	// a node that never answered is missing.
	RecoveryMS map[string]float64 `json:"recovery_ms"`
}

// NodeNames are n1 to the last node.
func (m Manifest) NodeNames() []string {
	names := make([]string, m.Nodes)
	for i := range names {
		names[i] = "n" + strconv.Itoa(i+1)
	}
	return names
}

// Counts are client operations by outcome.
type Counts struct {
	OK   int `json:"ok"`
	Fail int `json:"fail"`
	Info int `json:"info"`
}

// All is the number of operations.
func (c Counts) All() int { return c.OK + c.Fail + c.Info }

// CheckerRow is one checker's verdict.
type CheckerRow struct {
	Name      string         `json:"name"`
	Status    checker.Status `json:"status"`
	Reason    string         `json:"reason,omitempty"`
	Engine    string         `json:"engine,omitempty"`
	ElapsedMS float64        `json:"elapsed_ms"`
}

// Finding is a checker's finding with the fault that was active when it happened.
type Finding struct {
	checker.Finding
	Checker string `json:"checker"`
	Window  string `json:"window,omitempty"` // e.g. "pause n3 12.10s–14.00s"; empty if no fault was active
}

// Manifest is manifest.json: what was run, where and how to run it again.
type Manifest struct {
	Ordeal      string        `json:"ordeal"`          // version or commit of the harness
	Command     []string      `json:"command"`         // that runs it again
	Workload    string        `json:"workload"`        //
	System      string        `json:"system"`          //
	Nodes       int           `json:"nodes"`           //
	Faults      []string      `json:"faults"`          // as planned, e.g. kill, pause@leader
	Time        time.Duration `json:"time"`            // of the load, nanoseconds
	Seed        uint64        `json:"seed"`            //
	Concurrency int           `json:"concurrency"`     // clients at a time
	Rate        float64       `json:"rate,omitempty"`  // operations per second over all clients; 0 is as fast as possible
	Keys        int           `json:"keys"`            // in use at a time
	Bug         string        `json:"bug,omitempty"`   // planted bug, or the path of a diff
	Started     time.Time     `json:"started"`         // wall clock
	Machine     string        `json:"machine"`         // os, kernel, processors
	Firewall    string        `json:"firewall"`        // what cuts the network
	TellsState  bool          `json:"tells_state"`     // the system's nodes say what they have applied
	ApplyLogs   bool          `json:"apply_logs"`      // the system's nodes keep apply logs
	Notes       []string      `json:"notes,omitempty"` // what this machine could not do, what was skipped
	Timeout     time.Duration `json:"timeout"`         // of one operation, nanoseconds
	Bound       time.Duration `json:"recovery_bound"`  // within which every node must answer after the last heal, nanoseconds
}
