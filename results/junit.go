package results

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ordeal/checker"
)

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",cdata"`
}

// renderJUnit makes a test case of each checker: a failure if it found something, an error if it
// could not decide. All text in it is clean, which is what makes CDATA safe. A run that is worse than all of its checkers gets a case of its own.
func renderJUnit(r *Run) ([]output, error) {
	h := r.header()
	suite := junitSuite{Name: "ordeal." + h.Workload, Time: seconds(r.figures.End.Seconds())}
	if !r.Manifest.Started.IsZero() {
		suite.Timestamp = r.Manifest.Started.UTC().Format("2006-01-02T15:04:05")
	}
	for _, f := range append([]fact{{"seed", h.Seed}, {"command", h.Command}, {"report", clean(r.Dir.Index(), commandLimit)}}, r.setup()...) {
		suite.Properties = append(suite.Properties, junitProperty{f.Name, f.Text})
	}
	rows := r.Verdict.Checkers
	if worst(rows) < r.Verdict.Status {
		rows = append(slices.Clip(rows), CheckerRow{Name: "run", Status: r.Verdict.Status, Reason: r.Verdict.Reason})
	}
	for _, c := range rows {
		suite.add(r.junitCase(c))
	}
	data, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("junit.xml: %w", err)
	}
	return []output{{r.Dir.JUnit(), []byte(xml.Header + string(data) + "\n")}}, nil
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	if c.Failure != nil {
		s.Failures++
	}
	if c.Error != nil {
		s.Errors++
	}
}

func (r *Run) junitCase(row CheckerRow) junitCase {
	name := clean(row.Name, valueLimit)
	c := junitCase{Class: "ordeal." + r.header().Workload, Name: name, Time: seconds(row.ElapsedMS / 1000)}
	reason := clean(nonEmpty(row.Reason, row.Status.String()), sentenceLimit)
	switch row.Status {
	case checker.Valid:
	case checker.Unknown:
		c.Error = &junitProblem{Message: reason, Type: "unknown", Text: "\n" + r.summaryText(false)}
	default:
		c.Failure = r.junitFailure(row.Name, reason)
	}
	return c
}

// junitFailure carries the blocks of what one checker found.
func (r *Run) junitFailure(checkerName, reason string) *junitProblem {
	p := &junitProblem{Message: reason, Type: "invalid"}
	var b strings.Builder
	shown, left := 0, 0
	for n, f := range r.Verdict.Findings {
		switch {
		case f.Checker != checkerName && checkerName != "run":
		case shown == 2*fullBlocks:
			left++
		default:
			if shown++; shown == 1 {
				p.Message, p.Type = clean(findingTitle(f)+": "+f.Text, sentenceLimit), clean(f.Rule, valueLimit)
			}
			b.WriteString("\n" + r.FindingText(n+1, false))
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n… and %s\n", plural(left, "more finding"))
	}
	if shown == 0 {
		b.WriteString("\n" + r.summaryText(false))
	}
	p.Text = b.String()
	return p
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }
