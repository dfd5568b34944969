package journey

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	api "tokendesk/api/client"
	"tokendesk/internal/identitydocs"
	"tokendesk/internal/otp"
	"tokendesk/models"
)

// Office is where the proofing agents of a sandbox work: the address of their listener, and the directory of their authority (PRF-8).
type Office struct {
	World   *World
	URL, CA string

	desks []*Desk
}

// Desk is an agent who has logged in, by a certificate and a second factor. It is good for hours of real time, which agents' sessions follow.
type Desk struct {
	*Client
	Name string

	world *World
	token string
}

// Desks lets all agents log in, once.
func (o *Office) Desks(ctx context.Context) ([]*Desk, error) {
	if o.desks != nil {
		return o.desks, nil
	}
	var desks []*Desk
	for name := range o.World.agents {
		d, err := o.sitDown(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s does not get to work: %w", name, err)
		}
		desks = append(desks, d)
	}
	o.desks = desks
	return desks, nil
}

func (o *Office) sitDown(ctx context.Context, name string) (*Desk, error) {
	agent := o.World.agents[name]
	own, err := tls.LoadX509KeyPair(filepath.Join(o.CA, "agents", agent.AgentID+".pem"), filepath.Join(o.CA, "agents", agent.AgentID+"-key.pem"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(filepath.Join(o.CA, "ca.pem"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(agent.TOTP)
	if err != nil {
		return nil, err
	}
	d := &Desk{Name: name, world: o.World, Client: &Client{URL: o.URL, HTTP: &http.Client{Timeout: 15 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{own}}}}}}
	o.World.plantSecrets(agent.TOTP, string(secret))
	for ahead := range int64(2) { // this step's code may have been used: an app shows the next one soon
		var started api.StartedAgentSession
		code := otp.Code(secret, otp.App, otp.Step(otp.App, time.Now())+ahead)
		err = d.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/agent/session", Body: map[string]any{"code": code}}, &started)
		if d.token = started.Token; err == nil {
			o.World.plantSecrets(d.token)
			return d, nil
		}
		if !errors.Is(err, models.AgentCodeWrong) {
			break
		}
	}
	return nil, err
}

// Assigned finds the agent who has an appointment, by the lists of the day, and returns the others as well.
func (o *Office) Assigned(ctx context.Context, a api.Appointment) (mine *Desk, others []*Desk, err error) {
	desks, err := o.Desks(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range desks {
		has, err := d.has(ctx, a)
		switch {
		case err != nil:
			return nil, nil, err
		case has && mine != nil:
			return nil, nil, fmt.Errorf("%s has two agents", a.ID)
		case has:
			mine = d
		default:
			others = append(others, d)
		}
	}
	if mine == nil {
		return nil, nil, fmt.Errorf("%s is on no agent's list", a.ID)
	}
	return mine, others, nil
}

func (d *Desk) has(ctx context.Context, a api.Appointment) (bool, error) {
	var today api.AgentDay
	err := d.Do(ctx, Call{Method: http.MethodGet, Path: "/v1/agent/appointments", Bearer: d.token}, &today)
	for _, e := range today.Items {
		if e.ID == a.ID {
			return e.StartsAt.Equal(a.StartsAt), err
		}
	}
	return false, err
}

// Record records how a session went.
func (d *Desk) Record(ctx context.Context, appointmentID string, outcome api.NewOutcome) (r api.RecordedOutcome, err error) {
	err = d.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/agent/appointments/" + appointmentID + "/outcome", Bearer: d.token, Key: "outcome-" + rand.Text(), Body: outcome}, &r)
	if r.ActivationCode != nil {
		d.world.plantActivationCode(*r.ActivationCode)
	}
	return r, err
}

// Pass reads a passport of the country, which displays the person's name as passports do, and answers every question with yes.
func (d *Desk) Pass(ctx context.Context, p Person, appointmentID string) (api.NewOutcome, error) {
	var a api.AgentAppointment
	err := d.Do(ctx, Call{Method: http.MethodGet, Path: "/v1/agent/appointments/" + appointmentID, Bearer: d.token}, &a)
	expires := a.EndsAt.AddDate(8, 0, 0).Format(time.DateOnly)
	pass := api.NewPass{DocumentType: identitydocs.Passport, Issuer: a.Country, DocumentNumber: "Z0" + rand.Text()[:7], DocumentExpiry: &expires,
		LegalName: strings.ToUpper(p.LastName + ", " + p.FirstName + " " + p.MiddleName), Checklist: api.ChecklistAnswers{Version: a.Checklist.Version}}
	d.world.plantIdentity(pass.DocumentNumber, pass.LegalName)
	for _, q := range a.Checklist.Questions {
		pass.Checklist.Answers = append(pass.Checklist.Answers, api.ChecklistAnswer{Question: q.ID, Yes: true})
	}
	return api.NewOutcome{Outcome: models.PassAppointment, Pass: &pass}, err
}
