// Package tidy is a test that holds the tree to its own rules: which room may import which, how long
// files and functions may be, that exported names are explained, that tables are complete.
package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	fileLinesMax     = 400
	functionLinesMax = 70
)

// arrows is the house: what each room may import of the others. "*" is everything but commands.
var arrows = map[string][]string{
	"history":           {},
	"checker":           {"history", "internal/words"},
	"checker/adya":      {"checker", "history", "internal/words"},
	"workloads":         {"checker", "checker/adya", "history"},
	"nemesis":           {"history"},
	"kv":                {},
	"kv/bugs":           {},
	"cluster":           {"internal/netfault", "internal/sandbox"},
	"systems":           {"cluster", "workloads", "history", "internal/kvnode"},
	"results":           {"checker", "history"},
	"internal/sandbox":  {"internal/netfault"},
	"internal/netfault": {},
	"internal/term":     {},
	"internal/tidy":     {},
	"internal/kvnode":   {"kv"},
	"internal/words":    {},
	"cmd/kvnode":        {"internal/kvnode"},
	"cmd/ordeal":        {"*"},
	"":                  {"*"},
}

// file is one Go file of the tree.
type file struct {
	path string // from the root
	dir  string // of path; "" is the root
	test bool
	set  *token.FileSet
	ast  *ast.File
}

func tree(t *testing.T) []file {
	root := filepath.Join("..", "..")
	var files []file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "_runs" || d.Name() == ".git") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f := file{path: rel, dir: strings.TrimPrefix(filepath.Dir(rel), "."), test: strings.HasSuffix(path, "_test.go"), set: token.NewFileSet()}
		f.ast, err = parser.ParseFile(f.set, path, nil, parser.ParseComments)
		files = append(files, f)
		return err
	})
	require.NoError(t, err)
	require.Greater(t, len(files), 50, "the tree was not found")
	return files
}

func TestArrowsPointOneWay(t *testing.T) {
	for _, f := range tree(t) {
		if f.test {
			continue
		}
		allowed, known := arrows[f.dir]
		require.True(t, known, "%s: %s is no room of the house", f.path, f.dir)
		for _, spec := range f.ast.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			room, ours := strings.CutPrefix(path+"/", "ordeal/")
			if room = strings.TrimSuffix(room, "/"); !ours || slices.Contains(allowed, room) {
				continue
			}
			everything := slices.Contains(allowed, "*") && !strings.HasPrefix(room, "cmd/")
			require.True(t, everything, "%s must not import %s", f.path, path)
		}
	}
}

func TestFilesAndFunctionsAreShort(t *testing.T) {
	for _, f := range tree(t) {
		lines := f.set.Position(f.ast.FileEnd).Line
		require.LessOrEqual(t, lines, fileLinesMax, "%s is too long", f.path)
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1
			require.LessOrEqual(t, n, functionLinesMax, "%s: %s is too long", f.path, fn.Name.Name)
		}
	}
}

func TestExportedNamesAreExplained(t *testing.T) {
	for _, f := range tree(t) {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			for _, name := range unexplained(d) {
				t.Errorf("%s: %s has no comment", f.path, name)
			}
		}
	}
}

// unexplained lists the exported names of a declaration that no comment speaks of.
func unexplained(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && !implements(d) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, s.Names[0].Name)
				}
			}
		}
	}
	return names
}

// implements tells whether a method needs no words: its receiver is private, or it is one of the
// standard library's.
func implements(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return false
	}
	receiver := d.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if generic, ok := receiver.(*ast.IndexExpr); ok {
		receiver = generic.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && !name.IsExported() || slices.Contains([]string{"String", "Error"}, d.Name.Name)
}

// TestTablesAreComplete: a function that makes a row must be called in its table's function, or be
// named there.
func TestTablesAreComplete(t *testing.T) {
	tables := map[string]struct{ table, result string }{
		"nemesis":   {"Kinds", "Kind"},
		"workloads": {"Kinds", "Workload"},
		"systems":   {"Kinds", "System"},
	}
	for dir, want := range tables {
		makers, named := map[string]string{}, map[string]bool{}
		for _, f := range tree(t) {
			if f.dir != dir || f.test {
				continue
			}
			for _, d := range f.ast.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Recv != nil {
					continue
				}
				if fn.Name.Name == want.table {
					ast.Inspect(fn.Body, func(n ast.Node) bool {
						if id, ok := n.(*ast.Ident); ok {
							named[id.Name] = true
						}
						return true
					})
				} else if r := fn.Type.Results; r != nil && len(r.List) == 1 {
					if id, ok := r.List[0].Type.(*ast.Ident); ok && id.Name == want.result {
						makers[fn.Name.Name] = f.path
					}
				}
			}
		}
		require.NotEmpty(t, makers, dir)
		for name, path := range makers {
			require.True(t, named[name], "%s: %s is missing from the table in %s", path, name, dir)
		}
	}
}

func TestTopLevelNames(t *testing.T) {
	allowed := strings.Fields(`history checker workloads nemesis kv systems cluster results cmd internal
		go.mod go.sum README.md ARCHITECTURE.md CHANGELOG.md BENCHMARKS.md LICENSE .golangci.yaml .ci .git .gitignore`)
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	require.NoError(t, err)
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".go" {
			require.Contains(t, allowed, e.Name())
		}
	}
	for name := range strings.FieldsSeq("kv nemesis checker workloads cmd results go.mod go.sum LICENSE README.md ARCHITECTURE.md CHANGELOG.md") {
		_, err := os.Stat(filepath.Join("..", "..", name))
		require.NoError(t, err)
	}
}
