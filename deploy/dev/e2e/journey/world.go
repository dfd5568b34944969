// Package journey plays people who buy a token, receive it, activate and register it and log in with it, from outside: by the API,
// and by the pages of the sandbox. A journey stands any disturbance: its process may be killed at any moment, and the
// journey goes on when it is back.
package journey

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	api "tokendesk/api/client"
	"tokendesk/internal/demodata"
	"tokendesk/internal/otp"
	"tokendesk/models"
)

// World is a running Tokendesk in a sandbox, as people and staff see it. It is safe for concurrent use.
type World struct {
	*Client
	keys   map[string]string         // API keys by role
	agents map[string]demodata.Agent // by first name

	mu      sync.Mutex
	devices map[string]*Device // by serial
	planted Planted
}

// Planted is what must not be found where it does not belong.
type Planted struct {
	Personal        []string // names, addresses, e-mails
	Secrets         []string // passwords, session tokens, API keys, license keys
	Identity        []string // what is given and shown to be proofed: it passes through memory, and is kept sealed at most
	ActivationCodes []string // activation codes, likewise
	Codes           []string // one-time passwords
	Seeds           [][]byte
}

// NewWorld looks at a sandbox: the API without a trailing slash, and the keys of its staff.
func NewWorld(apiURL string, secrets demodata.Secrets) *World {
	w := &World{Client: &Client{URL: apiURL}, keys: secrets.APIKeys, agents: secrets.Agents, devices: map[string]*Device{}}
	for _, key := range secrets.APIKeys {
		w.planted.Secrets = append(w.planted.Secrets, key)
	}
	for _, login := range secrets.People {
		w.planted.Secrets = append(w.planted.Secrets, login.Password)
	}
	return w
}

// Key is the API key of a role of staff.
func (w *World) Key(role models.Role) string { return w.keys[string(role)] }

// Planted returns everything that was made up so far.
func (w *World) Planted() Planted {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.planted
	return Planted{slices.Clone(p.Personal), slices.Clone(p.Secrets), slices.Clone(p.Identity), slices.Clone(p.ActivationCodes), slices.Clone(p.Codes), slices.Clone(p.Seeds)}
}

func (w *World) plantSecrets(values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.planted.Secrets = append(w.planted.Secrets, values...)
}

func (w *World) plantPersonal(values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.planted.Personal = append(w.planted.Personal, values...)
}

func (w *World) plantIdentity(values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.planted.Identity = append(w.planted.Identity, values...)
}

func (w *World) plantActivationCode(code string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.planted.ActivationCodes = append(w.planted.ActivationCodes, code, strings.ReplaceAll(code, "-", ""), strings.ReplaceAll(code, "-", " – ")) // the last as in letters
}

// Device is a hardware token as its holder has it. Eight digits are hard to meet by chance.
type Device struct {
	Serial string
	seed   []byte
	next   int64
	world  *World
}

var deviceParameters = otp.Parameters{Kind: otp.HOTP, Algorithm: otp.SHA1, Digits: DeviceDigits}

// Press shows the next code.
func (d *Device) Press() string {
	code := otp.Code(d.seed, deviceParameters, d.next)
	d.next++
	d.world.mu.Lock()
	defer d.world.mu.Unlock()
	d.world.planted.Codes = append(d.world.planted.Codes, code)
	return code
}

// Device returns the token with a serial.
func (w *World) Device(serial string) (*Device, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.devices[serial]
	if !ok {
		return nil, fmt.Errorf("no token %s was ever made", serial)
	}
	return d, nil
}

// Seed is the token's secret, for the file that comes with it.
func (d *Device) Seed() []byte { return d.seed }

// DeviceDigits is the length of the codes.
const DeviceDigits = 8

// Make makes n new tokens, which no warehouse knows of yet.
func (w *World) Make(n int) []*Device {
	made := make([]*Device, n)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range made {
		d := &Device{Serial: "E2E-" + rand.Text()[:16], seed: make([]byte, 20), world: w}
		_, _ = rand.Read(d.seed) // never fails
		w.devices[d.Serial] = d
		w.planted.Seeds = append(w.planted.Seeds, d.seed)
		made[i] = d
	}
	return made
}

