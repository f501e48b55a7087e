package checker

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ordeal/history"
)

// whole is the whole history that a finding is about.
type whole struct {
	ops []history.Op
	f   Finding
}

// count is how many operations that were not refused began by some moment and are such.
func (w whole) count(by time.Duration, is func(op *history.Op) bool) (n int) {
	for i := range w.ops {
		if op := &w.ops[i]; op.Type != history.Fail && op.Call <= by && is(op) {
			n++
		}
	}
	return n
}

// made is how many operations that began by some moment made a value, if they happened; the beginning makes nil.
func (w whole) made(label string, by time.Duration) int {
	return w.count(by, func(op *history.Op) bool {
		return slices.Contains([]string{"append", "insert", "enqueue"}, op.F) && history.ValueLabel(op.Input) == label
	}) + w.written(label, by)
}

// written are those of them that wrote it.
func (w whole) written(label string, by time.Duration) int {
	n := w.count(by, func(op *history.Op) bool {
		_, next, _ := history.CASValue(op.Input)
		return op.F == "write" && history.ValueLabel(op.Input) == label || op.F == "cas" && history.ValueLabel(next) == label || op.F == "delete" && label == "nil"
	})
	if label == "nil" {
		n++
	}
	return n
}

func (w whole) taken(label string, by time.Duration) int {
	return w.count(by, func(op *history.Op) bool {
		return op.F == "dequeue" && op.Type == history.OK && op.Return <= by && history.ValueLabel(op.Output) == label
	})
}

// unanswered are the dequeues that began by one moment and had no answer by another.
func (w whole) unanswered(began, answered time.Duration) int {
	return w.count(began, func(op *history.Op) bool { return op.F == "dequeue" && op.Return > answered })
}

// atAnEnd tells whether something is so when one of the witnesses had ended.
func (w whole) atAnEnd(is func(at time.Duration) bool) bool {
	return slices.ContainsFunc(w.f.Ops, func(i int) bool { return w.ops[i].Return != history.Never && is(w.ops[i].Return) })
}

// named are the operations that are called so.
func (w whole) named(name string) (ops []history.Op) {
	for i := range w.ops {
		if nameOp(&w.ops[i]) == name {
			ops = append(ops, w.ops[i])
		}
	}
	return ops
}

// adds counts those that told by some moment that they stand in a range of a counter.
func (w whole) adds(from, to string, by time.Duration) int {
	low, high := number(from), number(to)
	return w.count(by, func(op *history.Op) bool {
		sum, told := integer(op.Output, sumMax)
		return op.F == "add" && told && op.Return <= by && low <= sum-number(string(op.Input)) && sum <= high
	})
}

