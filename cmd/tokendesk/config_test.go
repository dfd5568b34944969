package main

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The document lists every variable that is read, with its default, and no other.
func TestConfigurationIsDocumented(t *testing.T) {
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z][A-Z0-9_]+)` \\| (.*?) ?\\|").FindAllStringSubmatch(document(t), -1) {
		if _, twice := listed[row[1]]; twice {
			t.Errorf("%s is listed twice", row[1])
		}
		listed[row[1]] = row[2]
	}
	for field := range settings(&environment{}) {
		name := variable(field)
		said, ok := listed[name]
		if !ok {
			t.Errorf("docs/configuration.md does not list %s", name)
		}
		if want := documented(field); said != want {
			t.Errorf("docs/configuration.md says of the default of %s %q, want %q", name, said, want)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("docs/configuration.md lists %s, which nobody reads", name)
	}
}

// documented is what the document has to say of a variable's default.
func documented(field reflect.StructField) string {
	invented, production := field.Tag.Lookup("sandbox")
	var parts []string
	if strings.Contains(field.Tag.Get("env"), "required") {
		parts = append(parts, "*required*")
	}
	if production {
		parts = append(parts, "*production*")
	}
	if value := invented + field.Tag.Get("envDefault"); value != "" {
		parts = append(parts, "`"+value+"`")
	}
	return strings.Join(parts, ", ")
}

func TestCommandsAreDocumented(t *testing.T) {
	for _, c := range commands() {
		if !strings.Contains(document(t), fmt.Sprintf("| `tokendesk %s` |", c.name)) {
			t.Errorf("docs/configuration.md does not list the command %s", c.name)
		}
	}
}

// set makes the given environment the test's: of the variables that are read there are no others.
func set(t *testing.T, values map[string]string) {
	t.Helper()
	for field := range settings(&environment{}) {
		name := variable(field)
		t.Setenv(name, values[name]) // puts back what was there
		if _, ok := values[name]; !ok {
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var enough = map[string]string{"DATABASE_URL": "postgres://u:hunter2@db/x", "TOKENDESK_KEYRING_FILE": "k", "TOKENDESK_SIGNING_KEY_FILE": "s"}

func with(more map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range []map[string]string{enough, more} {
		for name, value := range m {
			out[name] = value
		}
	}
	return out
}

func TestEnvironmentErrors(t *testing.T) {
	for name, c := range map[string]struct {
		set  map[string]string
		want string // the whole sentence
	}{
		"nothing is set":  {nil, "set DATABASE_URL, TOKENDESK_KEYRING_FILE, TOKENDESK_SIGNING_KEY_FILE, see docs/configuration.md"},
		"empty":           {with(map[string]string{"DATABASE_URL": ""}), "set DATABASE_URL, see docs/configuration.md"},
		"no number":       {with(map[string]string{"TOKENDESK_SMTP_PORT": "hunter2"}), "TOKENDESK_SMTP_PORT is not a whole number"},
		"no truth value":  {with(map[string]string{"TOKENDESK_SANDBOX": "hunter2"}), "TOKENDESK_SANDBOX is not true or false"},
		"no duration":     {with(map[string]string{"TOKENDESK_SANDBOX_DELIVERED_AFTER": "hunter2"}), "TOKENDESK_SANDBOX_DELIVERED_AFTER is not a duration such as 90s"},
		"two are wrong":   {with(map[string]string{"TOKENDESK_SMTP_PORT": "x", "TOKENDESK_CREATE_KEYS": "x"}), "TOKENDESK_CREATE_KEYS is not true or false; TOKENDESK_SMTP_PORT is not a whole number"},
		"wrong and unset": {map[string]string{"TOKENDESK_SMTP_PORT": "x", "TOKENDESK_KEYRING_FILE": "k", "TOKENDESK_SIGNING_KEY_FILE": "s"}, "TOKENDESK_SMTP_PORT is not a whole number; set DATABASE_URL, see docs/configuration.md"},
	} {
		t.Run(name, func(t *testing.T) {
			set(t, c.set)
			if _, err := readEnvironment(); err == nil || err.Error() != c.want {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

// Outside a sandbox nothing invented reaches a customer: what a sandbox makes up has to be set.
func TestProductionIsComplete(t *testing.T) {
	set(t, enough)
	e, err := readEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	lacks := e.complete()
	if lacks == nil || strings.Contains(lacks.Error(), "\n") {
		t.Fatalf("not one sentence: %v", lacks)
	}
	full := map[string]string{}
	for field := range settings(&e) {
		name := variable(field)
		if _, production := field.Tag.Lookup("sandbox"); !production {
			continue
		}
		full[name] = "given"
		if !strings.Contains(lacks.Error(), name) {
			t.Errorf("%s is not said to be missing: %v", name, lacks)
		}
	}
	if len(full) < 10 {
		t.Fatalf("only %d variables of production", len(full))
	}
	set(t, with(full)) // live video sessions have one of two places
	if e, err = readEnvironment(); err != nil || e.complete() == nil || !strings.Contains(e.complete().Error(), "it has no TOKENDESK_MEETING_ROOM or TOKENDESK_MEETING_URL: ") {
		t.Errorf("%v, %v", err, e.complete())
	}
	full["TOKENDESK_MEETING_URL"] = "given"
	set(t, with(full))
	if e, err = readEnvironment(); err != nil || e.complete() != nil {
		t.Fatal(err, e.complete())
	}
	full["STRIPE_WEBHOOK_SECRET"] = ""
	set(t, with(full))
	if e, err = readEnvironment(); err != nil || e.complete() == nil || !strings.Contains(e.complete().Error(), "it has no STRIPE_WEBHOOK_SECRET: ") {
		t.Errorf("%v, %v", err, e.complete())
	}
	set(t, with(map[string]string{"TOKENDESK_SANDBOX": "true", "TOKENDESK_BANK_NAME": "Second Bank"}))
	if e, err = readEnvironment(); err != nil || e.complete() != nil || e.SellerName != "Tokendesk Inc." || e.BankName != "Second Bank" {
		t.Errorf("a sandbox: %v, %v, %+v", err, e.complete(), e)
	}
}

// What is secret is taken out of the environment, where every child of the process could read it.
func TestSecretsAreTakenOut(t *testing.T) {
	taken := map[string]string{"STRIPE_SECRET_KEY": "a", "STRIPE_WEBHOOK_SECRET": "b,c", "TOKENDESK_CARRIER_KEY": "d", "TOKENDESK_CARRIER_WEBHOOK_SECRET": "e", "TOKENDESK_SMTP_PASSWORD": "f",
		"TOKENDESK_MAIL_WEBHOOK_SECRET": "g,h", "TOKENDESK_PROOFING_KEY": "i", "TOKENDESK_PROOFING_WEBHOOK_SECRET": "j,k"}
	set(t, with(taken))
	e, err := readEnvironment()
	if err != nil || e.StripeKey != "a" || len(e.StripeWebhookSecrets) != 2 || len(e.MailWebhookSecrets) != 2 || len(e.ProofingWebhookSecrets) != 2 || e.SMTPPassword != "f" {
		t.Fatal(err, "the environment is not read")
	}
	for name := range taken {
		if value, there := os.LookupEnv(name); there {
			t.Errorf("%s is still %q", name, value)
		}
	}
}

func TestBadArguments(t *testing.T) {
	set(t, enough)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no command":         {nil, "name a command"},
		"unknown command":    {[]string{"serve"}, `there is no command "serve"`},
		"arguments of api":   {[]string{"api", "-port", "8080"}, `this command takes no arguments, not even "-port"`},
		"unknown flag":       {[]string{"create-api-key", "-rule", "x"}, "flag provided but not defined: -rule; usage: tokendesk create-api-key [FLAGS]"},
		"flag without value": {[]string{"create-api-key", "-role"}, "flag needs an argument: -role"},
		"no file":            {[]string{"import-tokens", "-warehouse", "W"}, "0 operands instead of 1; usage: tokendesk import-tokens [FLAGS] FILE"},
		"file is not there":  {[]string{"import-tokens", "-warehouse", "W", "/nowhere/seeds"}, "open /nowhere/seeds: no such file"},
		"key is not there":   {[]string{"import-tokens", "-key-file", "/nowhere/key", "seeds"}, "read key material: open /nowhere/key: no such file"},
		"demo no sandbox":    {[]string{"load-demo", "-secrets", "s"}, "TOKENDESK_SANDBOX is not true"},
		"demo no file":       {[]string{"load-demo"}, "-secrets is missing"},
		"promote nothing":    {[]string{"promote"}, "0 operands instead of 1; usage: tokendesk promote [FLAGS] BUILD"},
		"promote too much":   {[]string{"promote", "-percent", "101", "1.4.0"}, "-percent is 101, not from 0 to 100"},
		"arguments of check": {[]string{"healthcheck", "worker"}, "1 operands instead of 0; usage: tokendesk healthcheck [FLAGS]"},
		"mailbox no sandbox": {[]string{"mailbox"}, "TOKENDESK_SANDBOX is not true"},
	} {
		t.Run(name, func(t *testing.T) {
			err := dispatch(t.Context(), c.args)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}
