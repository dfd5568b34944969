package models_test

import (
	"testing"
	"time"

	"tokendesk/models"
)

// LIF-1, LIF-4: who would change state under another policy, and when.
func TestEffectOf(t *testing.T) {
	pinned := models.DefaultPolicy()
	at := vendorTime(t, "2027-06-01 12:00")
	for name, c := range map[string]struct {
		expires   string
		suspended string
		review    bool
		change    func(*models.LifePolicy)
		now, then models.DisplayedStatus
		changes   []models.MilestoneName
	}{
		"nothing changes":                  {"2027-09-01 09:00", "", false, func(*models.LifePolicy) {}, "", "", nil},
		"a shorter year after expiry":      {"2027-09-01 09:00", "", false, func(p *models.LifePolicy) { p.GraceMonths = 6 }, models.ShownActive, models.ShownActive, []models.MilestoneName{models.TermSuspended, models.CredentialRevokes}},
		"suspended at once":                {"2027-03-01 09:00", "", false, func(p *models.LifePolicy) { p.SuspendBefore = 300 }, models.ShownExpired, models.ShownSuspended, []models.MilestoneName{models.TermSuspended}},
		"revoked at once":                  {"2026-12-01 09:00", "", false, func(p *models.LifePolicy) { p.GraceMonths = 3 }, models.ShownExpired, models.ShownRevoked, []models.MilestoneName{models.TermSuspended, models.CredentialRevokes}},
		"a suspension by command is ended": {"2028-03-01 09:00", "2027-04-29 09:00", false, func(p *models.LifePolicy) { p.SuspensionDays = 31 }, models.ShownSuspended, models.ShownRevoked, []models.MilestoneName{models.CredentialRevokes}},
		"a review is cut short":            {"2026-05-28 09:00", "", true, func(p *models.LifePolicy) { p.ReviewDays = 0 }, models.ShownSuspended, models.ShownRevoked, []models.MilestoneName{models.CredentialRevokes}},
		"reminders alone":                  {"2027-09-01 09:00", "", false, func(p *models.LifePolicy) { p.Reminders = []int{10} }, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			other := pinned
			c.change(&other.Life)
			cred := models.Credential{Phase: models.CredentialActive, ExpiresAt: vendorTime(t, c.expires)}
			if c.suspended != "" {
				cred.SuspendedAt, cred.SuspendedBy = new(vendorTime(t, c.suspended)), new(models.BySubscriber)
			}
			facts := models.LifeFacts{Phase: cred.Phase, ExpiresAt: cred.ExpiresAt, SuspendedAt: cred.SuspendedAt, Undelivered: c.review}
			e, ok := models.EffectOf(cred, facts, pinned, other, bankOf(pinned), bankOf(other), at)
			if ok != (c.changes != nil) {
				t.Fatalf("%+v, %t", e, ok)
			}
			if !ok {
				return
			}
			if e.Status != c.now || e.Then != c.then || len(e.Changes) != len(c.changes) {
				t.Fatalf("%+v", e)
			}
			for i, m := range c.changes {
				if d := e.Changes[i]; d.Milestone != m || d.From.Equal(d.To) || d.From.IsZero() || d.To.Before(time.Unix(0, 0)) {
					t.Errorf("%+v", d)
				}
			}
		})
	}
}
