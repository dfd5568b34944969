package deploy_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is one instruction of a Dockerfile, continued lines joined.
type instruction struct{ name, rest string }

// stages are the Dockerfile's build stages.
func stages(t *testing.T) [][]instruction {
	t.Helper()
	var out [][]instruction
	joined := strings.ReplaceAll(read(t, "deploy/Dockerfile"), "\\\n", " ")
	for line := range strings.Lines(joined) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if name == "FROM" {
			out = append(out, nil)
		}
		if len(out) == 0 {
			t.Fatalf("%s stands before FROM", name)
		}
		out[len(out)-1] = append(out[len(out)-1], instruction{name, strings.Join(strings.Fields(rest), " ")})
	}
	return out
}

func find(t *testing.T, stage []instruction, name string) string {
	t.Helper()
	i := slices.IndexFunc(stage, func(i instruction) bool { return i.name == name })
	if i < 0 {
		t.Fatalf("there is no %s", name)
	}
	return stage[i].rest
}

// The image is small and has nothing to break in with: no shell, no package manager, no root.
func TestDockerfile(t *testing.T) {
	all := stages(t)
	if len(all) != 2 {
		t.Fatalf("%d stages", len(all))
	}
	build, final := all[0], all[1]
	toolchain := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, "deploy/dev/go.mod"))[1]
	if from := find(t, build, "FROM"); !strings.HasPrefix(from, "golang:"+toolchain+"-") {
		t.Errorf("built with %s, not Go %s", from, toolchain)
	}
	var compile string
	for _, i := range build {
		if i.name == "RUN" && strings.Contains(i.rest, "go build") {
			compile = i.rest
		}
	}
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "-X main.linked=${BUILD_ID}", "-o /out/tokendesk ./cmd/tokendesk"} {
		if !strings.Contains(compile, want) {
			t.Errorf("the build lacks %s", want)
		}
	}
	if from := find(t, final, "FROM"); !regexp.MustCompile(`^gcr\.io/distroless/static-debian\d+:nonroot$`).MatchString(from) {
		t.Errorf("the image is made from %s", from)
	}
	if user := find(t, final, "USER"); !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("it runs as %s; only a number proves that it is not root", user)
	}
	for _, i := range final {
		if i.name == "RUN" {
			t.Error("there is no shell to RUN in")
		}
	}
	_, check, _ := strings.Cut(find(t, final, "HEALTHCHECK"), "CMD ")
	for what, text := range map[string]string{"health check": check, "entry point": find(t, final, "ENTRYPOINT"), "command": find(t, final, "CMD")} {
		var words []string
		if err := json.Unmarshal([]byte(text), &words); err != nil {
			t.Errorf("the %s needs a shell: %s", what, text)
		}
	}
	if !strings.Contains(check, `"healthcheck"`) {
		t.Errorf("the health check runs %s", check)
	}
	known := variables(t)
	for setting := range strings.FieldsSeq(find(t, final, "ENV")) {
		name, _, _ := strings.Cut(setting, "=")
		if _, ok := known[name]; !ok {
			t.Errorf("the binary does not read %s", name)
		}
	}
}
