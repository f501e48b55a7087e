package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteManifest replaces manifest.json.
func (d *Dir) WriteManifest(m Manifest) error { return writeJSON(d.Manifest(), m) }

// ReadManifest reads manifest.json. An error names the file and the field.
func (d *Dir) ReadManifest() (Manifest, error) {
	var m Manifest
	err := readJSON(d.Manifest(), &m, "command", "workload", "seed")
	return m, err
}

// WriteVerdict replaces verdict.json.
func (d *Dir) WriteVerdict(v Verdict) error { return writeJSON(d.Verdict(), v) }

// ReadVerdict reads verdict.json. An error names the file and the field; a verdict without a status
// is an error, never valid.
func (d *Dir) ReadVerdict() (Verdict, error) {
	var v Verdict
	if err := readJSON(d.Verdict(), &v, "status", "ops", "checkers", "findings", "windows"); err != nil {
		return Verdict{}, err
	}
	for i, w := range v.Windows {
		if w.From > w.To {
			return Verdict{}, fmt.Errorf("%s: windows[%d].to lies before its from", d.Verdict(), i)
		}
	}
	return v, nil
}

func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeFile(path, append(data, '\n'))
}

// writeFile replaces a file as a whole: a reader, or a harness killed in the middle, finds the old
// content or the new one. It does not sync: all that it writes can be made again from the history.
func writeFile(path string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, bare(err))
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(0o644), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(bare(err), os.Remove(temp.Name())))
	}
	return nil
}

// readJSON reads one JSON object that has at least the required fields. Fields that it does not know
// are left alone: DESIGN.md §6 lets later versions add some.
func readJSON(path string, into any, required ...string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, bare(err))
	}
	var fields map[string]json.RawMessage
	if err := decode(data, &fields); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range required {
		if _, ok := fields[name]; !ok {
			return fmt.Errorf("%s: %s is missing", path, name)
		}
	}
	if err := decode(data, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func decode(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	err := dec.Decode(into)
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("%s is a JSON %s, not the expected %s", nonEmpty(wrong.Field, "the whole"), wrong.Value, wrong.Type)
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n")), err)
	case errors.Is(err, io.EOF):
		return errors.New("empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("ends in the middle")
	case err != nil:
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the first JSON value")
	}
	return nil
}

func nonEmpty(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
