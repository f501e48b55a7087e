package ordeal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"ordeal/checker"
	"ordeal/checker/adya"
	"ordeal/results"
	"ordeal/workloads"
)

// judges is a row of the table of what a history alone can be held against.
type judges struct {
	model string
	new   func(checker.Budget) []checker.Checker
}

// models is the table; the first row is the default.
func models() []judges {
	var all []judges
	for _, m := range checker.Models() {
		all = append(all, judges{m.Name, func(b checker.Budget) []checker.Checker {
			linearizable := []checker.Checker{checker.Linearizable(m, b)}
			if m.Name == "register" || m.Name == "kv" { // as their workloads do
				return append(linearizable, checker.Versions())
			}
			return linearizable
		}})
	}
	return append(all,
		judges{"txn", func(b checker.Budget) []checker.Checker { return []checker.Checker{adya.Transactions(b)} }},
		judges{"session", func(checker.Budget) []checker.Checker { return []checker.Checker{checker.Sessions()} }})
}

// Models are the names of the models that JudgeHistory knows; the first is the default.
func Models() []string {
	var names []string
	for _, m := range models() {
		names = append(names, m.model)
	}
	return names
}

// checkersOf are the checkers for a history of which no run is known but what lies beside it.
func checkersOf(file, model string, budget checker.Budget) ([]checker.Checker, error) {
	if model == "" {
		if w, err := workloadBeside(file, budget); w != nil || err != nil {
			return w, err
		}
		model = Models()[0]
	}
	all := models()
	i := slices.IndexFunc(all, func(m judges) bool { return m.model == model })
	if i < 0 {
		return nil, fmt.Errorf("unknown model %q (known: %s)", model, strings.Join(Models(), ", "))
	}
	return all[i].new(budget), nil
}

// workloadBeside are the checkers of the run whose history a file is, nil if it is none's.
func workloadBeside(file string, budget checker.Budget) ([]checker.Checker, error) {
	dir, err := results.Open(filepath.Dir(file))
	if err != nil || filepath.Base(dir.History()) != filepath.Base(file) {
		return nil, nil //nolint:nilerr // it is no run's
	}
	m, err := dir.ReadManifest()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("which workload is it? %w", err)
	}
	w, err := workloads.New(m.Workload, workloads.Options{Keys: 1, Budget: budget})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir.Manifest(), err)
	}
	return w.Checkers, nil
}
