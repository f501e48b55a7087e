package bugs

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// timeDefault is the load of a bug whose header does not say.
const timeDefault = 10 * time.Second

// numberMax keeps slips of the pen out; what a cluster can really have is the harness's to say.
const numberMax = 10_000

// header is a line of a diff's header, with how it is read into a Bug.
type header struct {
	name string
	read func(b *Bug, value string) error
}

// headers is the table of all lines that a header may have.
func headers() []header {
	return []header{
		{"id", func(b *Bug, v string) error { return text(&b.ID, v) }},
		{"title", func(b *Bug, v string) error { return text(&b.Title, v) }},
		{"origin", func(b *Bug, v string) error { return text(&b.Origin, v) }},
		{"faults", func(b *Bug, v string) error { return text(&b.Faults, v) }},
		{"workload", func(b *Bug, v string) error { return text(&b.Workload, v) }},
		{"time", func(b *Bug, v string) error { return duration(&b.Time, v) }},
		{"nodes", func(b *Bug, v string) error { return number(&b.Nodes, v) }},
		{"concurrency", func(b *Bug, v string) error { return number(&b.Concurrency, v) }},
		{"check", func(b *Bug, v string) error { return list(&b.Checks, v) }},
		{"tier", func(b *Bug, v string) error { return oneOf(&b.Tier, v, "A", "B", "C") }},
		{"needs", func(b *Bug, v string) error { return oneOf(&b.Needs, v, "disk") }},
		{"story", func(b *Bug, v string) error { return text(&b.Story, v) }},
	}
}

// parse reads a diff file. In a file of somebody's own every header may be left out: the id is then the
// file's name.
func parse(path string, diff []byte) (Bug, error) {
	b := Bug{ID: strings.TrimSuffix(filepath.Base(path), ".diff"), Time: timeDefault, Diff: diff}
	values, err := headerValues(diff)
	if err != nil {
		return b, fmt.Errorf("%s: %w", path, err)
	}
	for _, h := range headers() {
		value, given := values[h.name]
		delete(values, h.name)
		if !given {
			continue
		}
		if err := h.read(&b, value); err != nil {
			return b, fmt.Errorf("%s: header %s: %w", path, h.name, err)
		}
	}
	for name := range values {
		return b, fmt.Errorf("%s: unknown header %q", path, name)
	}
	if err := text(&b.ID, b.ID); err != nil { // a file may be called anything
		return b, fmt.Errorf("header id: %w", err)
	}
	return b, nil
}

// headerValues are the comment lines before the diff, by name: "# name: value", where three blanks after
// the # go on with the value before.
func headerValues(diff []byte) (map[string]string, error) {
	values := map[string]string{}
	last := ""
	for line := range strings.Lines(string(diff)) {
		line, comment := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "#")
		if !comment {
			break
		}
		if strings.HasPrefix(line, "   ") && last != "" {
			values[last] += " " + strings.TrimSpace(line)
			continue
		}
		name, value, colon := strings.Cut(strings.TrimSpace(line), ":")
		if !colon || name == "" {
			return nil, fmt.Errorf("no header: %q", "#"+line)
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("header %s: given twice", name)
		}
		values[name], last = strings.TrimSpace(value), name
	}
	return values, nil
}

// text takes a value that a terminal can show as it is.
func text(into *string, value string) error {
	if value == "" {
		return errors.New("empty")
	}
	if strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("%q has characters that cannot be printed", value)
	}
	*into = value
	return nil
}

func list(into *[]string, value string) error {
	for item := range strings.SplitSeq(value, ",") {
		var one string
		if err := text(&one, strings.TrimSpace(item)); err != nil {
			return fmt.Errorf("%q: %w", value, err)
		}
		*into = append(*into, one)
	}
	return nil
}

func oneOf(into *string, value string, known ...string) error {
	if !slices.Contains(known, value) {
		return fmt.Errorf("%q is not one of %s", value, strings.Join(known, ", "))
	}
	*into = value
	return nil
}

func duration(into *time.Duration, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no length of time such as 10s", value)
	}
	*into = d
	return nil
}

func number(into *int, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > numberMax {
		return fmt.Errorf("%q is no number within 1 and %d", value, numberMax)
	}
	*into = n
	return nil
}