// Stock has the warehouse import n new tokens.
func (w *World) Stock(ctx context.Context, n int) error {
	var file bytes.Buffer
	file.WriteString("serial,algorithm,digits,counter,seed\n")
	for _, d := range w.Make(n) {
		fmt.Fprintf(&file, "%s,HOTP,%d,0,%s\n", d.Serial, DeviceDigits, hex.EncodeToString(d.seed))
	}
	q := url.Values{"warehouse": {demodata.Warehouse}, "model": {demodata.TokenModel}}
	var report api.ImportReport
	err := w.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/token-imports?" + q.Encode(), Bearer: w.Key(models.RoleWarehouse), Key: "import-" + rand.Text(),
		Body: File{"text/csv", file.Bytes()}}, &report)
	if err == nil && report.Imported != int64(n) {
		err = fmt.Errorf("%d of %d tokens were imported", report.Imported, n)
	}
	return err
}

// Person is somebody who buys and uses tokens.
type Person struct {
	AccountID, UserID, Email, Password string
	FirstName, MiddleName, LastName    string
	Address                            models.Address
}

// LegalName is the name as the account has it.
func (p Person) LegalName() string { return p.FirstName + " " + p.MiddleName + " " + p.LastName }

// Person creates an account of somebody new, whose every particular is recognizable.
func (w *World) Person(ctx context.Context) (Person, error) { return w.Named(ctx, "") }

// Named creates an account like Person, of one of the test people of the identity provider, whom it knows by their last names.
func (w *World) Named(ctx context.Context, lastName string) (Person, error) {
	tag := rand.Text()[:10]
	word := func(prefix string) string { return prefix + strings.ToLower(tag) }
	p := Person{UserID: word("user."), Email: word("mail.") + "@persons.example", Password: "Pw-" + rand.Text(),
		FirstName: word("Zephyrine"), MiddleName: word("Quill"), LastName: word("Xanthopoulos"),
		Address: models.Address{Name: word("Recipient"), Line1: word("Hidden Lane "), City: word("Farville"), Region: "IL", PostalCode: "62701", Country: "US"}}
	w.plantPersonal(p.UserID, p.Email, p.FirstName, p.MiddleName, p.LastName, p.Address.Name, p.Address.Line1, p.Address.City)
	w.plantSecrets(p.Password)
	if lastName != "" {
		p.LastName = lastName
	}
	var made api.Account
	err := w.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/accounts", Bearer: w.Key(models.RoleSupport), Key: "account-" + tag, Body: map[string]any{
		"user_id": p.UserID, "email": p.Email, "first_name": p.FirstName, "middle_name": p.MiddleName, "last_name": p.LastName, "country": "US", "password": p.Password,
	}}, &made)
	p.AccountID = made.ID
	return p, err
}

// Login starts a session and returns its token.
func (w *World) Login(ctx context.Context, p Person) (string, error) {
	var started api.StartedSession
	err := w.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/sessions", Body: map[string]any{"user_id": p.UserID, "password": p.Password}}, &started)
	if err == nil {
		w.plantSecrets(started.Token)
	}
	return started.Token, err
}

// Mail is what the mailbox shows of a mail.
type Mail struct {
	MessageID  string    `json:"message_id"`
	Subject    string    `json:"subject"`
	Date       time.Time `json:"date"`
	Text       string    `json:"text"`
	Deliveries int       `json:"deliveries"`
	Altered    bool      `json:"altered"`

	Alternatives []struct {
		ContentType string `json:"content_type"`
		Content     string `json:"content"`
	} `json:"alternatives"`
}

// Mails lists the mails to an address whose subject contains the words, newest first.
func (w *World) Mails(ctx context.Context, to, subject string) ([]Mail, error) {
	var list struct {
		Messages []Mail `json:"messages"`
	}
	q := url.Values{"to": {to}, "subject": {subject}}
	err := w.Do(ctx, Call{Method: http.MethodGet, Path: "/sandbox/mailbox?" + q.Encode()}, &list)
	return list.Messages, err
}

// Disturb tells a simulator of the sandbox to misbehave; see package sandbox for what it understands.
func (w *World) Disturb(ctx context.Context, gateway, operation, effect string, times int, delay string) error {
	order := map[string]any{"operation": operation, "effect": effect, "times": times}
	if delay != "" {
		order["delay"] = delay
	}
	return w.Do(ctx, Call{Method: http.MethodPost, Path: "/sandbox/" + gateway + "/orders", Body: order}, nil)
}
