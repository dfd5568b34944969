// Package compose_test runs what the compose file says without a container engine: PostgreSQL and the engine in place of their
// services, and the product's services as processes of the same program, with the same commands and environments. Only
// hosts, ports and the directory of the keys are this machine's.
package compose_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/jackc/pgx/v5"

	"tokendesk/deploy/dev/engine"
	"tokendesk/internal/pgcluster"
)

const (
	root    = "../../.."
	sandbox = root + "/deploy/compose/sandbox.env"
	volume  = "/var/lib/tokendesk" // where the containers have the volume of the keys
)

// project reads the compose file as docker compose does: with an environment file, or with the settings that are given.
func project(t *testing.T, options ...cli.ProjectOptionsFn) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{root + "/docker-compose.yml"}, append(options, cli.WithDefaultProfiles())...)
	must(t, err)
	p, err := o.LoadProject(context.Background())
	must(t, err)
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// machine runs the services of a compose file on this machine.
type machine struct {
	project *types.Project
	program string // the product, built as for the image
	keys    string // stands for the volume
	work    string // working directory of all processes; the image's cannot be written, so nothing may appear there

	mu    sync.Mutex
	ports map[string]int // by service and port in its container, "postgres:5432"
}

// newMachine starts the database and the engine of a compose file.
func newMachine(t *testing.T, p *types.Project) *machine {
	t.Helper()
	m := &machine{project: p, program: build(t), keys: t.TempDir(), work: t.TempDir(), ports: map[string]int{}}
	m.startPostgres(t)
	m.startEngine(t)
	return m
}

// build builds the program with the command that stands in the Dockerfile.
func build(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(root + "/deploy/Dockerfile")
	must(t, err)
	command := regexp.MustCompile(`CGO_ENABLED=0 go build .* -o (/out/tokendesk) \./cmd/tokendesk`).FindSubmatch(text)
	if command == nil {
		t.Fatal("the Dockerfile does not build the program")
	}
	program := filepath.Join(t.TempDir(), "tokendesk")
	sh := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(string(command[0]), string(command[1]), `"$PROGRAM"`, 1))
	sh.Dir, sh.Env = root, append(os.Environ(), "PROGRAM="+program)
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return program
}

// startPostgres makes a server and sets it up with the script that the container runs in an empty cluster.
func (m *machine) startPostgres(t *testing.T) {
	t.Helper()
	service := m.project.Services["postgres"]
	dir := t.TempDir()
	cluster, err := pgcluster.Start(t.Context(), pgcluster.Config{Dir: dir, Install: true, Settings: map[string]string{"shared_buffers": "128MB"}})
	must(t, err)
	t.Cleanup(func() {
		if err := pgcluster.Remove(context.Background(), dir); err != nil {
			t.Error(err)
		}
	})
	m.ports["postgres:5432"] = cluster.Port()
	superuser := *service.Environment["POSTGRES_PASSWORD"]
	m.imageSuperuser(t, cluster.URL("postgres"), superuser)

	var script string
	for _, v := range service.Volumes {
		if strings.HasPrefix(v.Target, "/docker-entrypoint-initdb.d/") {
			script = v.Source
		}
	}
	sh := exec.CommandContext(t.Context(), "/bin/sh", script)
	sh.Env = append(environ(service.Environment), "PATH="+filepath.Dir(psql(t))+":/usr/bin:/bin", "PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(cluster.Port()), "PGPASSWORD="+superuser)
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// imageSuperuser gives the cluster the superuser that the image of PostgreSQL has, in the place of its own.
func (m *machine) imageSuperuser(t *testing.T, bootstrap, password string) {
	t.Helper()
	own, err := pgx.Connect(t.Context(), bootstrap)
	must(t, err)
	name := own.Config().User
	_, err = own.Exec(t.Context(), "CREATE ROLE postgres SUPERUSER LOGIN PASSWORD "+literal(password))
	must(t, err)
	must(t, own.Close(t.Context()))
	image, err := pgx.Connect(t.Context(), m.database("postgres", password, "postgres"))
	must(t, err)
	_, err = image.Exec(t.Context(), "ALTER ROLE "+pgx.Identifier{name}.Sanitize()+" RENAME TO bootstrap")
	must(t, err)
	must(t, image.Close(t.Context()))
}

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// psql finds the client that the script calls; distributions install it with the server, not always on the PATH.
func psql(t *testing.T) string {
	t.Helper()
	candidates, _ := filepath.Glob("/usr/lib/postgresql/*/bin/psql")
	homebrew, _ := filepath.Glob("/opt/homebrew/opt/postgresql*/bin/psql")
	for _, name := range slices.Concat([]string{"psql"}, candidates, homebrew) {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("psql, which sets the database up, is not on this machine")
	return ""
}

// database is the URL of a database for one of its users.
func (m *machine) database(user, password, name string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: m.here("postgres", 5432), Path: "/" + name, RawQuery: "sslmode=disable"}
	return u.String()
}

// startEngine starts the engine on the databases and as the user that the compose file gives it, without the product's namespace.
func (m *machine) startEngine(t *testing.T) {
	t.Helper()
	env := m.project.Services["temporal"].Environment
	log, err := os.Create(filepath.Join(t.TempDir(), "temporal.log"))
	must(t, err)
	t.Cleanup(func() { _ = log.Close() })
	e, err := engine.Start(t.Context(), engine.Config{PostgresURL: m.database(*env["POSTGRES_USER"], *env["POSTGRES_PWD"], "temporal"), Database: "temporal",
		Namespace: "another", Log: log})
	must(t, err)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	_, port, err := net.SplitHostPort(e.Address())
	must(t, err)
	m.ports["temporal:7233"], err = strconv.Atoi(port)
	must(t, err)
}

// port is the port of this machine that stands for one in a container.
func (m *machine) port(service string, inside int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := fmt.Sprintf("%s:%d", service, inside)
	if m.ports[key] == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err) // a machine without a free port can test nothing
		}
		m.ports[key] = l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
	}
	return m.ports[key]
}

