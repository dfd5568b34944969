package api

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"tokendesk/internal/devca"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// SEC-1, PRF-8: agents' operations do not exist on the ordinary listener, whoever asks, and all others not on the agents'.
func TestListenersAreApart(t *testing.T) {
	d := newDesk(t)
	agent := d.enter(storetest.Reviewer(t, d.st))
	for _, op := range d.agentSpecimens() {
		d.sendOrdinary(d.specimenRequest(op, "")).problem(models.NoSuchThing)
		for _, role := range models.Roles() {
			d.sendOrdinary(d.specimenRequest(op, d.as(role))).problem(models.NoSuchThing)
		}
		d.sendOrdinary(shown(d.specimenRequest(op, agent.token), agent.leaf)).problem(models.NoSuchThing)
	}
	for _, op := range d.specimens() {
		r := d.specimenRequest(op, d.as(models.RoleSupport))
		d.send(shown(r, agent.leaf)).problem(models.NoSuchThing)
		d.send(d.specimenRequest(op, "")).problem(models.NoSuchThing)
	}
}

// SEC-1, PRF-8: on the agents' listener every operation needs the certificate, and all but the login a session that was opened with it.
func TestAgentsRoles(t *testing.T) {
	d := newDesk(t)
	for _, op := range d.agentSpecimens() {
		t.Run(op.OperationID, func(t *testing.T) {
			agent := d.enter(storetest.Reviewer(t, d.st))
			d.send(d.specimenRequest(op, agent.token)).problem(models.CertificateNotAccepted)
			for _, role := range models.Roles() {
				d.send(d.specimenRequest(op, d.as(role))).problem(models.CertificateNotAccepted)
			}
			if op.OperationID != "startAgentSession" {
				d.send(shown(d.specimenRequest(op, ""), agent.leaf)).problem(models.NotAuthenticated)
				d.send(shown(d.specimenRequest(op, d.as(models.RoleOperator)), agent.leaf)).problem(models.NotAuthenticated)
				d.send(shown(d.specimenRequest(op, "tda_guess"), agent.leaf)).problem(models.NotAuthenticated)
			}
			a := d.send(shown(d.specimenRequest(op, agent.token), agent.leaf))
			refusals := []int{http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed}
			if a.status >= 500 || slices.Contains(refusals, a.status) || a.status == http.StatusUnauthorized && op.OperationID != "startAgentSession" {
				t.Errorf("the agent got %d: %s", a.status, a.body)
			}
		})
	}
}

// PRF-8: a stolen token is worth nothing with another certificate, not even with another one of the same agent, and ends.
func TestStolenToken(t *testing.T) {
	for name, thief := range map[string]func(d *desk, victim *agent) *x509.Certificate{
		"of another agent":  func(d *desk, _ *agent) *x509.Certificate { return d.enter(storetest.Reviewer(d.t, d.st)).leaf },
		"of the same agent": func(d *desk, victim *agent) *x509.Certificate { return d.certificate(victim.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			victim := d.enter(storetest.Reviewer(t, d.st))
			victim.get("/v1/agent/session").want(http.StatusOK)
			d.send(shown(d.request(http.MethodGet, "/v1/agent/session", victim.token, nil), thief(d, victim))).problem(models.NotAuthenticated)
			victim.get("/v1/agent/session").problem(models.NotAuthenticated)
		})
	}
}

// PRF-8: what ends while a connection goes on counts for its next request.
func TestCertificateEndsMeanwhile(t *testing.T) {
	for name, end := range map[string]func(a *agent){
		"revoked": func(a *agent) { storetest.Must(a.t, a.ca.Revoke(a.leaf.SerialNumber, a.now())) },
		"retired": func(a *agent) {
			_, err := a.st.RetireAgent(a.t.Context(), a.ID, models.Actor{ID: "test"}, "left", a.now())
			storetest.Must(a.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			a := d.enter(storetest.Reviewer(t, d.st))
			end(a)
			a.get("/v1/agent/session").want(http.StatusUnauthorized)
			a.send(shown(a.request(http.MethodPost, "/v1/agent/session", "", map[string]any{"code": storetest.AgentCode(a.secret, a.now())}), a.leaf)).want(http.StatusUnauthorized)
		})
	}
}

