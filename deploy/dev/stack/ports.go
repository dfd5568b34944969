package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Ports are the loopback ports of the stack. Zero means any free one.
type Ports struct {
	API, Agents, Metrics, UI, Temporal, Postgres, SMTP int
}

// DefaultPorts are those of `make run`.
var DefaultPorts = Ports{API: 8080, Agents: 8443, Metrics: 9090, UI: 8233, Temporal: 7233, Postgres: 15432, SMTP: 2525}

// portUse says what listens on a port, and which environment variable moves it.
type portUse struct {
	Port     *int
	What     string
	Variable string
}

// Uses lists the ports with what they are for.
func (p *Ports) uses() []portUse {
	return []portUse{
		{&p.API, "the API", "TOKENDESK_API_PORT"},
		{&p.Agents, "the listener of the proofing agents", "TOKENDESK_AGENTS_PORT"},
		{&p.Metrics, "Prometheus metrics", "TOKENDESK_METRICS_PORT"},
		{&p.UI, "the Temporal UI", "TOKENDESK_UI_PORT"},
		{&p.Temporal, "the Temporal server", "TOKENDESK_TEMPORAL_PORT"},
		{&p.Postgres, "PostgreSQL", "TOKENDESK_POSTGRES_PORT"},
		{&p.SMTP, "the development mailbox (SMTP)", "TOKENDESK_SMTP_PORT"},
	}
}

// Override changes ports to what an environment says.
func (p *Ports) Override(lookup func(variable string) (string, bool)) error {
	for _, use := range p.uses() {
		text, ok := lookup(use.Variable)
		if !ok || text == "" {
			continue
		}
		port, err := strconv.Atoi(text)
		if err != nil || port < 0 || port > 65535 {
			return fmt.Errorf("%s must be a port number from 0 (any free one) to 65535, not %q", use.Variable, text)
		}
		*use.Port = port
	}
	return nil
}

// PortBusyError says that another program listens on a port of the stack.
type PortBusyError struct {
	Port     int
	What     string
	Variable string
}

func (e *PortBusyError) Error() string {
	return fmt.Sprintf("port %d, which %s needs, is in use by another program: stop that one, or choose another port with %s=…", e.Port, e.What, e.Variable)
}

// distinctPorts refuses one port for two services that this stack starts.
func (s *Stack) distinctPorts() error {
	taken := map[int]portUse{}
	for _, use := range s.cfg.Ports.uses() {
		ours := s.wants(use.Variable) || use.Variable == "TOKENDESK_POSTGRES_PORT" && s.cfg.DatabaseURL == ""
		if !ours {
			continue
		}
		other, twice := taken[*use.Port]
		if twice && *use.Port != 0 {
			return fmt.Errorf("port %d is chosen for both %s and %s: choose another port with %s=… or %s=…",
				*use.Port, other.What, use.What, other.Variable, use.Variable)
		}
		taken[*use.Port] = use
	}
	return nil
}

// explainBusy names the service behind an address that somebody took after checkPorts had tried it.
func (s *Stack) explainBusy(err error) error {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	address, ok := op.Addr.(*net.TCPAddr)
	if !ok {
		return err
	}
	for _, use := range s.cfg.Ports.uses() {
		if *use.Port == address.Port && s.wants(use.Variable) {
			return &PortBusyError{Port: address.Port, What: use.What, Variable: use.Variable}
		}
	}
	return err
}

// checkPorts tries all ports before anything is started. PostgreSQL's is left to its own start, since a server that a killed
// stack left running rightly holds it.
func (s *Stack) checkPorts(context.Context) error {
	if err := s.distinctPorts(); err != nil {
		return err
	}
	for _, use := range s.cfg.Ports.uses() {
		port := *use.Port
		if port == 0 || !s.wants(use.Variable) {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			return &PortBusyError{Port: port, What: use.What, Variable: use.Variable}
		}
		if err != nil {
			return fmt.Errorf("%s cannot listen on port %d (%w): choose another port with %s=…", use.What, port, err, use.Variable)
		}
		if err := l.Close(); err != nil {
			return fmt.Errorf("trying port %d: %w", port, err)
		}
	}
	return nil
}

// wants reports whether this stack itself listens on the port that a variable names.
func (s *Stack) wants(variable string) bool {
	switch variable {
	case "TOKENDESK_POSTGRES_PORT":
		return false
	case "TOKENDESK_TEMPORAL_PORT":
		return s.cfg.TemporalAddress == ""
	case "TOKENDESK_UI_PORT":
		return !s.cfg.NoUI
	default:
		return true
	}
}
