package models_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
	"tokendesk/models"
)

// SEC-5: a secret shows itself in no rendering.
func TestSecretsRedactThemselves(t *testing.T) {
	type holder struct {
		Key  models.Secret
		Seed models.SecretBytes
	}
	h := holder{"ABCD-EFGH", models.SecretBytes("raw seed")}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", h.Key, "seed", h.Seed, "both", h)
	raw, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"%v": fmt.Sprintf("%v", h), "%+v": fmt.Sprintf("%+v", h), "%#v": fmt.Sprintf("%#v", h), "%s": fmt.Sprintf("%s %s", h.Key, h.Seed),
		"%q": fmt.Sprintf("%q", h.Key), "%x": fmt.Sprintf("%x", h.Key), "json": string(raw), "slog": log.String(),
	} {
		for _, leak := range []string{"ABCD", "raw seed", fmt.Sprintf("%x", "ABCD"), "114 97 119"} {
			if strings.Contains(text, leak) {
				t.Errorf("%s shows the secret: %s", name, text)
			}
		}
	}
}

// ORD-7: amounts are whole minor units and read as people write them.
func TestMoneyReads(t *testing.T) {
	for want, m := range map[string]models.Money{
		"USD 49.00": {Minor: 4900, Currency: models.USD}, "USD 0.05": {Minor: 5, Currency: models.USD}, "EUR -1,234,567.89": {Minor: -123456789, Currency: models.EUR},
		"JPY 1,200": {Minor: 1200, Currency: models.JPY}, "USD 0.00": {Currency: models.USD},
	} {
		if got := m.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// ORD-4: whatever is received is either applied or unapplied, and never more is applied than is due.
func TestAllocateKeepsEveryCent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		status := rapid.SampledFrom([]models.InvoiceStatus{models.InvoiceOpen, models.InvoicePaid, models.InvoiceVoid}).Draw(t, "status")
		due, received := rapid.Int64Range(0, 1e12).Draw(t, "due"), rapid.Int64Range(1, 1e12).Draw(t, "received")
		applied, rest := models.Allocate(status, due, received)
		if applied+rest != received || applied > due || applied < 0 || rest < 0 || status != models.InvoiceOpen && applied != 0 {
			t.Fatalf("%s, due %d, received %d: applied %d, rest %d", status, due, received, applied, rest)
		}
	})
}

// ORD-5: reminders 7 days before, on the day and 7 days after; void 15 days after; in order, in the vendor's zone, across DST.
func TestOrderTimeline(t *testing.T) {
	p := models.DefaultPolicy()
	zone := p.Location()
	issued := time.Date(2026, 10, 10, 23, 30, 0, 0, zone)
	due := models.InvoiceDue(issued, p)
	timeline := models.OrderTimeline(models.Order{Status: models.OrderPlaced}, models.Invoice{Status: models.InvoiceOpen, DueAt: due}, p)
	want := []string{"2026-11-02 00:00", "2026-11-09 00:00", "2026-11-16 00:00", "2026-11-25 00:00"}
	for i, m := range timeline {
		if got := m.At.In(zone).Format("2006-01-02 15:04"); got != want[i] {
			t.Errorf("%s at %s, want %s", m.Name, got, want[i])
		}
	}
	for _, o := range []models.OrderStatus{models.OrderPaid, models.OrderCancelled, models.OrderFulfilled} {
		if tl := models.OrderTimeline(models.Order{Status: o}, models.Invoice{Status: models.InvoiceOpen, DueAt: due}, p); tl != nil {
			t.Errorf("an order that is %s waits for nothing, got %v", o, tl)
		}
	}
}

// LIF-1: a term is a calendar year in the vendor's zone; the 29th of February ends on the 28th.
func TestTermEnd(t *testing.T) {
	zone := models.DefaultPolicy().Location()
	for from, want := range map[string]string{
		"2026-11-02 10:00": "2027-11-02 10:00", "2028-02-29 12:00": "2029-02-28 12:00", "2027-02-28 12:00": "2028-02-28 12:00", "2026-12-31 23:59": "2027-12-31 23:59",
	} {
		start, err := time.ParseInLocation("2006-01-02 15:04", from, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := models.TermEnd(start, 12, zone).Format("2006-01-02 15:04"); got != want {
			t.Errorf("%s ends %s, want %s", from, got, want)
		}
	}
}

// LOG-5, MGT-1: what is shown follows from the facts and the dates, though no step has written it yet.
func TestDisplayedStatus(t *testing.T) {
	now := time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)
	live := models.Credential{Phase: models.CredentialActive, ExpiresAt: now.Add(time.Hour)}
	with := func(f func(*models.Credential)) models.Credential { c := live; f(&c); return c }
	cases := []struct {
		name   string
		c      models.Credential
		locked bool
		want   models.DisplayedStatus
	}{
		{"active", live, false, models.ShownActive},
		{"locked", live, true, models.ShownLocked},
		{"expired by its date alone", with(func(c *models.Credential) { c.ExpiresAt = now }), false, models.ShownExpired},
		{"suspended beats expired", with(func(c *models.Credential) { c.ExpiresAt, c.SuspendedAt = now, &now }), false, models.ShownSuspended},
		{"revoked beats all", with(func(c *models.Credential) { c.Phase, c.SuspendedAt = models.CredentialRevoked, &now }), true, models.ShownRevoked},
		{"waits for approval", with(func(c *models.Credential) { c.Phase = models.PendingApproval }), false, models.ShownPendingApproval},
		{"waits for proofing", with(func(c *models.Credential) { c.Phase = models.PendingProofing }), false, models.ShownPendingActivation},
		{"waits for its token", with(func(c *models.Credential) { c.Phase = models.PendingRegistration }), false, models.ShownPendingActivation},
	}
	for _, c := range cases {
		if got := c.c.Displayed(c.locked, now); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
