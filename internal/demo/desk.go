package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"tokendesk/api/client"
	"tokendesk/internal/otp"
	"tokendesk/models"
)

// desk is a proofing agent at work: behind a client certificate and a second factor (PRF-8).
type desk struct {
	*client.Client
	name string
}

// sitDown logs an agent of the demonstration in.
func (p *play) sitDown(ctx context.Context, name string) (desk, error) {
	agent, ok := p.cfg.Secrets.Agents[name]
	if !ok || p.cfg.AgentsURL == "" {
		return desk{}, errors.New("the stack has no desk for agents")
	}
	ca := func(file string) string { return filepath.Join(p.cfg.AgentsCA, file) }
	pair, err := tls.LoadX509KeyPair(ca("agents/"+agent.AgentID+".pem"), ca("agents/"+agent.AgentID+"-key.pem"))
	if err != nil {
		return desk{}, fmt.Errorf("read an agent's certificate: %w", err)
	}
	authority, err := os.ReadFile(ca("ca.pem"))
	if err != nil {
		return desk{}, fmt.Errorf("read the authority's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	secure := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, Certificates: []tls.Certificate{pair}}}}
	connect := func(token string) (*client.Client, error) {
		return client.NewClient(p.cfg.AgentsURL, client.WithHTTPClient(secure), client.WithToken(token))
	}
	stranger, err := connect("")
	if err != nil {
		return desk{}, err
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(agent.TOTP)
	if err != nil {
		return desk{}, fmt.Errorf("read an agent's second factor: %w", err)
	}
	started, err := p.secondFactor(ctx, stranger, secret)
	if err != nil {
		return desk{}, err
	}
	own, err := connect(started.Token)
	return desk{own, started.Session.Name}, err
}

// secondFactor shows the app's code, where this one was used already the next one, which the app is about to show, and where that one was used too, waits
// for another, as a person would.
func (p *play) secondFactor(ctx context.Context, stranger *client.Client, secret []byte) (started client.StartedAgentSession, err error) {
	for try := range 4 {
		step := otp.Step(otp.App, time.Now())
		if try > 0 {
			step++
		}
		started, err = client.Read[client.StartedAgentSession](stranger.StartAgentSession(ctx, client.AgentLogin{Code: otp.Code(secret, otp.App, step)}))
		if !errors.Is(err, models.AgentCodeWrong) {
			break
		}
		if try > 0 {
			select {
			case <-time.After(time.Until(time.Now().Truncate(otp.App.Period).Add(otp.App.Period))):
			case <-ctx.Done():
				return started, ctx.Err()
			}
		}
	}
	return started, err
}
