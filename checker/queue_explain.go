package checker

import (
	"fmt"
	"slices"
	"time"

	"ordeal/history"
	"ordeal/internal/words"
)

// The rules that a queue can break.
const (
	ruleFromNowhere = "element from nowhere"
	ruleTakenEarly  = "dequeue before enqueue"
	ruleTakenTwice  = "element taken twice"
	ruleOutOfOrder  = "out of order"
	ruleElementLost = "lost element"
	ruleNotEmpty    = "empty although not"
)

// Explain implements Problem. It tells what the engine finds in p alone; ops tell what became of its elements later.
func (p *queueProblem) Explain(ops []*history.Op) Finding {
	s := &queueStory{fifo: newFIFO(p), teller: tellerOf(ops, p.calls), about: p.calls}
	if len(p.calls) > storyMax {
		return s.finding(ruleOther, noOrderOfMany(len(p.calls)))
	}
	b := s.breach()
	if b == nil {
		return s.finding(ruleOther, noOrder(len(p.calls)),
			everyOrder(s.teller, p.calls)...)
	}
	s.about = s.part(b).calls
	switch b.kind {
	case takenTooOften:
		return s.tooOften(b.element)
	case takenTooEarly:
		return s.early(b.element)
	case overtook:
		return s.overtook(&s.elements[b.first], &s.elements[b.second])
	default:
		return s.neverSo(&p.calls[b.nothing], b.chain)
	}
}

// queueStory is a problem of a queue without a legal order, about to be told.
type queueStory struct {
	*fifo
	teller
	about []queueCall // the witnesses
}

func (s *queueStory) name(call int32) string { return s.nameOf(s.p.calls[call].index) }

// who names the process of a dequeue, where the sentence says what it took out.
func (s *queueStory) who(index int32) string {
	op := s.op(index)
	return process(op) + via(op)
}

func (s *queueStory) value(v value) string { return history.ValueLabel(s.p.values[v]) }

// element names what e is.
func (s *queueStory) element(e *inside) string { return s.value(s.p.calls[e.in].in) }

// takes tells whether an operation took v out.
func (s *queueStory) takes(v value) func(op *history.Op) bool {
	return func(op *history.Op) bool {
		return op.F == "dequeue" && op.Type == history.OK && same(op.Output, s.p.values[v])
	}
}

// tooOften: v came out more often than it went in.
func (s *queueStory) tooOften(v value) Finding {
	calls := s.touching(v)
	ins := slices.DeleteFunc(slices.Clone(calls), func(i int32) bool { return s.p.calls[i].in == none })
	outs := slices.DeleteFunc(calls, func(i int32) bool { return s.p.calls[i].in != none })
	first := s.name(outs[0])
	switch len(ins) {
	case 0:
		return s.nowhere(v, outs[0])
	case 1:
		return s.finding(ruleTakenTwice, fmt.Sprintf("%s and %s both took out %s, which %s %s.",
			first, s.name(outs[1]), s.value(v), s.onceBy("put in", s.extent(puts(s.p.values[v]))), s.name(ins[0])))
	}
	took, often := "was taken out", words.Count(len(outs), "time")
	taken := 0
	for _, op := range s.ops {
		if s.takes(v)(op) {
			taken++
		}
	}
	if taken > len(outs) || s.extent(puts(s.p.values[v])) != throughout {
		took, often = "had been taken out", "at least "+often+" by "+s.end()
	}
	return s.finding(ruleTakenTwice, fmt.Sprintf("%s %s %s, but put in only %d times.", s.value(v), took, often, len(ins)))
}

// nowhere: no call of the story puts v in; ops tell whether one was refused, or began too late.
func (s *queueStory) nowhere(v value, out int32) Finding {
	refused, put := s.makers(s.p.values[v])
	switch {
	case refused == nil && put == nil:
		return s.finding(ruleFromNowhere, fmt.Sprintf("%s took out %s; nobody ever enqueued %s.", s.who(s.p.calls[out].index), s.value(v), s.value(v)))
	case put == nil || refused != nil && refused.Index < put.Index:
		s.about = append(s.about, queueCall{interval: intervalOf(refused)})
		return s.finding(ruleFromNowhere, fmt.Sprintf("%s took out %s, but %s was answered as not applied.", s.who(s.p.calls[out].index), s.value(v), nameOp(refused)))
	default:
		return s.before(v, &s.p.calls[out], intervalOf(put))
	}
}

