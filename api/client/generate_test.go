package client

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The client is the one that the specification makes. The generator is fetched through the module proxy; where there is none,
// nothing can be compared.
func TestGeneratedIsFresh(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the generator")
	}
	out := filepath.Join(t.TempDir(), "client.gen.go")
	command := exec.CommandContext(t.Context(), "go", "run", "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2", "-config", "config.yaml", "-o", out, "../openapi.yaml")
	if said, err := command.CombinedOutput(); err != nil {
		t.Skipf("the generator does not run here: %v %s", err, said)
	}
	fresh, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("client.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(fresh, kept) {
		t.Error("client.gen.go is stale: go generate ./api/client")
	}
}
