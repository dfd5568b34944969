package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"tokendesk/api/client"
	"tokendesk/internal/demodata"
	"tokendesk/models"
)

// person is somebody who buys a token, and what becomes of it.
type person struct {
	first, middle, last     string
	userID, email, password string
	api                     *client.Client
	sku                     string // of what is bought; empty: a token without proofing
	documents               string // country that proves who it is; empty: US

	order, invoice string // numbers
	total          models.Money
	transfer       client.NewPayment // the last one
	key            string
	shipment       string
	tracking       string
	token          token
	credential     string
	expires        time.Time // the end of its term, as it was when it was activated or renewed
	refund         string
	proofing       string
	session        time.Time // when the live video session begins
	code           string    // the activation code
	spent          string    // the last code that was accepted
}

func (w *person) legalName() string {
	return strings.Join(strings.Fields(w.first+" "+w.middle+" "+w.last), " ")
}

func (w *person) address() client.Address {
	return client.Address{Name: w.first + " " + w.last, Line1: "12 Elm Street", City: "Springfield", Region: "IL", PostalCode: "62701", Country: "US"}
}

// newTag makes a short name for a run that no other run has.
func newTag() string { return strings.ToLower(rand.Text()[:10]) }

// openLogins gives both a login of this run's own: a person has at most one live hardware token (MGT-5).
func openLogins(ctx context.Context, p *play) (scene, error) {
	known, err := client.Read[client.Account](p.support.GetAccount(ctx, p.cfg.Secrets.People["ada"].AccountID))
	if err != nil {
		return scene{}, err
	}
	p.organization = known.OrganizationID
	err = p.openLogin(ctx, p.ada, models.RoleSubscriber)
	if err == nil {
		err = p.openLogin(ctx, p.grace, models.RoleSubscriber, models.RoleOrgAdmin)
	}
	return scene{outcome: fmt.Sprintf("Both work at the same pharmacy, whose administrator Grace is, and have logged in: as %s and %s.", p.ada.userID, p.grace.userID)}, err
}

// openLogin gives somebody a login of this run's own, and logs in with it.
func (p *play) openLogin(ctx context.Context, w *person, roles ...models.Role) error {
	w.userID = strings.ToLower(w.first) + "." + p.tag
	w.email = w.userID + "@pharmacies.example"
	w.password = rand.Text()
	account := client.NewAccount{UserID: w.userID, Email: w.email, FirstName: w.first, LastName: w.last, Country: "US", Password: &w.password,
		OrganizationID: p.organization, Roles: roles}
	if w.middle != "" {
		account.MiddleName = &w.middle
	}
	if _, err := client.Read[client.Account](p.support.CreateAccount(ctx, nil, account)); err != nil {
		return err
	}
	session, err := p.login(ctx, w)
	return all(err, same("the strength of a login by password", session.Strength, models.StrengthPassword))
}

// login starts a new session of a person.
func (p *play) login(ctx context.Context, w *person) (client.Session, error) {
	started, err := client.Read[client.StartedSession](p.support.CreateSession(ctx, client.NewSession{UserID: w.userID, Password: w.password}))
	if err != nil {
		return client.Session{}, err
	}
	w.api, err = client.Connect(p.cfg.APIURL, started.Token)
	return started.Session, err
}

// token is a token in somebody's hand.
type token struct {
	maker   demodata.TokenMaker
	serial  string
	counter int64
}

// press shows the next code.
func (t *token) press() string {
	t.counter++
	return t.maker.Code(t.serial, t.counter-1)
}

// hopeless counts codes that the token shows at none of its next counters, beyond any window of the policy.
func (t *token) hopeless(n int) []string {
	shown := map[string]bool{}
	for ahead := range int64(2000) {
		shown[t.maker.Code(t.serial, t.counter+ahead)] = true
	}
	var codes []string
	for guess := 0; len(codes) < n; guess++ {
		if code := fmt.Sprintf("%06d", guess); !shown[code] {
			codes = append(codes, code)
		}
	}
	return codes
}

// maskedCode is a code as a story may show it.
func maskedCode(code string) string { return strings.Repeat("•", len(code)-2) + code[len(code)-2:] }

// maskedKey shows the last four characters of a license key, as support sees it.
func maskedKey(key string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' {
			return r
		}
		return '•'
	}, key[:len(key)-4]) + key[len(key)-4:]
}