func (s *queueStory) early(v value) Finding {
	var in, out *queueCall
	for _, i := range s.touching(v) {
		if c := &s.p.calls[i]; c.in != none {
			in = c
		} else {
			out = c
		}
	}
	return s.before(v, out, in.interval)
}

// before: v had come out when it began to go in.
func (s *queueStory) before(v value, out *queueCall, in interval) Finding {
	s.about = append(s.about, queueCall{interval: in})
	return s.finding(ruleTakenEarly, fmt.Sprintf("%s had finished %s before %s began.",
		s.nameOf(out.index), words.Span(in.begin-out.end), s.nameOf(in.index)),
		fmt.Sprintf("%s finished at %s and had taken out %s.", s.nameOf(out.index), s.at(out.end), s.value(v)),
		fmt.Sprintf("%s is the first to put %s in, and it began at %s.", s.nameOf(in.index), s.value(v), s.at(in.begin)))
}

// overtook: first had gone in when second began to, and second had come out when first had not.
func (s *queueStory) overtook(first, second *inside) Finding {
	if first.rank > 1 {
		return s.overtookOne(first, second)
	}
	a, b := s.element(first), s.element(second)
	ahead := fmt.Sprintf("%s had finished %s before %s began", s.name(first.in), words.Span(second.goesIn-first.goneIn), s.name(second.in))
	proof := []string{
		fmt.Sprintf("%s finished at %s, so %s was inside by then.", s.name(first.in), s.at(first.goneIn), a),
		fmt.Sprintf("%s began at %s, so %s went in behind %s.", s.name(second.in), s.at(second.goesIn), b, a),
		fmt.Sprintf("%s finished at %s, so %s was out by then.", s.name(second.out), s.at(second.goneOut), b),
	}
	end := "A queue gives out first what went in first."
	taker, from, known := s.taker(first)
	if !known {
		return s.finding(ruleElementLost, fmt.Sprintf("%s took out %s, but %s was ahead of it and never came out: %s.", s.who(s.p.calls[second.out].index), b, a, ahead),
			append(proof, fmt.Sprintf("No dequeue took out %s, and none that was not answered had begun by then.", a), end)...)
	}
	return s.finding(ruleOutOfOrder, fmt.Sprintf("%s went in before %s and came out after it: %s, but %s had finished %s before %s began.",
		a, b, ahead, s.name(second.out), words.Span(from-second.goneOut), taker),
		append(proof, fmt.Sprintf("%s began at %s, so %s came out after %s.", taker, s.at(from), a, b), end)...)
}

// taker is the dequeue that took e out, which may have begun only after the story's end.
func (s *queueStory) taker(e *inside) (name string, from time.Duration, ok bool) {
	if e.rank == 0 {
		return s.name(e.out), e.goesOut, true
	}
	at := slices.IndexFunc(s.ops, s.takes(s.p.calls[e.in].in))
	if at < 0 {
		return "", 0, false
	}
	op := s.ops[at]
	s.about = append(s.about, queueCall{interval: intervalOf(op)})
	return nameOp(op), op.Call, true
}

// overtookOne: of the elements that vanished, up to first, one at least was still inside when second was out.
func (s *queueStory) overtookOne(first, second *inside) Finding {
	b := s.element(second)
	return s.finding(ruleElementLost, fmt.Sprintf("%s took out %s, but %s had gone in before it and were not seen to come out by then; %s.",
		s.who(s.p.calls[second.out].index), b, s.ahead(first), s.unanswered(second.goneOut)),
		fmt.Sprintf("%s began at %s; by then %s had gone in.", s.name(second.in), s.at(second.goesIn), s.ahead(first)),
		fmt.Sprintf("%s finished at %s; by then %s had begun.", s.name(second.out), s.at(second.goneOut), s.open(second.goneOut)),
		fmt.Sprintf("So one at least of those was still inside, and ahead of %s.", b))
}

// ahead names the elements that vanished, up to last.
func (s *queueStory) ahead(last *inside) string {
	var names []string
	for _, i := range s.vanished[:last.rank] {
		names = append(names, s.element(&s.elements[i]))
	}
	return listed3(names)
}

func (s *queueStory) unanswered(by time.Duration) string {
	return s.open(by) + " had begun, so not all of them can have been taken"
}

// open names how many dequeues had begun by some moment that can have taken elements that vanished. When the first of them was
// answered, the others that were open until then can have taken something, too.
func (s *queueStory) open(by time.Duration) string {
	n, first := 0, history.Never
	for _, i := range s.fifo.open {
		if s.p.calls[i].begin <= by {
			n++
		}
		first = min(first, s.op(s.p.calls[i].index).Return)
	}
	without := "without an answer"
	if first != history.Never {
		without = "not answered before " + s.at(first)
	}
	if n == 0 {
		return "no dequeue " + without
	}
	return "only " + words.Count(n, "dequeue") + " " + without
}

