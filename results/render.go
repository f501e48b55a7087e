package results

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

// output is one file that a renderer makes of a run.
type output struct {
	Path string
	Data []byte
}

// renderers is the table of output formats. A new one is a file of its own and a row here.
func renderers() []func(*Run) ([]output, error) {
	return []func(*Run) ([]output, error){
		renderViolations,
		renderJUnit,
		renderSummary,
		renderPage, // last, since it lists the other files
	}
}

// Render writes every output format for the run in d, from what is on disk. Pages of findings that
// are no longer there are removed.
func Render(d *Dir) error {
	r, err := Load(d)
	if err != nil {
		return err
	}
	return r.Render()
}

// Render is like the function, for a run that is already loaded.
func (r *Run) Render() error {
	written := map[string]bool{}
	for _, render := range renderers() {
		files, err := render(r)
		if err != nil {
			return fmt.Errorf("render %s: %w", r.Dir.Path(), err)
		}
		for _, f := range files {
			if err := writeFile(f.Path, f.Data); err != nil {
				return err
			}
			written[filepath.Base(f.Path)] = true
		}
	}
	return removeViolations(r.Dir, written)
}

// removeViolations removes the pages of findings that are no longer there.
func removeViolations(d *Dir, written map[string]bool) error {
	entries, err := os.ReadDir(d.Path())
	if err != nil {
		return fmt.Errorf("find old pages: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "violation-") || written[e.Name()] {
			continue
		}
		if err := os.Remove(d.file(e.Name())); err != nil {
			return fmt.Errorf("remove an old page: %w", err)
		}
	}
	return nil
}

func renderPage(r *Run) ([]output, error) {
	html, err := execute("run.html", r.page())
	return []output{{r.Dir.Index(), html}}, err
}

// renderViolations makes a page and its text twin for each finding. The logs get what the rest of a
// page leaves free of its limit.
func renderViolations(r *Run) ([]output, error) {
	findings := r.Verdict.Findings[:min(len(r.Verdict.Findings), violationPages)]
	queries := make([]logQuery, len(findings))
	for i, f := range findings {
		queries[i] = r.logQueryOf(f)
	}
	logs, err := r.Dir.readLogs(queries)
	if err != nil {
		r.note("some logs cannot be read: %v", err)
	}
	var files []output
	for i := range findings {
		v := r.violationOf(i + 1)
		bare, err := execute("violation.html", v)
		if err != nil {
			return nil, err
		}
		v.addLogs(queries[i], logs[i], violationLimit-len(bare)-512)
		html, err := execute("violation.html", v)
		if err != nil {
			return nil, err
		}
		files = append(files, output{r.Dir.Violation(i + 1), html}, output{r.Dir.ViolationText(i + 1), []byte(r.fullText(v))})
	}
	return files, nil
}

// execute fills one of the embedded pages.
func execute(name string, data any) ([]byte, error) {
	t, err := template.ParseFS(templateFiles, "templates/*")
	if err != nil {
		return nil, errors.Join(errors.New("the embedded templates are broken"), err)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("fill %s: %w", name, err)
	}
	return b.Bytes(), nil
}
