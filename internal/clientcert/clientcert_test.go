package clientcert_test

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tokendesk/internal/clientcert"
	"tokendesk/internal/devca"
	"tokendesk/models"
)

const agent = "ag_01m8q2x7v0k3n5"

var at = time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)

// desk is a listener that answers an agent with its id.
type desk struct {
	t    *testing.T
	ca   *devca.CA
	gate *clientcert.Gate
	url  string
	now  atomic.Pointer[time.Time]
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	t.Parallel()
	d := &desk{t: t}
	d.setClock(at)
	var err error
	d.ca, err = devca.Open(t.TempDir(), at)
	must(t, err)
	list, err := d.ca.SignList(at)
	must(t, err)
	d.gate, err = clientcert.Open(clientcert.Config{CAFile: d.ca.CAFile(), CRLFile: list, Policies: []string{devca.Policy}})
	must(t, err)
	pair, err := d.ca.Server([]string{"localhost", "127.0.0.1"}, at)
	must(t, err)
	server, err := clientcert.OpenKeyPair(pair.CertificateFile, pair.KeyFile)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &http.Server{TLSConfig: d.gate.TLS(server, d.clock), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := d.gate.Identify(r.TLS, d.clock())
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, id.AgentID)
	})}
	go func() { _ = s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = s.Close() })
	d.url = "https://" + l.Addr().String()
	return d
}

func (d *desk) clock() time.Time      { return *d.now.Load() }
func (d *desk) setClock(to time.Time) { d.now.Store(&to) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// issue makes a certificate of the desk's own authority.
func (d *desk) issue(change func(*devca.Template)) tls.Certificate {
	d.t.Helper()
	return issue(d.t, d.ca, change)
}

func issue(t *testing.T, ca *devca.CA, change func(*devca.Template)) tls.Certificate {
	t.Helper()
	template := devca.AgentTemplate(agent, at)
	if change != nil {
		change(&template)
	}
	c, err := ca.Issue(template)
	must(t, err)
	return c
}

// client shows a certificate, whatever the server says that it takes.
func (d *desk) client(c *tls.Certificate, newest uint16) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(d.ca.Certificate)
	cfg := &tls.Config{RootCAs: roots, MaxVersion: newest, Time: d.clock}
	if c != nil {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }
	}
	transport := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
	d.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (d *desk) enter(c *http.Client) (int, string, error) {
	r, err := c.Get(d.url)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return r.StatusCode, string(body), err
}

