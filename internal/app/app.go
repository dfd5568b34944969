package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.temporal.io/sdk/client"
	temporallog "go.temporal.io/sdk/log"
	temporalworker "go.temporal.io/sdk/worker"
	"tokendesk/activities"
	"tokendesk/api"
	"tokendesk/internal/calendar"
	"tokendesk/internal/password"
	"tokendesk/internal/seal"
	"tokendesk/models/store"
	"tokendesk/worker"
	"tokendesk/workflows"
)

// App is a running Tokendesk.
type App struct {
	cfg       Config
	store     *store.Store
	engine    client.Client
	keyring   *seal.Keyring
	signer    *seal.Signer
	gateways  gateways
	time      timeMachine
	registry  *prometheus.Registry
	worker    temporalworker.Worker
	joined    chan struct{} // closed when the build is in use
	listener  net.Listener
	servers   []*http.Server
	apiURL    string
	agentsURL string
	stop      context.CancelFunc
	running   sync.WaitGroup
}

// Start starts what the configuration asks for and returns when the API listens. Neither part needs the engine to be up: facts
// wait in the database until it is. The caller closes it.
func Start(ctx context.Context, cfg Config) (*App, error) {
	a := &App{cfg: cfg, registry: prometheus.NewRegistry(), joined: make(chan struct{})}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	ctx, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, part := range []func(context.Context) error{a.openStore, a.openKeys, a.dial, a.openClock, a.listen, a.openGateways, a.startAPI, a.startAgents, a.startWorker, a.startMetrics} {
		if err := part(ctx); err != nil {
			a.Close()
			return nil, err
		}
	}
	return a, nil
}

// RealClock is the vendor's now outside a sandbox: real time in the database's precision.
func RealClock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// APIURL is where the API listens, without a trailing slash.
func (a *App) APIURL() string { return a.apiURL }

// Store is the application's database.
func (a *App) Store() *store.Store { return a.store }

// Close stops everything in order: no new requests, then no new work, then the connections.
func (a *App) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, s := range a.servers {
		_ = s.Shutdown(ctx) // what does not finish in time is repeated by its caller under the same idempotency key
	}
	a.stop()
	if a.worker != nil {
		a.worker.Stop()
	}
	a.running.Wait()
	a.gateways.close()
	if a.engine != nil {
		a.engine.Close()
	}
	if a.store != nil {
		a.store.Close()
	}
}

func (a *App) openStore(ctx context.Context) (err error) {
	a.store, err = store.Open(ctx, a.cfg.DatabaseURL)
	return err
}

func (a *App) openKeys(context.Context) (err error) {
	openKeyring, openSigner := seal.OpenKeyring, seal.OpenSigner
	if a.cfg.CreateKeys {
		openKeyring, openSigner = seal.OpenOrCreateKeyring, seal.OpenOrCreateSigner
	}
	if a.keyring, err = openKeyring(a.cfg.KeyringFile); err != nil {
		return fmt.Errorf("open the keyring: %w", err)
	}
	if a.signer, err = openSigner(a.cfg.SigningKeyFile); err != nil {
		return fmt.Errorf("open the signing key: %w", err)
	}
	return nil
}

func (a *App) dial(context.Context) (err error) {
	a.engine, err = client.NewLazyClient(client.Options{HostPort: a.cfg.TemporalAddress, Namespace: a.cfg.Namespace, Identity: "tokendesk", // no host names in histories
		Logger: temporallog.NewStructuredLogger(slog.Default())})
	if err != nil {
		return fmt.Errorf("configure the engine's client: %w", err)
	}
	return nil
}

// run starts a loop that Close waits for.
func (a *App) run(ctx context.Context, loop func(context.Context)) {
	a.running.Go(func() { loop(ctx) })
}

func (a *App) startWorker(ctx context.Context) error {
	if !a.cfg.Worker {
		return nil
	}
	composer := &activities.Composer{Store: a.store, Opener: a.keyring, From: a.cfg.Mail.From, Seller: a.cfg.Seller, Bank: a.cfg.Bank, Site: a.site()}
	mailer := &activities.Mailer{Store: a.store, Composer: composer, Mail: a.gateways.mail}
	refunds := &activities.Refunds{Store: a.store, Payments: a.gateways.payments}
	w, err := worker.New(a.engine, a.cfg.BuildID, a.steps(refunds)...)
	if err != nil {
		return err
	}
	a.worker = w
	lifecycles := workflows.NewClient(a.engine)
	a.run(ctx, func(ctx context.Context) { a.keepStarting(ctx, w) })
	a.run(ctx, (&worker.Dispatcher{Store: a.store, Client: lifecycles, Clock: a.cfg.Clock, Bell: &a.time.bell}).Run)
	a.run(ctx, (&worker.Housekeeper{Store: a.store, Client: lifecycles, Mailer: mailer, Refunds: refunds, Clock: a.cfg.Clock, CodeClock: RealClock, Bell: &a.time.bell}).Run)
	a.run(ctx, (&worker.Sealer{Store: a.store, Signer: a.signer, Clock: a.cfg.Clock, CheckpointFile: a.cfg.CheckpointFile}).Run)
	return nil
}

// site is where the pages are that mails link to.
func (a *App) site() string {
	if a.cfg.SiteURL == "" && a.cfg.Sandbox {
		return a.apiURL
	}
	return a.cfg.SiteURL
}

// steps are what lifecycles ask for, with what they do it with.
func (a *App) steps(refunds *activities.Refunds) []worker.Steps {
	return []worker.Steps{
		&activities.Orders{Store: a.store, Payments: a.gateways.payments, Sealer: a.keyring},
		&activities.Shipping{Store: a.store, Carrier: a.gateways.carrier, Calendar: calendar.Carrier(time.UTC)},
		refunds,
		&activities.Credentials{Store: a.store, Sealer: a.keyring, Hasher: password.New(password.Baseline, 4)},
		&activities.Proofing{Store: a.store, Identity: a.gateways.identity, Meetings: a.gateways.meetings, Post: a.gateways.post, Seller: a.cfg.Seller},
	}
}

// listen takes the API's address first, so that simulators know where to push their webhooks.
func (a *App) listen(ctx context.Context) (err error) {
	if !a.cfg.API {
		return nil
	}
	if a.listener, err = listen(ctx, a.cfg.APIAddress); err == nil {
		a.apiURL = "http://" + a.listener.Addr().String()
	}
	return err
}

func (a *App) startAPI(context.Context) error {
	if !a.cfg.API {
		return nil
	}
	h, err := api.New(a.apiConfig())
	if err != nil {
		return err
	}
	a.serve(a.listener, h)
	return nil
}

func (a *App) startMetrics(ctx context.Context) error {
	if a.cfg.MetricsAddress == "" {
		return nil
	}
	l, err := listen(ctx, a.cfg.MetricsAddress)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}))
	if a.cfg.Worker {
		mux.HandleFunc("GET /readyz", a.showWorker)
	}
	a.serve(l, mux)
	return nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

func (a *App) serve(l net.Listener, h http.Handler) {
	s := newServer(h)
	a.servers = append(a.servers, s)
	a.running.Go(func() { report("server on "+l.Addr().String(), s.Serve(l)) })
}

func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
}

// report logs the end of a part that should not have ended.
func report(part string, err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.Canceled) {
		slog.Error("a part has ended", "part", part, "error", err)
	}
}
