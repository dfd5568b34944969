package stack_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/internal/otp"
)

// PRF-8: the stack serves its demo agents behind certificates of its own authority, and nobody else.
func TestAgentsAreServed(t *testing.T) {
	s := stacktest.Start(t, nil)
	at, mary := s.Record(), s.Secrets().Agents["mary"]
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(at.AgentsCA, "ca.pem"))
	if err != nil || !roots.AppendCertsFromPEM(ca) {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(at.AgentsCA, "agents", mary.AgentID+".pem"), filepath.Join(at.AgentsCA, "agents", mary.AgentID+"-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	login := func(certificates ...tls.Certificate) (*http.Response, error) {
		secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(mary.TOTP)
		if err != nil {
			t.Fatal(err)
		}
		code := otp.Code(secret, otp.App, otp.Step(otp.App, time.Now()))
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates}, DisableKeepAlives: true}}
		return client.Post(at.AgentsURL+"/v1/agent/session", "application/json", strings.NewReader(fmt.Sprintf(`{"code":%q}`, code)))
	}
	if r, err := login(); err == nil {
		r.Body.Close()
		t.Errorf("without a certificate: %s", r.Status)
	}
	r, err := login(pair)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusCreated {
		t.Errorf("an agent logs in: %s", r.Status)
	}
}