// PRF-8: wrong codes are told apart from wrong certificates, and throttled.
func TestAgentLoginRefused(t *testing.T) {
	d := newDesk(t)
	a := d.enter(storetest.Reviewer(t, d.st))
	try := func(code any) answer {
		return d.send(shown(d.request(http.MethodPost, "/v1/agent/session", "", map[string]any{"code": code}), a.leaf))
	}
	try(storetest.AgentCode(a.secret, d.now())).problem(models.AgentCodeWrong) // was used
	try("12345").problem(models.InvalidRequest)
	for range 4 {
		try("000000").problem(models.AgentCodeWrong)
	}
	if wait := try(storetest.AgentCode(a.secret, d.now())); wait.header.Get("Retry-After") != "3600" {
		t.Errorf("told to wait %q seconds", wait.header.Get("Retry-After"))
	}
	a.get("/v1/agent/session").want(http.StatusOK) // who is in, stays in
	d.setClock(d.now().Add(time.Hour))
	a.login()
	a.send(shown(a.request(http.MethodDelete, "/v1/agent/session", a.token, nil), a.leaf)).want(http.StatusNoContent)
	a.get("/v1/agent/session").problem(models.NotAuthenticated)
}

// PRF-8: agents' operations say that they need the certificate; only the login needs no session.
func TestAgentSpecification(t *testing.T) {
	h := readSpecification(t)
	for _, op := range h.everySpecimen() {
		if !slices.Contains(op.Tags, agentsTag) {
			if slices.Contains(op.roles, string(models.RoleProofingAgent)) {
				t.Errorf("%s: proofing agents call on their own listener", op.OperationID)
			}
			continue
		}
		want := openapi3.SecurityRequirement{"certificate": {}, "bearer": {}}
		if op.OperationID == "startAgentSession" {
			delete(want, "bearer")
		}
		if op.Security == nil || len(*op.Security) != 1 || len((*op.Security)[0]) != len(want) {
			t.Errorf("%s: security is %v", op.OperationID, op.Security)
			continue
		}
		for scheme := range want {
			if _, ok := (*op.Security)[0][scheme]; !ok {
				t.Errorf("%s: %s is not needed", op.OperationID, scheme)
			}
		}
		if !slices.Equal(op.roles, []string{string(models.RoleProofingAgent)}) {
			t.Errorf("%s: roles are %v", op.OperationID, op.roles)
		}
	}
}

// PRF-8: the two factors, over a real connection.
func TestAgentsConnection(t *testing.T) {
	d := newDesk(t)
	a := storetest.Reviewer(t, d.st)
	secret := storetest.Enrolled(t, d.st, d.ring, a.ID)
	pair, err := d.ca.Issue(devca.AgentTemplate(a.ID, storetest.At))
	storetest.Must(t, err)
	server := httptest.NewUnstartedServer(d.handler)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	client := server.Client()
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{pair}
	r := d.request(http.MethodPost, server.URL+"/v1/agent/session", "", map[string]any{"code": storetest.AgentCode(secret, d.now())})
	r.RequestURI = ""
	got, err := client.Do(r)
	storetest.Must(t, err)
	defer got.Body.Close()
	if got.StatusCode != http.StatusCreated {
		t.Fatalf("status %s", got.Status)
	}
}

// What somebody hostile sends to the agents' listener, in the place of an agent who is logged in (see TestHostileRequests).
func TestHostileAgents(t *testing.T) {
	d := newDesk(t)
	inner := d.handler
	for _, op := range d.agentSpecimens() {
		t.Run(op.OperationID, func(t *testing.T) {
			old := d.t
			d.t, d.handler = t, inner
			defer func() { d.t = old }()
			agent := d.enter(storetest.Reviewer(t, d.st))
			d.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(w, shown(r, agent.leaf)) })
			f := &fuzzer{d.house, op, agent.token}
			f.headers()
			f.parameters()
			f.bodies()
		})
	}
}