// PRF-8: who is let in by a real handshake, and who is not.
func TestHandshake(t *testing.T) {
	foreign, err := devca.Open(t.TempDir(), at)
	must(t, err)
	for name, c := range map[string]struct {
		certificate func(d *desk) *tls.Certificate
		newest      uint16
		clock       time.Duration
		enters      bool
	}{
		"an agent":               {func(d *desk) *tls.Certificate { return ptr(d.issue(nil)) }, tls.VersionTLS13, 0, true},
		"no certificate":         {func(*desk) *tls.Certificate { return nil }, tls.VersionTLS13, 0, false},
		"TLS 1.2":                {func(d *desk) *tls.Certificate { return ptr(d.issue(nil)) }, tls.VersionTLS12, 0, false},
		"of a foreign authority": {func(d *desk) *tls.Certificate { return ptr(issue(d.t, foreign, nil)) }, tls.VersionTLS13, 0, false},
		"revoked": {func(d *desk) *tls.Certificate {
			c := d.issue(nil)
			must(d.t, d.ca.Revoke(c.Leaf.SerialNumber, at))
			return &c
		}, tls.VersionTLS13, 0, false},
		"another one is revoked": {func(d *desk) *tls.Certificate {
			must(d.t, d.ca.Revoke(d.issue(nil).Leaf.SerialNumber, at))
			return ptr(d.issue(nil))
		}, tls.VersionTLS13, 0, true},
		"expired":                         {changed(func(c *devca.Template) { c.NotAfter = at.Add(-time.Second) }), tls.VersionTLS13, 0, false},
		"not valid yet":                   {changed(func(c *devca.Template) { c.NotBefore = at.Add(time.Minute) }), tls.VersionTLS13, 0, false},
		"under another policy":            {changed(func(c *devca.Template) { c.Policies = []string{"1.3.6.1.4.1.32473.2.2"} }), tls.VersionTLS13, 0, false},
		"under any policy":                {changed(func(c *devca.Template) { c.Policies = []string{"2.5.29.32.0"} }), tls.VersionTLS13, 0, false},
		"under several policies":          {changed(func(c *devca.Template) { c.Policies = append(c.Policies, "1.3.6.1.4.1.32473.2.2") }), tls.VersionTLS13, 0, true},
		"under no policy":                 {changed(func(c *devca.Template) { c.Policies = nil }), tls.VersionTLS13, 0, false},
		"of a server":                     {changed(func(c *devca.Template) { c.Uses = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), tls.VersionTLS13, 0, false},
		"without a use":                   {changed(func(c *devca.Template) { c.Uses = nil }), tls.VersionTLS13, 0, false},
		"for any use":                     {changed(func(c *devca.Template) { c.Uses = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), tls.VersionTLS13, 0, false},
		"of nobody":                       {changed(func(c *devca.Template) { c.AgentIDs = nil }), tls.VersionTLS13, 0, false},
		"of two agents":                   {changed(func(c *devca.Template) { c.AgentIDs = []string{agent, "ag_2"} }), tls.VersionTLS13, 0, false},
		"of something else than an agent": {changed(func(c *devca.Template) { c.AgentIDs = []string{"ac_1"} }), tls.VersionTLS13, 0, false},
		"of an id with something behind":  {changed(func(c *devca.Template) { c.AgentIDs = []string{agent + "#x"} }), tls.VersionTLS13, 0, false},
		"the revocation list is stale":    {func(d *desk) *tls.Certificate { return ptr(d.issue(nil)) }, tls.VersionTLS13, 31 * 24 * time.Hour, false},
		"the revocation list is of later": {func(d *desk) *tls.Certificate { return ptr(d.issue(nil)) }, tls.VersionTLS13, -10 * time.Minute, false},
		"the revocation list is the last's": {func(d *desk) *tls.Certificate {
			_, err := d.ca.SignList(at.AddDate(0, 0, 30))
			must(d.t, err)
			return ptr(d.issue(nil))
		}, tls.VersionTLS13, 31 * 24 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			certificate := c.certificate(d)
			d.setClock(at.Add(c.clock))
			status, body, err := d.enter(d.client(certificate, c.newest))
			if c.enters && (err != nil || status != http.StatusOK || body != agent) {
				t.Errorf("was not let in: %d %q %v", status, body, err)
			}
			if !c.enters && err == nil {
				t.Errorf("was let in: %d %q", status, body)
			}
		})
	}
}

func ptr(c tls.Certificate) *tls.Certificate { return &c }

func changed(change func(*devca.Template)) func(*desk) *tls.Certificate {
	return func(d *desk) *tls.Certificate { return ptr(d.issue(change)) }
}

// PRF-8: a certificate that is revoked while its connection goes on opens nothing any more.
func TestRevokedDuringConnection(t *testing.T) {
	d := newDesk(t)
	c := d.issue(nil)
	client := d.client(&c, tls.VersionTLS13)
	if status, _, err := d.enter(client); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	must(t, d.ca.Revoke(c.Leaf.SerialNumber, at.Add(time.Second)))
	if status, body, err := d.enter(client); err != nil || status != http.StatusUnauthorized || !strings.Contains(body, "it is revoked") {
		t.Errorf("over the old connection: %d %q %v", status, body, err)
	}
}

// PRF-8: a list that cannot be read leaves the one before, until that is stale; one of a foreign authority says nothing of ours.
func TestRevocationList(t *testing.T) {
	d := newDesk(t)
	list := filepath.Join(d.ca.Dir, "crl.pem")
	good, err := os.ReadFile(list)
	must(t, err)
	c := d.issue(nil)
	state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c.Leaf}}
	must(t, os.WriteFile(list, good[:len(good)/2], 0o600))
	if _, err := d.gate.Identify(state, at); err != nil {
		t.Errorf("half a list: %v", err)
	}
	foreign, err := devca.Open(t.TempDir(), at)
	must(t, err)
	other, err := foreign.SignList(at)
	must(t, err)
	content, err := os.ReadFile(other)
	must(t, err)
	must(t, os.WriteFile(list, content, 0o600))
	wantRefused(t, d.gate, state, at, "no revocation list")
	must(t, os.WriteFile(list, append(content, good...), 0o600))
	if _, err := d.gate.Identify(state, at); err != nil {
		t.Errorf("both lists: %v", err)
	}
	wantRefused(t, d.gate, state, at.AddDate(0, 0, 30), "stale")
}

// RFC 5280, section 5.2: a list that is critically limited is no list of everything.
func TestLimitedRevocationList(t *testing.T) {
	d := newDesk(t)
	key, err := tls.LoadX509KeyPair(filepath.Join(d.ca.Dir, "ca.pem"), filepath.Join(d.ca.Dir, "ca-key.pem"))
	must(t, err)
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(9), ThisUpdate: at, NextUpdate: at.AddDate(0, 0, 1),
		ExtraExtensions: []pkix.Extension{{Id: []int{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}}}, d.ca.Certificate, key.PrivateKey.(crypto.Signer))
	must(t, err)
	file := filepath.Join(t.TempDir(), "crl.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o600))
	if _, err := clientcert.Open(clientcert.Config{CAFile: d.ca.CAFile(), CRLFile: file, Policies: []string{devca.Policy}}); err == nil {
		t.Error("a limited list was taken")
	}
}

