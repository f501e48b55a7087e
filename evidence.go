package ordeal

import (
	"context"
	"fmt"
	"time"

	"ordeal/checker"
	"ordeal/history"
)

// A run with fewer ok operations, in all or around its faults, has shown nothing. Around a fault is while it
// was active and in the aftermath: when every node is down nothing can succeed, and what a kill
// breaks shows when they are back.
const (
	okMin          = 20
	okInFaultsMin  = 10
	faultAftermath = time.Second
)

// evidence asks whether the run was a trial at all. Its answer is never invalid.
func evidence(_ context.Context, c *trialCase) ([]checker.Verdict, error) {
	v := checker.Verdict{Checker: "evidence", Engine: "observation"}
	if v.Reason = c.vacuous(); v.Reason != "" {
		v.Status = checker.Unknown
	}
	return []checker.Verdict{v}, nil
}

// vacuous says why the run proves nothing, or "".
func (c *trialCase) vacuous() string {
	if e, ok := c.saw(history.SawUnready); ok {
		return "the cluster did not come up: " + e.Err
	}
	if c.torn != "" {
		return "the history is torn at its end: " + c.torn
	}
	switch end, ok := c.saw(history.SawEnd); {
	case !ok:
		return "the history has no end: the harness died while the run went on"
	case end.Err == cutByViolation && c.seen() != "":
		return "the run was " + end.Err + ": " + c.seen()
	case end.Err != "":
		return "the run was " + end.Err
	}
	if e, _ := c.saw(history.SawHealed); e.Err != "" {
		return "the harness did not undo a fault: " + e.Err
	}
	if n := c.counts(); n.OK < okMin {
		return fmt.Sprintf("only %d of %d operations succeeded%s", n.OK, n.All(), c.commonError())
	}
	return c.toothless()
}

// toothless says which planned fault had no effect, or that nothing succeeded while faults were active.
func (c *trialCase) toothless() string {
	if c.planned < len(c.manifest.Faults) { // each has its turn before one has its second
		return fmt.Sprintf("%d faults were asked for, and %d planned: the load is too short for them", len(c.manifest.Faults), c.planned)
	}
	if len(c.windows) != c.planned {
		return fmt.Sprintf("%d faults were planned, and the history has %d", c.planned, len(c.windows))
	}
	for _, w := range c.windows {
		if !w.Bit {
			why := w.Err
			if why == "" {
				why = w.Evidence
			}
			return fmt.Sprintf("%s at %.2fs had no effect: %s", w.Fault, w.From.Seconds(), why)
		}
	}
	if len(c.windows) == 0 {
		return ""
	}
	inside := 0
	for _, op := range c.ops {
		if op.Type == history.OK && c.duringFault(op) {
			inside++
		}
	}
	if inside < okInFaultsMin {
		return fmt.Sprintf("only %d operations succeeded while a fault was active or within %v after it", inside, faultAftermath)
	}
	return ""
}

func (c *trialCase) duringFault(op history.Op) bool {
	for _, w := range c.windows {
		if op.Call-faultAftermath <= w.To && w.From <= op.Return {
			return true
		}
	}
	return false
}

// commonError is the error that most operations ended with, for a reason's end.
func (c *trialCase) commonError() string {
	count := map[string]int{}
	most := ""
	for _, op := range c.ops {
		if op.Err == "" {
			continue
		}
		count[op.Err]++
		if most == "" || count[op.Err] > count[most] {
			most = op.Err
		}
	}
	if most == "" {
		return ""
	}
	return fmt.Sprintf("; most often: %s", most)
}