// everAfter is how long no dequeue began that may have taken something, but for those of the story.
func (s *queueStory) everAfter() string {
	if slices.ContainsFunc(s.fifo.open, s.answered) || s.extent(func(op *history.Op) bool { return op.F == "dequeue" && op.Type == history.Info }) != throughout {
		return "by " + s.end()
	}
	return "ever after"
}

// answered tells whether a call that had no answer when the story ended has one.
func (s *queueStory) answered(call int32) bool { return s.op(s.p.calls[call].index).Type == history.OK }

// neverSo: nothing was found at a time when there always was something.
func (s *queueStory) neverSo(nothing *queueCall, chain []int32) Finding {
	name := s.who(nothing.index)
	first := &s.elements[chain[0]]
	if len(chain) > 1 {
		return s.neverSoByTurns(nothing, chain)
	}
	v := s.element(first)
	if first.rank > 1 {
		return s.finding(ruleElementLost, fmt.Sprintf("%s found the queue empty, but %s had gone in and were not seen to come out by then; %s.",
			name, s.ahead(first), s.unanswered(nothing.end)), s.stay(first))
	}
	in := fmt.Sprintf("%s had finished %s before that began", s.name(first.in), words.Span(nothing.begin-first.goneIn))
	taker, from, known := s.taker(first)
	if !known {
		return s.finding(ruleElementLost, fmt.Sprintf("%s found the queue empty, but %s was inside: %s, and nobody took it out.", name, v, in),
			s.stay(first), fmt.Sprintf("%s began at %s, so there was something for it to find.", s.nameOf(nothing.index), s.at(nothing.begin)))
	}
	return s.finding(ruleNotEmpty, fmt.Sprintf("%s found the queue empty, but %s was inside all the while: %s, and %s began %s after that had finished.",
		name, v, in, taker, words.Span(from-nothing.end)),
		s.stay(first),
		fmt.Sprintf("%s was open from %s to %s, so there was something for it to find.", s.nameOf(nothing.index), s.at(nothing.begin), s.at(nothing.end)))
}

func (s *queueStory) neverSoByTurns(nothing *queueCall, chain []int32) Finding {
	var names, proof []string
	for _, i := range chain {
		e := &s.elements[i]
		if e.rank > 1 {
			names = append(names, "one of "+s.ahead(e))
		} else {
			names = append(names, s.element(e))
		}
		proof = append(proof, s.stay(e))
	}
	proof = append(proof, fmt.Sprintf("%s was open from %s to %s; there was no moment without one or another of these.",
		s.nameOf(nothing.index), s.at(nothing.begin), s.at(nothing.end)))
	return s.finding(ruleNotEmpty, fmt.Sprintf("%s found the queue empty, but by turns there always was something inside: %s.",
		s.who(nothing.index), listed3(names)), proof...)
}

// stay says how long e was inside; if it vanished, how long it or another that did was.
func (s *queueStory) stay(e *inside) string {
	if e.rank > 1 {
		until := "until " + s.at(e.goesOut)
		if e.goesOut == history.Never {
			until = s.everAfter()
		}
		return fmt.Sprintf("By %s %s had gone in, and %s %s had begun; so one of them was inside.",
			s.at(e.goneIn), s.ahead(e), until, s.open(e.goesOut-1))
	}
	from := fmt.Sprintf("%s was inside from %s, when %s finished", s.element(e), s.at(e.goneIn), s.name(e.in))
	if e.rank > 0 && e.goesOut != history.Never {
		may := "may have taken it"
		if s.answered(e.out) {
			may = "was still open at " + s.end()
		}
		return fmt.Sprintf("%s, at least until %s, when %s began, which %s.", from, s.at(e.goesOut), s.name(e.out), may)
	}
	taker, until, known := s.taker(e)
	if !known {
		return from + ", on; nobody took it out."
	}
	return fmt.Sprintf("%s, until %s, when %s began.", from, s.at(until), taker)
}

// finding makes a Finding of which s.about are the witnesses.
func (s *queueStory) finding(rule, text string, proof ...string) Finding {
	f := Finding{Key: s.key, Rule: rule, Text: text, Proof: proof}
	for _, c := range s.about {
		f.Ops = append(f.Ops, int(c.index))
	}
	s.sortOps(&f)
	return f
}
