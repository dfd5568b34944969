// Package deploy_test checks what no container engine is at hand to run: that the compose file, the Dockerfile and the
// binary mean the same commands, settings and versions.
package deploy_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = ".."

// ours are the services that run the product's image, with what each is told to do.
var ours = map[string]string{"migrate": "migrate", "api": "api", "worker": "worker", "mailbox": "mailbox", "demo-data": "load-demo -secrets /var/lib/tokendesk/demo.json"}

// load reads the compose file as docker compose does, with the settings given as NAME=value over those of sandbox.env;
// a name alone takes the setting away.
func load(t *testing.T, settings ...string) (*types.Project, error) {
	t.Helper()
	env := map[string]string{}
	for line := range strings.Lines(read(t, "deploy/compose/sandbox.env")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			env[name] = value
		}
	}
	for _, s := range settings {
		name, value, given := strings.Cut(s, "=")
		if env[name] = value; !given {
			delete(env, name)
		}
	}
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithEnv(list), cli.WithDefaultProfiles(), cli.WithDiscardEnvFile)
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(context.Background())
}

func project(t *testing.T) *types.Project { return projectOf(t) }

func projectOf(t *testing.T, settings ...string) *types.Project {
	t.Helper()
	p, err := load(t, settings...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestComposeServices(t *testing.T) {
	p := project(t)
	want := []string{"api", "demo-data", "mailbox", "migrate", "postgres", "temporal", "temporal-schema", "temporal-ui", "worker"}
	if got := slices.Sorted(maps.Keys(p.Services)); !slices.Equal(got, want) {
		t.Fatalf("services %v", got)
	}
	for name, command := range ours {
		s := p.Services[name]
		if strings.Join(s.Command, " ") != command || s.Entrypoint != nil {
			t.Errorf("%s runs %v", name, s.Command)
		}
		if s.Build == nil || s.Build.Dockerfile != "deploy/Dockerfile" {
			t.Errorf("%s is not built from the Dockerfile", name)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged || s.User != "" {
			t.Errorf("%s has more rights than it needs", name)
		}
	}
}

// Nothing starts before what it needs, and nothing waits in a circle.
func TestComposeOrder(t *testing.T) {
	p := project(t)
	const healthy, done = types.ServiceConditionHealthy, types.ServiceConditionCompletedSuccessfully
	want := map[string]map[string]string{
		"temporal-schema": {"postgres": healthy},
		"temporal":        {"temporal-schema": done},
		"temporal-ui":     {"temporal": healthy},
		"migrate":         {"postgres": healthy, "temporal": healthy},
		"api":             {"postgres": healthy, "migrate": done, "demo-data": done},
		"worker":          {"postgres": healthy, "migrate": done},
		"mailbox":         {"postgres": healthy, "migrate": done},
		"demo-data":       {"postgres": healthy, "migrate": done},
	}
	for name, s := range p.Services {
		got := map[string]string{}
		for needed, how := range s.DependsOn {
			got[needed] = how.Condition
			if h := p.Services[needed].HealthCheck; how.Condition == healthy && (h == nil || h.Disable) {
				t.Errorf("%s waits for the health of %s, which has no check", name, needed)
			}
			if how.Condition == done && strings.HasPrefix(p.Services[needed].Restart, "unless") {
				t.Errorf("%s waits for the end of %s, which is restarted for ever", name, needed)
			}
		}
		if len(got)+len(want[name]) > 0 && !reflect.DeepEqual(got, want[name]) {
			t.Errorf("%s waits for %v, want %v", name, got, want[name])
		}
	}
	if api := p.Services["api"].HealthCheck; api != nil && (api.Disable || len(api.Test) > 0) {
		t.Error("the API does not use the image's own health check")
	}
	if h := p.Services["worker"].HealthCheck; h == nil || h.Disable || !slices.Equal(h.Test, []string{"CMD", "/usr/local/bin/tokendesk", "healthcheck", "-worker"}) {
		t.Error("nothing asks the worker whether its build is in use")
	}
	for _, name := range []string{"mailbox", "migrate", "demo-data"} {
		if h := p.Services[name].HealthCheck; h == nil || !h.Disable {
			t.Errorf("%s serves no API, but the image's health check asks it", name)
		}
	}
}

// The database and the engine are reached from inside only, and what is published listens on this machine alone.
func TestComposeNetworks(t *testing.T) {
	p := project(t)
	if !p.Networks["inside"].Internal {
		t.Error("the inner network is open")
	}
	published := map[string]bool{}
	for name, s := range p.Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q", name, port.Published, port.HostIP)
			}
			if published[port.Published] {
				t.Errorf("port %s is published twice", port.Published)
			}
			published[port.Published] = true
		}
		_, outside := s.Networks["outside"]
		if shut := name == "postgres" || strings.HasPrefix(name, "temporal") && name != "temporal-ui"; shut && (outside || len(s.Ports) > 0) {
			t.Errorf("%s can be reached from outside", name)
		}
	}
	for _, port := range []string{"8080", "8233"} {
		if !published[port] {
			t.Errorf("nothing is published on %s", port)
		}
	}
}

