package compose_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/jackc/pgx/v5"

	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/internal/demodata"
	"tokendesk/internal/pskc"
	"tokendesk/models"
)

// stays are the services that run until they are stopped.
var stays = []string{"api", "worker", "mailbox"}

// town is the compose file's sandbox on this machine, with everything up.
type town struct {
	*machine
	t       *testing.T // of the processes: they outlive a subtest
	running map[string]*process
	logs    map[string]*output // by service; they outlive a process
	world   *journey.World
}

// The services of the compose file, in the order and with the commands and environments that it says, bring a person from the
// order to a verified code. The worker is killed on the way. ORD-1, ORD-2, ORD-6, LIC-1, LIC-2, SHP-1, SHP-4, REG-1, LOG-5, OPS-2, SEC-5.
func TestCompose(t *testing.T) {
	town := &town{t: t, machine: newMachine(t, project(t, cli.WithEnvFiles(sandbox), cli.WithDotEnv)), running: map[string]*process{}, logs: map[string]*output{}}
	t.Run("the databases are apart", town.apart)
	town.rise(t)
	secrets := town.keysFromCLI(t)
	town.world = journey.NewWorld("http://"+town.here("api", 8080), secrets)
	t.Run("tokens are imported by the CLI", town.importTokens)
	t.Run("by bank transfer, the worker killed on the way", town.byTransfer)
	t.Run("by card, with webhooks from one process to another", town.byCard)
	t.Run("the demonstration", town.demonstration)
	t.Run("metrics", town.metrics)
	t.Run("refusals", town.refusals)
	town.stop(t)
	t.Run("the logs keep every secret", town.logsAreClean)
	t.Run("nothing is written beside the volume", func(t *testing.T) {
		if left, err := os.ReadDir(town.work); err != nil || len(left) > 0 {
			t.Errorf("%v: %v", left, err)
		}
	})
}

// apart: the engine's user cannot read the product's database, nor the product's the engine's.
func (c *town) apart(t *testing.T) {
	env := c.project.Services["postgres"].Environment
	for _, try := range []struct {
		user, password, database string
		welcome                  bool
	}{
		{"tokendesk", *env["TOKENDESK_DB_PASSWORD"], "tokendesk", true},
		{"tokendesk", *env["TOKENDESK_DB_PASSWORD"], "temporal", false},
		{"temporal", *env["TEMPORAL_DB_PASSWORD"], "temporal_visibility", true},
		{"temporal", *env["TEMPORAL_DB_PASSWORD"], "tokendesk", false},
	} {
		conn, err := pgx.Connect(t.Context(), c.database(try.user, try.password, try.database))
		if (err == nil) != try.welcome {
			t.Errorf("%s in %s: %v", try.user, try.database, err)
		}
		if err == nil {
			must(t, conn.Close(t.Context()))
		}
	}
}

// rise starts the services in their order.
func (c *town) rise(t *testing.T) {
	t.Helper()
	for _, once := range []string{"migrate", "demo-data"} {
		for range 2 { // again, as after a restart: it changes nothing
			c.once(t, once)
		}
	}
	if sentence := c.refuses(t, "api", nil, "healthcheck"); !strings.Contains(sentence, "does not answer") {
		t.Errorf("nothing runs yet, and the health check says %q", sentence)
	}
	for _, service := range stays {
		c.up(service)
	}
	eventually(t, patience, "the API to be healthy", func() bool {
		c.running["api"].alive(t)
		_, _, status := c.run(t, "api", nil, "healthcheck") // the image's health check
		return status == 0
	})
}

// once runs a service to its end.
func (c *town) once(t *testing.T, service string) {
	t.Helper()
	if c.logs[service] == nil {
		c.logs[service] = &output{}
	}
	stdout, stderr, status := c.run(t, service, nil, c.project.Services[service].Command...)
	if status != 0 {
		t.Fatalf("%s: exit status %d\n%s%s", service, status, stdout, stderr)
	}
	_, _ = c.logs[service].Write([]byte(stdout + stderr)) // never fails
}

func (c *town) up(service string) {
	c.t.Helper()
	if c.logs[service] == nil {
		c.logs[service] = &output{}
	}
	c.running[service] = c.start(c.t, service, c.logs[service])
}

// keysFromCLI makes the API keys of staff and of a relying application as an operator does.
func (c *town) keysFromCLI(t *testing.T) demodata.Secrets {
	t.Helper()
	demo, err := demodata.Read(filepath.Join(c.keys, "demo.json"))
	must(t, err)
	made := demodata.Secrets{APIKeys: map[string]string{}}
	for role, more := range map[models.Role][]string{models.RoleSupport: nil, models.RoleBilling: nil, models.RoleRelyingApp: {"-partner", demo.Partner}} {
		key := c.does(t, "api", append([]string{"create-api-key", "-name", "made by hand", "-role", string(role)}, more...)...)
		if key = strings.TrimSuffix(key, "\n"); key == "" || strings.ContainsAny(key, " \n") {
			t.Fatalf("not a key alone on standard output: %q", key)
		}
		made.APIKeys[string(role)] = key
	}
	return made
}