// here is where a service listens on this machine.
func (m *machine) here(service string, inside int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(m.port(service, inside)))
}

var (
	listens  = regexp.MustCompile(`^0\.0\.0\.0:(\d+)$`)
	connects = regexp.MustCompile(`\b([a-z-]+):(\d+)\b`)
)

// translate changes what a container is told to what it means on this machine: hosts, ports and the volume, nothing else.
func (m *machine) translate(service, text string) string {
	text = strings.ReplaceAll(text, volume, m.keys)
	if found := listens.FindStringSubmatch(text); found != nil {
		inside, _ := strconv.Atoi(found[1])
		return "0.0.0.0:" + strconv.Itoa(m.port(service, inside))
	}
	return connects.ReplaceAllStringFunc(text, func(match string) string {
		host, port, _ := strings.Cut(match, ":")
		if _, ours := m.project.Services[host]; !ours {
			return match
		}
		inside, _ := strconv.Atoi(port)
		return m.here(host, inside)
	})
}

// environment is what a service's process sees; settings given as NAME=value win, a name alone takes the variable away.
func (m *machine) environment(service string, settings ...string) []string {
	env := map[string]*string{}
	for name, value := range m.project.Services[service].Environment {
		if value != nil {
			translated := m.translate(service, *value)
			env[name] = &translated
		}
	}
	if host, port := env["TOKENDESK_SMTP_HOST"], env["TOKENDESK_SMTP_PORT"]; host != nil && port != nil {
		if _, ours := m.project.Services[*host]; ours { // the only address in two variables
			h, p, _ := net.SplitHostPort(m.translate(service, *host+":"+*port))
			env["TOKENDESK_SMTP_HOST"], env["TOKENDESK_SMTP_PORT"] = &h, &p
		}
	}
	for _, s := range settings {
		name, value, given := strings.Cut(s, "=")
		if env[name] = &value; !given {
			delete(env, name)
		}
	}
	return append(environ(env), "TMPDIR=/nonexistent") // the image has nowhere to write
}

func environ(env map[string]*string) (out []string) {
	for name, value := range env {
		if value != nil {
			out = append(out, name+"="+*value)
		}
	}
	return out
}

// eventually waits for a condition; what says what for.
func eventually(t *testing.T, patience time.Duration, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}