func wantRefused(t *testing.T, g *clientcert.Gate, state *tls.ConnectionState, at time.Time, reason string) {
	t.Helper()
	_, err := g.Identify(state, at)
	if f := models.FaultOf(err); err == nil || f.Type != models.CertificateNotAccepted || !strings.Contains(f.Detail, reason) {
		t.Errorf("got %v, want a refusal because of %q", err, reason)
	}
}

// A certificate that was rotated is shown without a restart.
func TestServerCertificateRotates(t *testing.T) {
	d := newDesk(t)
	pair, err := d.ca.Server(nil, at)
	must(t, err)
	k, err := clientcert.OpenKeyPair(pair.CertificateFile, pair.KeyFile)
	must(t, err)
	before := k.Certificate().Leaf.SerialNumber
	if _, err := d.ca.Server(nil, at.AddDate(0, 11, 10)); err != nil {
		t.Fatal(err)
	}
	if after := k.Certificate().Leaf.SerialNumber; before.Cmp(after) == 0 {
		t.Error("the old certificate is still shown")
	}
}

func TestOpen(t *testing.T) {
	d := newDesk(t)
	ca, crl := d.ca.CAFile(), filepath.Join(d.ca.Dir, "crl.pem")
	server, err := d.ca.Server(nil, at)
	must(t, err)
	for name, c := range map[string]clientcert.Config{
		"no policy":                 {CAFile: ca, CRLFile: crl},
		"no identifier":             {CAFile: ca, CRLFile: crl, Policies: []string{"agents"}},
		"any policy":                {CAFile: ca, CRLFile: crl, Policies: []string{"2.5.29.32.0"}},
		"no authority":              {CAFile: crl, CRLFile: crl, Policies: []string{devca.Policy}},
		"an authority that is none": {CAFile: server.CertificateFile, CRLFile: crl, Policies: []string{devca.Policy}},
		"no list":                   {CAFile: ca, CRLFile: ca, Policies: []string{devca.Policy}},
		"no file":                   {CAFile: ca, CRLFile: crl + ".none", Policies: []string{devca.Policy}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := clientcert.Open(c); err == nil {
				t.Error("was opened")
			}
		})
	}
}

// PRF-8: authorities between the trusted one and the agent carry the policy as well, send a fresh list, and are not revoked.
func TestAuthorityBetween(t *testing.T) {
	anything := []string{"2.5.29.32.0"}
	for name, c := range map[string]struct {
		policies []string
		do       func(d *desk, between *devca.CA)
		reason   string // empty: the agent is let in
	}{
		"under the same policy": {policies: []string{devca.Policy}},
		"under any policy":      {policies: anything},
		"under another policy":  {policies: []string{"1.3.6.1.4.1.32473.2.2"}, reason: "not issued under a policy"},
		"under no policy":       {reason: "not issued under a policy"},
		"revoked": {policies: anything, reason: "it is revoked", do: func(d *desk, between *devca.CA) {
			must(d.t, d.ca.Revoke(between.Certificate.SerialNumber, at))
			d.lists(d.ca, between)
		}},
		"without a list of its own": {policies: anything, reason: "no revocation list", do: func(d *desk, _ *devca.CA) { d.lists(d.ca) }},
		"without a list above it":   {policies: anything, reason: "no revocation list", do: func(d *desk, between *devca.CA) { d.lists(between) }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			between, err := d.ca.Below(t.TempDir(), c.policies, at)
			must(t, err)
			d.lists(d.ca, between)
			if c.do != nil {
				c.do(d, between)
			}
			leaf := issue(t, between, nil).Leaf
			state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf, between.Certificate}}
			if c.reason != "" {
				wantRefused(t, d.gate, state, at, c.reason)
			} else if id, err := d.gate.Identify(state, at); err != nil || id.AgentID != agent {
				t.Errorf("got %s: %v", id.AgentID, err)
			}
			state.PeerCertificates = state.PeerCertificates[:1]
			wantRefused(t, d.gate, state, at, "no authority")
		})
	}
}

// lists puts fresh lists of authorities into the desk's file.
func (d *desk) lists(of ...*devca.CA) {
	d.t.Helper()
	var all []byte
	for _, ca := range of {
		file, err := ca.SignList(at)
		must(d.t, err)
		content, err := os.ReadFile(file)
		must(d.t, err)
		all = append(all, content...)
	}
	file := filepath.Join(d.ca.Dir, "crl.pem")
	must(d.t, os.WriteFile(file+".new", all, 0o600))
	must(d.t, os.Rename(file+".new", file))
}
