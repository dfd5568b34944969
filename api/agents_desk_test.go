package api

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/internal/checklist"
	"tokendesk/internal/clientcert"
	"tokendesk/internal/devca"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// desk is the agents' listener, with the ordinary one over the same database beside it.
type desk struct {
	*house
	ordinary http.Handler
	ca       *devca.CA
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{}
	var err error
	d.ca, err = devca.Open(t.TempDir(), storetest.At)
	storetest.Must(t, err)
	list, err := d.ca.SignList(storetest.At)
	storetest.Must(t, err)
	var plain Config
	d.house = newHouse(t, func(c *Config) {
		plain = *c
		c.Certificates, err = clientcert.Open(clientcert.Config{CAFile: d.ca.CAFile(), CRLFile: list, Policies: []string{devca.Policy}})
		storetest.Must(t, err)
		c.TimeMachine = nil
	})
	d.ordinary, err = New(plain)
	storetest.Must(t, err)
	return d
}

// certificate is a new one of an agent.
func (d *desk) certificate(agentID string) *x509.Certificate {
	d.t.Helper()
	c, err := d.ca.Issue(devca.AgentTemplate(agentID, storetest.At))
	storetest.Must(d.t, err)
	return c.Leaf
}

// shown shows a certificate with a request.
func shown(r *http.Request, c *x509.Certificate) *http.Request {
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
	return r
}

// sendOrdinary serves a request on the ordinary listener.
func (d *desk) sendOrdinary(r *http.Request) answer {
	d.t.Helper()
	agents := d.handler
	d.handler = d.ordinary
	defer func() { d.handler = agents }()
	return d.send(r)
}

// agent is one who is logged in.
type agent struct {
	*desk
	models.Agent
	secret models.SecretBytes
	token  models.Secret
	leaf   *x509.Certificate
}

// enter enrols an agent and logs it in.
func (d *desk) enter(a models.Agent) *agent {
	d.t.Helper()
	one := &agent{desk: d, Agent: a, secret: storetest.Enrolled(d.t, d.st, d.ring, a.ID), leaf: d.certificate(a.ID)}
	one.login()
	return one
}

func (a *agent) login() {
	a.t.Helper()
	answer := a.send(shown(a.request(http.MethodPost, "/v1/agent/session", "", map[string]any{"code": storetest.AgentCode(a.secret, a.now())}), a.leaf)).want(http.StatusCreated)
	a.token = models.Secret(read[gen.StartedAgentSession](answer).Token)
}

func (a *agent) get(path string) answer {
	a.t.Helper()
	return a.send(shown(a.request(http.MethodGet, path, a.token, nil), a.leaf))
}

func (a *agent) post(path string, body any, headers ...string) answer {
	a.t.Helper()
	return a.send(shown(a.request(http.MethodPost, path, a.token, body, headers...), a.leaf))
}

// sessionOf is a live video session that is booked, with its agent logged in when it has begun.
func (d *desk) sessionOf(options ...storetest.AccountOption) (*agent, storetest.LiveSession) {
	d.t.Helper()
	session := storetest.LiveSessionOf(d.t, d.st, d.ring, storetest.Account(d.t, d.st, options...))
	d.setClock(session.StartsAt.Add(5 * time.Minute))
	return d.enter(session.Agent), session
}

// passBody is a faultless pass of Ada Lovelace as the API takes it.
func passBody(session storetest.LiveSession) map[string]any {
	o := storetest.PassOf(session)
	answers := []any{}
	for _, q := range checklist.Current().Questions {
		answers = append(answers, map[string]any{"question": q.ID, "yes": o.Pass.Checklist[q.ID]})
	}
	return map[string]any{"outcome": "pass", "pass": map[string]any{"document_type": "passport", "issuer": "US", "document_number": storetest.DocumentNumber.Reveal(),
		"legal_name": storetest.DocumentName.Reveal(), "document_expiry": o.Pass.Document.Expires,
		"checklist": map[string]any{"version": o.Pass.ChecklistVersion, "answers": answers}}}
}

func outcomePath(session storetest.LiveSession) string {
	return "/v1/agent/appointments/" + session.ID + "/outcome"
}
