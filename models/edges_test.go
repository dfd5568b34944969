package models_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tokendesk/models"
)

// machines are the transition tables that the package's files declare, by their names in the tables.
func machines(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if literal, ok := n.(*ast.CompositeLit); ok && isMachine(literal.Type) {
				names = append(names, nameOf(literal))
			}
			return true
		})
	}
	return names
}

func isMachine(e ast.Expr) bool {
	generic, ok := e.(*ast.IndexListExpr)
	if !ok {
		return false
	}
	name, ok := generic.X.(*ast.Ident)
	return ok && name.Name == "Machine"
}

func nameOf(machine *ast.CompositeLit) string {
	for _, e := range machine.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "Name" {
			return strings.Trim(pair.Value.(*ast.BasicLit).Value, `"`)
		}
	}
	return ""
}

// OPS-3: no table is left out of what needs a recorded run, nor an edge of one.
func TestEdgesAreOfEveryMachine(t *testing.T) {
	var listed, edges []string
	for _, e := range models.Edges() {
		if !slices.Contains(listed, e.Machine) {
			listed = append(listed, e.Machine)
		}
		if slices.Contains(edges, e.String()) {
			t.Errorf("%q stands twice", e)
		}
		edges = append(edges, e.String())
	}
	declared := machines(t)
	slices.Sort(declared)
	slices.Sort(listed)
	if !slices.Equal(declared, listed) {
		t.Errorf("edges are of %v, and the package declares %v", listed, declared)
	}
	if !slices.Contains(edges, "order placed lapse") {
		t.Error("an edge that is known is missing")
	}
}
