package stack

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"tokendesk/internal/app"
	"tokendesk/internal/demodata"
	"tokendesk/internal/documents"
	"tokendesk/internal/password"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/worker"
)

// joinPatience is how long the engine may take to send work to a worker that has started.
const joinPatience = time.Minute

// ProductOptions say what of the product runs in the stack.
type ProductOptions struct {
	Leave     bool              // leave the product out: PostgreSQL and the engine alone
	Configure func(*app.Config) // changes the configuration before the start; may be nil
}

// product is the API and the worker of Tokendesk with the demo data behind them.
type product struct {
	*app.App
	apiURL, metricsURL, secretsFile string
	secrets                         demodata.Secrets
}

// App returns the running product, nil when it was left out.
func (s *Stack) App() *app.App {
	if s.product == nil {
		return nil
	}
	return s.product.App
}

// APIURL returns where the API is, without a trailing slash.
func (s *Stack) APIURL() string { return s.Record().APIURL }

// Secrets returns the logins and keys of the demo people.
func (s *Stack) Secrets() demodata.Secrets {
	if s.product == nil {
		return demodata.Secrets{}
	}
	return s.product.secrets
}

func (s *Stack) startProduct(ctx context.Context) error {
	if s.cfg.Product.Leave {
		return nil
	}
	s.cfg.Say("starting API and worker")
	if s.cfg.TemporalAddress != "" {
		if err := app.PrepareNamespace(ctx, s.temporal, Namespace); err != nil {
			return err
		}
	}
	cfg, err := s.productConfig()
	if err != nil {
		return err
	}
	p := &product{secretsFile: filepath.Join(s.cfg.StateDir, "demo.json"), metricsURL: "http://" + cfg.MetricsAddress + "/metrics"}
	if p.secrets, err = loadDemoData(ctx, cfg, p.secretsFile, s.clock.Now()); err != nil {
		return err
	}
	if p.App, err = app.Start(ctx, cfg); err != nil {
		return s.explainBusy(err)
	}
	p.apiURL = p.APIURL()
	if cfg.API {
		if err := s.loadAgents(ctx, p, cfg); err != nil {
			p.Close()
			return err
		}
	}
	s.product = p
	if !cfg.Worker {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	return p.Joined(ctx)
}

// productConfig is the product in a sandbox: simulated providers, a mailbox, keys made on the spot.
func (s *Stack) productConfig() (app.Config, error) {
	metrics := s.cfg.Ports.Metrics
	if metrics == 0 {
		var err error
		if metrics, err = FreePort(); err != nil {
			return app.Config{}, err
		}
	}
	agents, err := s.agentsConfig()
	if err != nil {
		return app.Config{}, err
	}
	secrets := []models.Secret{models.Secret(rand.Text())} // the simulators live in this process and die with it
	cfg := app.Config{
		API: true, Worker: true,
		DatabaseURL: s.database, TemporalAddress: s.temporal, Namespace: Namespace,
		BuildID: worker.DevelopmentBuild, Promote: true,
		Agents: agents, APIAddress: local(s.cfg.Ports.API), MetricsAddress: local(metrics), MailboxAddress: local(s.cfg.Ports.SMTP),
		KeyringFile: filepath.Join(s.cfg.StateDir, "keyring.json"), SigningKeyFile: filepath.Join(s.cfg.StateDir, "signing-key.json"), CreateKeys: true,
		CheckpointFile: filepath.Join(s.cfg.StateDir, "checkpoints.log"),
		Mail:           app.Mail{From: "Tokendesk <no-reply@tokendesk.example>", WebhookSecrets: secrets},
		Payment:        app.Payment{WebhookSecrets: secrets}, Carrier: app.Carrier{WebhookSecrets: secrets}, Proofing: app.Proofing{WebhookSecrets: secrets},
		Seller: documents.Seller{Name: "Tokendesk Inc.", Email: "billing@tokendesk.example", Address: models.Address{
			Name: "Tokendesk Inc.", Line1: "1 Vendor Plaza", City: "New York", Region: "NY", PostalCode: "10001", Country: "US"}},
		Bank:    documents.Bank{Holder: "Tokendesk Inc.", Name: "First Bank", Routing: "021000021", Account: "000123456789"},
		Sandbox: true,
	}
	if s.cfg.Product.Configure != nil {
		s.cfg.Product.Configure(&cfg)
	}
	return cfg, nil
}

func loadDemoData(ctx context.Context, cfg app.Config, file string, at time.Time) (demodata.Secrets, error) {
	st, err := store.Open(ctx, cfg.DatabaseURL)
	if err != nil {
		return demodata.Secrets{}, err
	}
	defer st.Close()
	if cfg.Clock != nil { // a test's own
		at = cfg.Clock()
	}
	// Before the first audit row: a month's partition cannot be made any more once rows of it are in the default one.
	if _, err := st.EnsureAuditPartitions(ctx, at, 3); err != nil {
		return demodata.Secrets{}, err
	}
	return demodata.Load(ctx, st, password.New(password.Baseline, 4), file, at)
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// FreePort is a port of the loopback address that nobody listens on.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", local(0))
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