// importTokens brings a PSKC file, encrypted under a pre-shared key that comes in a file of its own (SHP-4).
func (c *town) importTokens(t *testing.T) {
	const n = 3
	key, other := make([]byte, 16), make([]byte, 16)
	_, _ = rand.Read(key) // never fails
	_, _ = rand.Read(other)
	var file bytes.Buffer
	w := pskc.NewWriter(&file, pskc.WriterOptions{PreSharedKey: key})
	for _, d := range c.world.Make(n) {
		must(t, w.Write(pskc.Key{Serial: d.Serial, Manufacturer: "Compose", Model: demodata.TokenModel, Algorithm: pskc.HOTP, Digits: journey.DeviceDigits, Secret: d.Seed()}))
	}
	must(t, w.Close())
	dir := t.TempDir()
	for name, content := range map[string][]byte{"seeds.xml": file.Bytes(), "key": key, "other": other} {
		must(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	args := func(key string) []string {
		return []string{"import-tokens", "-warehouse", demodata.Warehouse, "-key-file", filepath.Join(dir, key), filepath.Join(dir, "seeds.xml")}
	}
	if sentence := c.refuses(t, "api", nil, args("other")...); !strings.Contains(sentence, models.SeedFileInvalid.Title) {
		t.Errorf("with a wrong key: %s", sentence)
	}
	for _, result := range []string{"imported", "known"} {
		if report := c.does(t, "api", args("key")...); strings.Count(report, "\t"+result+"\t") != n {
			t.Errorf("not %d %s:\n%s", n, result, report)
		}
	}
}

// plays plays a journey to its end, and checks that each mail came once (OPS-2).
func (c *town) plays(t *testing.T, j *journey.Journey) {
	t.Helper()
	var err error
	j.World = c.world
	j.Person, err = c.world.Person(t.Context())
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	must(t, j.Run(ctx))
	for _, subject := range []string{"Your order " + j.Order.Number, "Your license key for order " + j.Order.Number} {
		mails, err := c.world.Mails(t.Context(), j.Person.Email, subject)
		if err != nil || len(mails) != 1 || mails[0].Altered {
			t.Errorf("mails %q: %+v, %v", subject, mails, err)
		}
	}
}

// byTransfer kills the worker when the order is placed and confirmed, and not yet paid.
func (c *town) byTransfer(t *testing.T) {
	const pay = 3
	c.plays(t, &journey.Journey{Before: func(step int) {
		if step != pay {
			return
		}
		c.running["worker"].kill(t)
		c.does(t, "api", "healthcheck") // the API goes on alone
		c.up("worker")
	}})
}

// byCard: the worker charges the card, and the processor's webhooks about it arrive at the API.
func (c *town) byCard(t *testing.T) {
	j := &journey.Journey{Cards: []string{journey.GoodCard}}
	c.plays(t, j)
	env := c.project.Services["postgres"].Environment
	db, err := pgx.Connect(t.Context(), c.database("tokendesk", *env["TOKENDESK_DB_PASSWORD"], "tokendesk"))
	must(t, err)
	defer db.Close(context.Background())
	eventually(t, patience, "the webhooks about authorization and capture to be delivered", func() bool {
		var delivered int
		must(t, db.QueryRow(t.Context(), "select count(*) from sandbox.webhooks where gateway = 'payments' and delivered").Scan(&delivered))
		return delivered >= 2
	})
}

// demonstration is the command that the compose file's header tells. The engine of the compose file cannot skip time, so the years are left
// out.
func (c *town) demonstration(t *testing.T) {
	told := c.does(t, "demo-data", "demo", "-url", "http://api:8080", "-secrets", volume+"/demo.json")
	if !strings.Contains(told, "Time cannot be moved on this stack") || !strings.Contains(told, "The story is told") {
		t.Errorf("it told\n%s", told)
	}
}

func (c *town) metrics(t *testing.T) {
	for _, service := range []string{"api", "worker"} {
		answer, err := http.Get("http://" + c.here(service, 9090) + "/metrics")
		must(t, err)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", service, answer.Status)
		}
	}
}

// stop stops all services at once, each within the time that the compose file grants.
func (c *town) stop(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	for _, service := range stays {
		c.running[service].alive(t)
		grace := time.Duration(*c.project.Services[service].StopGracePeriod)
		all.Go(func() { c.running[service].stop(t, grace) })
	}
	all.Wait()
}

// logsAreClean: no secret of the environment, and nothing of a person, is in what the services wrote (SEC-5).
func (c *town) logsAreClean(t *testing.T) {
	planted := c.world.Planted()
	forbidden := append(append(append(planted.Secrets, planted.Personal...), planted.Codes...), c.secrets()...)
	if len(c.secrets()) < 4 || len(planted.Codes) == 0 {
		t.Fatalf("too little to look for: %d secrets, %d codes", len(c.secrets()), len(planted.Codes))
	}
	for service, log := range c.logs {
		text := log.String()
		if len(text) == 0 && service != "migrate" && service != "mailbox" {
			t.Errorf("%s has logged nothing at all", service)
		}
		for _, secret := range forbidden {
			if strings.Contains(text, secret) {
				t.Errorf("the log of %s holds %q", service, secret)
			}
		}
	}
}