// variables are the names that the binary reads from its environment, and whether it insists on them.
func variables(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "cmd/tokendesk/config.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if field, ok := n.(*ast.Field); ok && field.Tag != nil {
			tag, _ := strconv.Unquote(field.Tag.Value)
			name, options, _ := strings.Cut(reflect.StructTag(tag).Get("env"), ",")
			if name != "" {
				out[name] = strings.Contains(options, "required") || strings.Contains(options, "notEmpty")
			}
		}
		return true
	})
	if len(out) < 10 {
		t.Fatalf("found only %d settings in cmd/tokendesk/config.go", len(out))
	}
	return out
}

func TestComposeEnvironment(t *testing.T) {
	known, p := variables(t), project(t)
	var everything []string
	for variable := range known {
		everything = append(everything, variable+"=true")
	}
	all := map[string]types.MappingWithEquals{}
	for name, s := range projectOf(t, everything...).Services {
		all[name] = s.Environment
	}
	for name := range ours {
		env := p.Services[name].Environment
		for variable := range env {
			if _, ok := known[variable]; !ok {
				t.Errorf("%s: the binary does not read %s", name, variable)
			}
		}
		for variable, required := range known {
			if _, passed := all[name][variable]; !passed && variable != "TOKENDESK_MAILBOX_ADDR" {
				t.Errorf("%s: %s cannot be set", name, variable)
			}
			if value := env[variable]; required && (value == nil || *value == "") {
				t.Errorf("%s: the binary needs %s", name, variable)
			}
		}
		if got := *env["DATABASE_URL"]; got != "postgres://tokendesk:sandbox-tokendesk@postgres:5432/tokendesk?sslmode=disable" {
			t.Errorf("%s: DATABASE_URL is %s", name, got)
		}
	}
	main := read(t, "cmd/tokendesk/main.go")
	for _, command := range append(slices.Sorted(maps.Values(ours)), "healthcheck", "all") {
		command, _, _ = strings.Cut(command, " ")
		if !strings.Contains(main, `{"`+command+`", "`) {
			t.Errorf("the binary has no command %s", command)
		}
	}
	box := p.Services["mailbox"].Environment
	if got := *box["TOKENDESK_MAILBOX_ADDR"]; got != "0.0.0.0:1025" || *box["TOKENDESK_SMTP_HOST"] != "mailbox" || *box["TOKENDESK_SMTP_PORT"] != "1025" {
		t.Errorf("mail goes elsewhere than to the mailbox, which listens on %s", got)
	}
}

