// Package engine runs a Temporal server inside the calling process, on PostgreSQL, and its web UI beside it. It is
// for development and tests: one host, no authentication, loopback only.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/temporal"
)

// loopback is the only address that anything here listens on.
const loopback = "127.0.0.1"

// Config says where the server keeps its state and what is to be there when it has started.
type Config struct {
	PostgresURL string // a server on which databases may be created; the database named in it is not used
	Database    string // default store, created when missing; "temporal" when empty. Visibility is beside it, suffix "_visibility"
	Port        int    // of the frontend; 0 for any free one
	MaxConns    int    // connections to each store; 20 when 0

	Namespace        string        // registered when missing
	Retention        time.Duration // how long the namespace keeps closed workflows; 90 days when 0
	SearchAttributes []sdktemporal.SearchAttributeKey

	// Sandbox turns on the server's time skipping, which no production server has.
	Sandbox bool
	// Offset, in a sandbox, returns how far its clock is ahead of real time: new workflows start there.
	Offset func(context.Context) (time.Duration, error)

	Settings map[string]any // further dynamic configuration by key; wins over the defaults
	Log      io.Writer      // the server's log, JSON lines of level warning and above; nil discards it
}

// Engine is a running Temporal server.
type Engine struct {
	server    temporal.Server
	address   string
	namespace string
	log       *tap
}

// Start brings the stores' schemas up to date, starts the server, and returns when workflows of the namespace can be
// started with the search attributes.
func Start(ctx context.Context, cfg Config) (*Engine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	out := &tap{w: cfg.Log}
	logger := newLogger(out)
	if err := setUpStores(ctx, cfg, logger); err != nil {
		return nil, err
	}
	server, err := newServer(cfg, logger)
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("starting the Temporal server: %w", err)
	}
	e := &Engine{server: server, address: address(cfg.Port), namespace: cfg.Namespace, log: out}
	if err := e.register(ctx, cfg); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (cfg Config) withDefaults() (Config, error) {
	if cfg.Namespace == "" {
		return cfg, errors.New("the engine needs the name of a namespace")
	}
	if cfg.Database == "" {
		cfg.Database = "temporal"
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 20
	}
	if cfg.Retention == 0 {
		cfg.Retention = 90 * 24 * time.Hour
	}
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	if cfg.Port == 0 {
		ports, err := freePorts(1)
		if err != nil {
			return cfg, err
		}
		cfg.Port = ports[0]
	}
	return cfg, nil
}

// Address returns host and port of the frontend.
func (e *Engine) Address() string { return e.address }

// Dial returns a client of the engine's namespace. The caller closes it.
func (e *Engine) Dial(options client.Options) (client.Client, error) {
	options.HostPort = e.address
	options.Namespace = e.namespace
	if options.Logger == nil {
		options.Logger = log.NewSdkLogger(log.NewNoopLogger())
	}
	return client.Dial(options)
}

// Close stops the server. It may take some seconds: running tasks are finished first.
func (e *Engine) Close() error {
	e.log.close()
	if err := e.server.Stop(); err != nil {
		return fmt.Errorf("stopping the Temporal server: %w", err)
	}
	return nil
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// freePorts returns ports that nobody listens on, all different.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", address(0))
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer l.Close() // all stay open until the last is chosen, or one could be chosen twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