func (w whole) takesAway(by time.Duration) int {
	return w.count(by, func(op *history.Op) bool { return op.F == "add" && number(string(op.Input)) < 0 })
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// moment is that of which a sentence says "0.005 s".
func momentOf(text string) time.Duration {
	d, _ := time.ParseDuration(text + "s")
	return d
}

// claim is what sentences of a form say, and whether that is true of a history, by the form's groups.
type claim struct {
	form string
	true func(w whole, p []string) bool
}

// saying is a claim whose form is ready to be looked for.
type saying struct {
	claim
	*regexp.Regexp
}

const ever = history.Never - 1

// sayings are the claims that findings make of all operations.
func sayings() (all []saying) {
	for _, c := range slices.Concat(valueClaims(), writtenClaims(), queueClaims(), counterClaims(), orderClaims()) {
		all = append(all, saying{c, regexp.MustCompile(c.form)})
	}
	return all
}

func valueClaims() []claim {
	one := func(w whole, p []string) bool { return w.made(p[1], ever) == 1 }
	oneBy := func(w whole, p []string) bool { return w.made(p[1], momentOf(p[2])) == 1 && w.made(p[1], ever) > 1 }
	return []claim{
		{`nobody ever [a-z]+ (\w+)\.`, never},
		{`shows (\S+); nobody ever wrote or appended that`, never},
		{`(?m)^(\S+) was made once, by`, one},
		{`(\S+) twice, though it was (?:appended|made) once, by`, one},
		{`(\S+), which was put in once, by`, one},
		{`(?m)^(\S+) had been made once by ([\d.]+) s, by`, oneBy},
		{`(\S+) twice, though it had been (?:appended|made) once by ([\d.]+) s, by`, oneBy},
		{`(\S+), which had been put in once by ([\d.]+) s, by`, oneBy},
		{`is the first to put (\S+) in, and it began at ([\d.]+) s`, first},
		{`(?m), but (\w+ .*) (?:had been|was) answered as not applied`, func(w whole, p []string) bool {
			return slices.ContainsFunc(w.named(p[1]), func(op history.Op) bool { return op.Type == history.Fail })
		}},
	}
}

func never(w whole, p []string) bool { return w.made(p[1], ever) == 0 }

func first(w whole, p []string) bool { return w.made(p[1], momentOf(p[2])-1) == 0 }

func writtenClaims() []claim {
	one := func(w whole, p []string) bool { return w.written(p[1], ever) == 1 }
	oneBy := func(w whole, p []string) bool {
		return w.written(p[1], momentOf(p[2])) == 1 && w.written(p[1], ever) > 1
	}
	return []claim{
		{`(?m)^(\S+) was written once, by`, one},
		{`(?m)^(\S+) had been written once by ([\d.]+) s, by`, oneBy},
		{`(?m)^(\S+) was written by`, func(w whole, p []string) bool { return w.written(p[1], ever) > 1 }},
		{`(\S+) is the initial value, and nobody wrote it`, one},
		{`(\S+) is the initial value, and nobody had written it by ([\d.]+) s`, oneBy},
		{`taken the place of (\S+), which nobody wrote again`, one},
		{`taken the place of (\S+), which nobody had written again by ([\d.]+) s`, oneBy},
		{`from then on it was not (\S+) again`, one},
		{`from then until ([\d.]+) s it was not (\S+) again`, func(w whole, p []string) bool { return oneBy(w, []string{"", p[2], p[1]}) }},
		{`(?s)^(\S+) and (\S+) were each .*Each was written once`, func(w whole, p []string) bool { return one(w, p) && one(w, p[1:]) }},
		{`(?s)^(\S+) and (\S+) were each .*By ([\d.]+) s each had been`, func(w whole, p []string) bool {
			return w.written(p[1], momentOf(p[3])) == 1 && w.written(p[2], momentOf(p[3])) == 1
		}},
		{`None of the three was written twice, so (\S+) came`, one},
		{`By ([\d.]+) s none of the three had been written twice, so (\S+) came`, func(w whole, p []string) bool { return w.written(p[2], momentOf(p[1])) == 1 }},
		{`is the first to write (\S+), and it began at ([\d.]+) s`, first},
		{`^(.+) began .* had finished; nobody had written (\S+)\.`, func(w whole, p []string) bool {
			return slices.ContainsFunc(w.named(p[1]), func(op history.Op) bool { return w.written(p[2], op.Call) == 1 })
		}},
	}
}

func queueClaims() []claim {
	untaken := func(w whole, p []string) bool { return w.taken(p[1], ever) == 0 }
	return []claim{
		{`^(\S+) was taken out (\d+) times, but put in only (\d+) times`, func(w whole, p []string) bool {
			return fmt.Sprint(w.taken(p[1], ever), w.made(p[1], ever)) == p[2]+" "+p[3]
		}},
		{`^(\S+) had been taken out at least (\d+) times by ([\d.]+) s, but put in only (\d+) times`, func(w whole, p []string) bool {
			by := momentOf(p[3])
			return int64(w.taken(p[1], by)) >= number(p[2]) && int64(w.made(p[1], by)) == number(p[4])
		}},
		{`but (\S+) was ahead of it and never came out`, untaken},
		{`(\S+) was inside: .*, and nobody took it out`, untaken},
		{`(?m)^(\S+) was inside from .*, on; nobody took it out`, untaken},
		{`(?s)finished at ([\d.]+) s, so \S+ was out by then\.\nNo dequeue took out (\S+), and none that was not answered had begun`, func(w whole, p []string) bool {
			return untaken(w, p[1:]) && w.unanswered(momentOf(p[1]), ever) == 0
		}},
		{`((?:until|by) [\d.]+ s|ever after|by then|;) (?:only (\d+) dequeues?|no dequeue) (?:without an answer|not answered before ([\d.]+) s) had begun`, fewTook},
		{`when (dequeue.*) began, which may have taken it`, func(w whole, p []string) bool { return w.named(p[1])[0].Type == history.Info }},
		{`when (dequeue.*) began, which was still open at ([\d.]+) s`, stillOpen},
	}
}

// fewTook: so many dequeues without an answer had begun by some moment, or when one of the witnesses had ended.
func fewTook(w whole, p []string) bool {
	answered := ever
	if p[3] != "" {
		answered = momentOf(p[3]) - 1
	}
	had := func(by time.Duration) bool { return int64(w.unanswered(by, answered)) == number(p[2]) }
	switch words := strings.Fields(p[1]); words[0] {
	case "until":
		return had(momentOf(words[1]) - 1)
	case "by":
		return words[1] == "then" && w.atAnEnd(had) || had(momentOf(words[1]))
	case "ever":
		return had(ever)
	default:
		return w.atAnEnd(had)
	}
}

func stillOpen(w whole, p []string) bool {
	return slices.ContainsFunc(w.named(p[1]), func(op history.Op) bool { return op.Return > momentOf(p[2]) && op.Type == history.OK })
}

func counterClaims() []claim {
	grows := func(w whole, _ []string) bool { return w.takesAway(ever) == 0 }
	growsBy := func(w whole, p []string) bool { return w.takesAway(momentOf(p[1])) == 0 && w.takesAway(ever) > 0 }
	// what is told of the adds that can have filled a gap is so of those that were answered
	open := func(w whole, p []string) bool {
		for name := range strings.SplitSeq(p[2], ", ") {
			name, _, _ = strings.Cut(name, " and ")
			if strings.Contains(name, "→") && !stillOpen(w, []string{"", name, p[1]}) {
				return false
			}
		}
		return strings.Contains(p[2], "→") || strings.Contains(p[2], "more")
	}
	return []claim{
		{`and only grows`, grows},
		{`The counter only grows`, grows},
		{`which the counter never was`, grows},
		{`which the counter had never been by ([\d.]+) s`, growsBy},
		{`only grew until ([\d.]+) s`, growsBy},
		{`Until ([\d.]+) s the counter only grew`, growsBy},
		{`(?s)the counter went from (\d+) to (\d+), .*Every add that was answered with its sum tells`, func(w whole, p []string) bool { return w.adds(p[1], p[2], ever) == 0 }},
		{`(?s)the counter went from (\d+) to (\d+), .*Every add that had been answered with its sum by ([\d.]+) s`, func(w whole, p []string) bool {
			return w.adds(p[1], p[2], momentOf(p[3])) == 0 && w.adds(p[1], p[2], ever) > 0
		}},
		{`the adds of unknown outcome (?:do|cannot) [^:]*: (.*)\.`, func(_ whole, p []string) bool { return !strings.Contains(p[1], "→") }},
		{`the adds (?:of unknown outcome or )?still open at ([\d.]+) s [^:]*: (.*)\.`, open},
	}
}

func orderClaims() []claim {
	return []claim{
		{`(?m)^(.+) began at [\d.]+ s and has an unknown outcome`, func(w whole, p []string) bool {
			return slices.ContainsFunc(w.named(p[1]), func(op history.Op) bool { return op.Type == history.Info })
		}},
		{`(?m)^(.+) began at [\d.]+ s and was still open at ([\d.]+) s`, stillOpen},
		{`(?m)^(.+) had no answer, but`, func(w whole, p []string) bool {
			return slices.ContainsFunc(w.named(p[1]), func(op history.Op) bool { return op.Type == history.Info })
		}},
	}
}
