package app

import (
	"context"
	"fmt"
	"log/slog"

	"tokendesk/api"
	"tokendesk/internal/clientcert"
)

// Agents says where proofing agents are served, and which client certificates are theirs (PRF-8). All files are PEM, and read again when they
// change.
type Agents struct {
	Address         string // host:port; empty: agents are not served here
	CertificateFile string // of the server, with its chain
	KeyFile         string
	CAFile          string // the authorities that issue to agents
	CRLFile         string // what they have revoked
	Policies        []string
}

// AgentsURL is where agents are served, without a trailing slash; empty where they are not.
func (a *App) AgentsURL() string { return a.agentsURL }

// startAgents serves the agents' operations, over TLS with their client certificates only.
func (a *App) startAgents(ctx context.Context) error {
	c := a.cfg.Agents
	if !a.cfg.API || c.Address == "" {
		return nil
	}
	gate, err := clientcert.Open(clientcert.Config{CAFile: c.CAFile, CRLFile: c.CRLFile, Policies: c.Policies})
	if err != nil {
		return fmt.Errorf("read who issues the agents' certificates: %w", err)
	}
	pair, err := clientcert.OpenKeyPair(c.CertificateFile, c.KeyFile)
	if err != nil {
		return fmt.Errorf("read the certificate of the agents' listener: %w", err)
	}
	cfg := a.apiConfig()
	cfg.Certificates, cfg.Sandbox, cfg.TimeMachine = gate, nil, nil
	h, err := api.New(cfg)
	if err != nil {
		return err
	}
	l, err := listen(ctx, c.Address)
	if err != nil {
		return err
	}
	a.agentsURL = "https://" + l.Addr().String()
	s := newServer(h)
	s.TLSConfig = gate.TLS(pair, RealClock)
	s.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo) // every stranger's handshake; the gate says what it refuses
	a.servers = append(a.servers, s)
	a.running.Go(func() { report("server on "+l.Addr().String(), s.ServeTLS(l, "", "")) })
	return nil
}
