package checker

import (
	"slices"
	"time"

	"ordeal/history"
)

// Stats describe the client operations of a run. They judge nothing.
type Stats struct {
	All       Outcomes
	ByF       map[string]Outcomes
	Rate      float64 // operations that were ok, per second between the first call and the last end
	Latency   Latency // of operations that were ok
	Outage    Outage  // the longest
	From, To  time.Duration
	Processes int // clients; a client takes a new id after an unknown outcome
}

// Outcomes count operations.
type Outcomes struct{ OK, Fail, Info int }

// Latency are percentiles by nearest rank; all are 0 without operations.
type Latency struct{ P50, P95, P99, Max time.Duration }

// Outage is a time in which no operation ended well, between two that did, or at the beginning or
// the end of the load.
type Outage struct{ From, To time.Duration }

// Length of the outage.
func (o Outage) Length() time.Duration { return o.To - o.From }

func (o *Outcomes) add(t history.Type) {
	switch t {
	case history.OK:
		o.OK++
	case history.Fail:
		o.Fail++
	case history.Info:
		o.Info++
	}
}

// Summarize computes the Stats of ops.
func Summarize(ops []history.Op) Stats {
	s := Stats{ByF: map[string]Outcomes{}}
	if len(ops) == 0 {
		return s
	}
	s.From = history.Never
	processes := map[int]bool{}
	var took, ended []time.Duration
	for _, op := range ops {
		s.All.add(op.Type)
		byF := s.ByF[op.F]
		byF.add(op.Type)
		s.ByF[op.F] = byF
		processes[op.Process] = true
		s.From, s.To = min(s.From, op.Call), max(s.To, op.Call)
		if op.Ended != history.Never {
			s.To = max(s.To, op.Ended)
		}
		if op.Type == history.OK {
			took, ended = append(took, op.Return-op.Call), append(ended, op.Return)
		}
	}
	s.Processes = len(processes)
	if length := s.To - s.From; length > 0 {
		s.Rate = float64(s.All.OK) / length.Seconds()
	}
	s.Latency = percentiles(took)
	s.Outage = longestOutage(ended, s.From, s.To)
	return s
}

func percentiles(took []time.Duration) Latency {
	n := len(took)
	if n == 0 {
		return Latency{}
	}
	slices.Sort(took)
	rank := func(percent int) time.Duration { return took[(n*percent+99)/100-1] }
	return Latency{P50: rank(50), P95: rank(95), P99: rank(99), Max: took[n-1]}
}

func longestOutage(ended []time.Duration, from, to time.Duration) Outage {
	slices.Sort(ended)
	var longest Outage
	last := from
	for _, t := range append(ended, to) {
		if t-last > longest.Length() {
			longest = Outage{From: last, To: t}
		}
		last = max(last, t)
	}
	return longest
}
