package compose_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"

	"tokendesk/models"
)

// secrets are the values in the environment of the product's services that nobody may read in a log.
func (c *town) secrets() []string {
	found := []string{"sk_live_never", "wrong-password"} // those of the refusals
	for _, service := range append(slices.Clone(stays), "postgres") {
		for name, value := range c.project.Services[service].Environment {
			if value != nil && *value != "" && (strings.Contains(name, "SECRET") || strings.Contains(name, "PASSWORD")) {
				found = append(found, *value)
			}
		}
	}
	return found
}

// refusals: what cannot be right ends at once, with exit status 1 and one sentence that says what to do and tells no secret.
func (c *town) refusals(t *testing.T) {
	production := &machine{program: c.program, keys: c.keys, work: c.work, ports: c.ports}
	production.project = project(t, cli.WithEnv([]string{"POSTGRES_PASSWORD=a", "TOKENDESK_DB_PASSWORD=b", "TEMPORAL_DB_PASSWORD=c", "TOKENDESK_SMTP_HOST=mail.example",
		"STRIPE_WEBHOOK_SECRET=whsec", "TOKENDESK_CARRIER_WEBHOOK_SECRET=carrier", "TOKENDESK_PROOFING_WEBHOOK_SECRET=proofing"})) // what the compose file itself demands, no more
	complete := []string{"TOKENDESK_SANDBOX=false", "TOKENDESK_CREATE_KEYS=false", "STRIPE_SECRET_KEY=sk_live_never", "TOKENDESK_CARRIER_URL=http://127.0.0.1:1", "TOKENDESK_PROOFING_URL=http://127.0.0.1:1",
		"TOKENDESK_MEETING_ROOM=https://video.example", "TOKENDESK_POST_URL=http://127.0.0.1:1",
		"TOKENDESK_MAIL_FROM=a@b.example", "TOKENDESK_SELLER_NAME=S", "TOKENDESK_SELLER_STREET=S", "TOKENDESK_SELLER_CITY=S", "TOKENDESK_SELLER_POSTCODE=1",
		"TOKENDESK_SELLER_COUNTRY=US", "TOKENDESK_SELLER_EMAIL=s@b.example", "TOKENDESK_BANK_NAME=B", "TOKENDESK_BANK_ROUTING=1", "TOKENDESK_BANK_ACCOUNT=1"}
	empty := filepath.Join(t.TempDir(), "none.json")
	wrong := c.database("tokendesk", "wrong-password", "tokendesk")
	for name, try := range map[string]struct {
		on       *machine
		settings []string
		args     []string
		want     string
	}{
		"the API in production by default":    {production, nil, []string{"api"}, "this is no sandbox, and it has no TOKENDESK_MAIL_FROM, STRIPE_SECRET_KEY, "},
		"the worker in production by default": {production, nil, []string{"worker"}, "STRIPE_SECRET_KEY"},
		"the mailbox in production":           {production, nil, []string{"mailbox"}, "TOKENDESK_SANDBOX is not true"},
		"demo data in production":             {production, nil, []string{"load-demo", "-secrets", empty}, "TOKENDESK_SANDBOX is not true"},
		"production without keys":             {c.machine, append(complete, "TOKENDESK_KEYRING_FILE="+empty), []string{"api"}, "open the keyring: "},
		"a sandbox with real cards":           {c.machine, []string{"STRIPE_SECRET_KEY=sk_live_never", "TOKENDESK_API_ADDR=127.0.0.1:0"}, []string{"api"}, "a sandbox must not take real money"},
		"no database":                         {c.machine, []string{"DATABASE_URL"}, []string{"worker"}, "set DATABASE_URL"},
		"a wrong password":                    {c.machine, []string{"DATABASE_URL=" + wrong}, []string{"worker"}, "connect to the database"},
		"a database that is none":             {c.machine, []string{"DATABASE_URL=postgres://tokendesk:wrong-password@nowhere:port/x"}, []string{"migrate"}, "read the database URL"},
		"a port that is none":                 {c.machine, []string{"TOKENDESK_SMTP_PORT=wrong-password"}, []string{"worker"}, "TOKENDESK_SMTP_PORT is not a whole number"},
		"the port is taken":                   {c.machine, nil, []string{"api"}, "address already in use"},
		"an unknown role":                     {c.machine, nil, []string{"create-api-key", "-name", "x", "-role", "king"}, "an API key cannot have this role"},
		"an unknown partner":                  {c.machine, nil, []string{"create-api-key", "-name", "x", "-role", string(models.RoleRelyingApp), "-partner", "pa_none"}, models.NoSuchThing.Title},
		"a file that is not there":            {c.machine, nil, []string{"import-tokens", "-warehouse", "W", "/nowhere.xml"}, "no such file"},
		"an unknown flag":                     {c.machine, nil, []string{"import-tokens", "-depot", "W"}, "flag provided but not defined: -depot"},
		"an unknown demo":                     {c.machine, nil, []string{"demo", "-url", "http://api:8080", "-secrets", empty}, "read the demo secrets"},
	} {
		t.Run(name, func(t *testing.T) {
			sentence := try.on.refuses(t, "api", try.settings, try.args...)
			if !strings.Contains(sentence, try.want) {
				t.Errorf("it says %q, not %q", sentence, try.want)
			}
			for _, secret := range c.secrets() {
				if strings.Contains(sentence, secret) {
					t.Errorf("it tells %q: %s", secret, sentence)
				}
			}
		})
	}
}
