// Package clientcert decides which agent a TLS connection was made by (PRF-8): the client certificate is valid now, comes from
// one of our authorities, was issued under a policy of an allow-list, is for client authentication, is not revoked by a list
// that is fresh, and names one agent.
//
// The same question is asked at the handshake and at each request, since a connection may outlive its certificate.
package clientcert

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"tokendesk/models"
)

// URI is the subject alternative name by which a certificate names an agent (RFC 5280, section 4.2.1.6), before the agent's id.
const URI = "urn:tokendesk:agent:"

var agentID = regexp.MustCompile(`^ag_[0-9a-z]{1,40}$`)

// Config says what is believed. The files are read again when they change.
type Config struct {
	CAFile   string   // PEM: the authorities that issue to agents
	CRLFile  string   // PEM or DER: their revocation lists (RFC 5280, section 5)
	Policies []string // certificate policies, as dotted object identifiers; a certificate needs one of them
}

// Identity is who a certificate was issued to.
type Identity struct {
	AgentID     string
	Certificate [sha256.Size]byte // its fingerprint, which sessions are bound to
}

// Gate knows the authorities and what they have revoked. It may be used from many goroutines.
type Gate struct {
	policies    []x509.OID
	authorities *followed[[]*x509.Certificate]
	revocations *followed[[]*x509.RevocationList]
}

// Open reads the files. Errors name a file or a policy that cannot be read.
func Open(c Config) (*Gate, error) {
	g := &Gate{}
	if len(c.Policies) == 0 {
		return nil, errors.New("clientcert: no certificate policy is allowed: nobody could enter")
	}
	for _, text := range c.Policies {
		oid, err := x509.ParseOID(strings.TrimSpace(text))
		if err != nil || oid.EqualASN1OID(anyPolicy) {
			return nil, fmt.Errorf("clientcert: %q is not the object identifier of a certificate policy", text)
		}
		g.policies = append(g.policies, oid)
	}
	var err error
	if g.authorities, err = follow(readCertificates, c.CAFile); err != nil {
		return nil, err
	}
	if g.revocations, err = follow(readRevocations, c.CRLFile); err != nil {
		return nil, err
	}
	return g, nil
}

// TLS is the configuration of a listener that lets agents in and nobody else: TLS 1.3, and no session resumption, so that every
// connection shows its certificate.
func (g *Gate) TLS(server *KeyPair, clock func() time.Time) *tls.Config {
	base := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{"h2", "http/1.1"},
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return server.Certificate(), nil },
		ClientAuth:             tls.RequireAnyClientCert, // Identify verifies it
		SessionTicketsDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := g.Identify(&state, clock())
			if err != nil {
				slog.Warn("client certificate refused", "reason", models.FaultOf(err).Detail, "serial", serialOf(state))
			}
			return err
		},
	}
	hinted := base.Clone()
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := hinted.Clone()
		c.ClientCAs = pool(g.authorities.current()) // tells the client which of its certificates to show
		return c, nil
	}
	return base
}

func serialOf(state tls.ConnectionState) string {
	if len(state.PeerCertificates) == 0 {
		return ""
	}
	return state.PeerCertificates[0].SerialNumber.Text(16)
}

// Identify says whose certificate a connection was made with, as of now. Fault: CertificateNotAccepted, with the reason.
func (g *Gate) Identify(state *tls.ConnectionState, at time.Time) (Identity, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return Identity{}, refuse("there is none")
	}
	leaf := state.PeerCertificates[0]
	// An absent extension would mean any use, which is not enough here.
	if leaf.IsCA || !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return Identity{}, refuse("it is not for client authentication")
	}
	if at.Before(leaf.NotBefore) || at.After(leaf.NotAfter) {
		return Identity{}, refuse("it is not valid now")
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: pool(g.authorities.current()), Intermediates: pool(state.PeerCertificates[1:]),
		CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CertificatePolicies: g.policies})
	if err != nil {
		return Identity{}, refuse("no authority that is trusted here issued it")
	}
	if err := g.accept(chains, at); err != nil {
		return Identity{}, err
	}
	id, err := subject(leaf)
	return Identity{AgentID: id, Certificate: sha256.Sum256(leaf.Raw)}, err
}

// accept looks for a chain of which every certificate is under an allowed policy, and none is revoked.
func (g *Gate) accept(chains [][]*x509.Certificate, at time.Time) (err error) {
	for _, chain := range chains {
		if err = g.acceptChain(chain, at); err == nil {
			return nil
		}
	}
	return err
}

func (g *Gate) acceptChain(chain []*x509.Certificate, at time.Time) error {
	if !slices.ContainsFunc(g.policies, func(p x509.OID) bool { return assertedBy(p, chain[:len(chain)-1]) }) {
		return refuse("it is not issued under a policy that is accepted here")
	}
	lists := g.revocations.current()
	for i, c := range chain[:len(chain)-1] {
		if err := notRevoked(c, chain[i+1], lists, at); err != nil {
			return err
		}
	}
	return nil
}

// subject reads the agent from the one name that says so.
func subject(leaf *x509.Certificate) (string, error) {
	if len(leaf.URIs) != 1 {
		return "", refuse("it does not name one agent")
	}
	id, ok := strings.CutPrefix(leaf.URIs[0].String(), URI)
	if !ok || !agentID.MatchString(id) {
		return "", refuse("it does not name one agent")
	}
	return id, nil
}

func refuse(reason string) error { return models.CertificateNotAccepted.New("%s", reason) }
