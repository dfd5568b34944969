package workflows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/sdk/workflow"
)

// Gate is what tests need to know of a gate.
type Gate struct {
	Name           string
	Oldest, Newest workflow.Version
}

// Gates lists the declared gates.
func Gates() (out []Gate) {
	for _, g := range gates {
		out = append(out, Gate{g.name, g.oldest, g.newest})
	}
	return out
}

// sources are the files of the package, without its tests.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// OPS-3: a gate says what it is for, under a name of its own.
func TestGatesAreDeclared(t *testing.T) {
	var names []string
	for _, g := range gates {
		if g.name == "" || g.changed == "" || g.until == "" {
			t.Errorf("gate %q does not say what has changed, or when its old side can go", g.name)
		}
		if g.oldest != workflow.DefaultVersion && g.oldest < 1 || g.newest < 1 || g.oldest > g.newest {
			t.Errorf("gate %q leads from %d to %d", g.name, g.oldest, g.newest)
		}
		if slices.Contains(names, g.name) {
			t.Errorf("two gates are called %q", g.name)
		}
		names = append(names, g.name)
	}
}

// OPS-3: every gate is used, and nobody asks for a version past the gates.
func TestGatesAreUsed(t *testing.T) {
	files := sources(t)
	declared, used := map[string]bool{}, map[string]bool{}
	for name, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, value := range n.Values {
					if call, ok := value.(*ast.CallExpr); ok && called(call) == "declareGate" {
						declared[n.Names[i].Name] = true
					}
				}
			case *ast.SelectorExpr:
				if n.Sel.Name == "GetVersion" && name != "versions.go" {
					t.Errorf("%s asks for a version itself: declare a gate in versions.go", name)
				}
				if x, ok := n.X.(*ast.Ident); ok {
					used[x.Name] = true
				}
			}
			return true
		})
	}
	for name := range declared {
		if !used[name] {
			t.Errorf("gate %s is not used", name)
		}
	}
	if len(declared) != len(gates) {
		t.Errorf("%d gates are declared by name, and %d in all", len(declared), len(gates))
	}
}

func called(call *ast.CallExpr) string {
	if f, ok := call.Fun.(*ast.Ident); ok {
		return f.Name
	}
	return ""
}
