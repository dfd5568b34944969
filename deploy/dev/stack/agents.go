package stack

import (
	"context"
	"path/filepath"

	"tokendesk/internal/app"
	"tokendesk/internal/demodata"
	"tokendesk/internal/devca"
	"tokendesk/internal/seal"
)

// agentsDir is where the development authority and its certificates are, below the state directory.
const agentsDir = "agents-ca"

// AgentsCA opens the authority of a state directory, which issues certificates to agents. It is made when missing.
func AgentsCA(stateDir string) (*devca.CA, error) {
	return devca.Open(filepath.Join(stateDir, agentsDir), app.RealClock())
}

// agentsConfig has the authority sign its list anew, and names the files.
func (s *Stack) agentsConfig() (app.Agents, error) {
	ca, err := AgentsCA(s.cfg.StateDir)
	if err != nil {
		return app.Agents{}, err
	}
	at := app.RealClock() // certificates follow the real time, in a sandbox too
	list, err := ca.SignList(at)
	if err != nil {
		return app.Agents{}, err
	}
	server, err := ca.Server([]string{"localhost", "127.0.0.1", "::1"}, at)
	return app.Agents{Address: local(s.cfg.Ports.Agents), CertificateFile: server.CertificateFile, KeyFile: server.KeyFile,
		CAFile: ca.CAFile(), CRLFile: list, Policies: []string{devca.Policy}}, err
}

// loadAgents adds the demo agents, and issues their certificates.
func (s *Stack) loadAgents(ctx context.Context, p *product, cfg app.Config) error {
	ring, err := seal.OpenKeyring(cfg.KeyringFile)
	if err != nil {
		return err
	}
	at := s.clock.Now()
	if cfg.Clock != nil { // a test's own
		at = cfg.Clock()
	}
	if p.secrets, err = demodata.LoadAgents(ctx, p.Store(), ring, p.secrets, p.secretsFile, at); err != nil {
		return err
	}
	ca, err := AgentsCA(s.cfg.StateDir)
	if err != nil {
		return err
	}
	for _, agent := range p.secrets.Agents {
		if _, err := ca.Agent(agent.AgentID, app.RealClock()); err != nil {
			return err
		}
	}
	return nil
}