// Without the sandbox's settings it is production: no simulators, no mailbox, nothing of the demo, no keys made on the way, and no
// password that is known.
func TestComposeDefaults(t *testing.T) {
	p := projectOf(t, "COMPOSE_PROFILES", "TOKENDESK_SANDBOX", "TOKENDESK_CREATE_KEYS", "TOKENDESK_SMTP_PORT", "TOKENDESK_SMTP_TLS")
	want := []string{"api", "migrate", "postgres", "temporal", "temporal-schema", "temporal-ui", "worker"}
	if got := slices.Sorted(maps.Keys(p.Services)); !slices.Equal(got, want) {
		t.Errorf("services %v", got)
	}
	for name, s := range p.Services {
		for needed, how := range s.DependsOn {
			if _, there := p.Services[needed]; !there && how.Required {
				t.Errorf("%s waits for %s, which is not there", name, needed)
			}
		}
	}
	for _, name := range []string{"migrate", "api", "worker"} {
		env := p.Services[name].Environment
		if *env["TOKENDESK_SANDBOX"] != "false" || *env["TOKENDESK_CREATE_KEYS"] != "false" {
			t.Errorf("%s is a sandbox unless told otherwise", name)
		}
		for _, left := range []string{"STRIPE_SECRET_KEY", "TOKENDESK_BANK_ACCOUNT", "TOKENDESK_SMTP_TLS"} {
			if value := env[left]; value != nil {
				t.Errorf("%s: %s is %q without being set", name, left, *value)
			}
		}
	}
	for _, needed := range []string{"POSTGRES_PASSWORD", "TOKENDESK_DB_PASSWORD", "TEMPORAL_DB_PASSWORD", "STRIPE_WEBHOOK_SECRET",
		"TOKENDESK_CARRIER_WEBHOOK_SECRET", "TOKENDESK_PROOFING_WEBHOOK_SECRET", "TOKENDESK_SMTP_HOST"} {
		if _, err := load(t, needed); err == nil || !strings.Contains(err.Error(), needed) {
			t.Errorf("without %s: %v", needed, err)
		}
	}
}

// One image is one build of the worker, and the build before can run beside it without taking the release back.
func TestComposeBuilds(t *testing.T) {
	p := projectOf(t, "COMPOSE_PROFILES=sandbox,draining", "TOKENDESK_VERSION=1.4.0", "TOKENDESK_VERSION_BEFORE=1.3.2")
	now, before := p.Services["worker"], p.Services["worker-before"]
	if id := now.Build.Args["BUILD_ID"]; id == nil || *id != "1.4.0" || now.Image != "tokendesk:1.4.0" || *now.Environment["TOKENDESK_PROMOTE"] != "true" {
		t.Errorf("the worker is build %v of image %s", id, now.Image)
	}
	if id := before.Environment["TOKENDESK_BUILD_ID"]; before.Build != nil || before.Image != "tokendesk:1.3.2" || id == nil || *id != "1.3.2" {
		t.Errorf("the worker before is %s as build %v, built here: %v", before.Image, id, before.Build != nil)
	}
	if *before.Environment["TOKENDESK_PROMOTE"] != "false" || len(before.Ports) > 0 {
		t.Error("the worker before takes the release back, or the port of the worker")
	}
}

// Images are pinned, the engine's to the version that the development stack runs; mounted files exist.
func TestComposeParts(t *testing.T) {
	p := project(t)
	development := read(t, "deploy/dev/go.mod")
	version := func(module string) string {
		m := regexp.MustCompile(regexp.QuoteMeta(module) + ` v(\S+)`).FindStringSubmatch(development)
		if m == nil {
			t.Fatalf("the development stack has no %s", module)
		}
		return m[1]
	}
	server := version("go.temporal.io/server")
	for name, image := range map[string]string{
		"temporal": "temporalio/server:" + server, "temporal-schema": "temporalio/admin-tools:" + server,
		"temporal-ui": "temporalio/ui:" + version("github.com/temporalio/ui-server/v2"),
	} {
		if got := p.Services[name].Image; got != image {
			t.Errorf("%s is %s, not %s", name, got, image)
		}
	}
	for name, s := range p.Services {
		if !regexp.MustCompile(`:[\w.-]+$`).MatchString(s.Image) || strings.HasSuffix(s.Image, ":latest") {
			t.Errorf("%s: image %s is not pinned", name, s.Image)
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if info, err := os.Stat(v.Source); err != nil || !info.Mode().IsRegular() || !v.ReadOnly {
				t.Errorf("%s mounts %s: %v", name, v.Source, err)
			}
		}
	}
}
