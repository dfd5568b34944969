package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// LIF-4: whose turn it is with a credential: who waits for a parcel has nothing to do, and only a renewal helps when the term is over.
func TestCredentialOutlook(t *testing.T) {
	e := storetest.At.AddDate(1, 0, 0)
	before, after, late := e.Add(-time.Hour), e.Add(time.Hour), e.AddDate(1, 0, 0)
	window := models.RenewalWindow{Opens: e.AddDate(0, 0, -30), LastRenewal: late}
	posted, delivered := &models.Shipment{ID: "sh_1", Status: models.ShipmentInTransit}, &models.Shipment{ID: "sh_1", Status: models.ShipmentDelivered}
	locked := []models.Authenticator{{Kind: models.HardwareToken, Status: models.AuthenticatorLocked}}
	suspended := func(by models.Suspender, byTime bool) models.Credential {
		c := models.Credential{Phase: models.CredentialActive, ExpiresAt: e, SuspendedAt: &e, SuspendedBy: &by}
		if byTime {
			c.TermSuspendedAt = &e
		}
		return c
	}
	pending, active := models.Credential{Phase: models.PendingRegistration, ExpiresAt: e}, models.Credential{Phase: models.CredentialActive, ExpiresAt: e}
	for name, c := range map[string]struct {
		st      models.Standing
		awaited *models.Shipment
		at      time.Time
		on      gen.WaitingOn
		says    string
	}{
		"token in the post":                    {models.Standing{Credential: pending}, posted, before, gen.WaitingOnCarrier, "shipment sh_1"},
		"token delivered":                      {models.Standing{Credential: pending}, delivered, before, gen.WaitingOnHolder, "registration"},
		"no token comes":                       {models.Standing{Credential: pending}, nil, before, gen.WaitingOnHolder, "registration"},
		"locked":                               {models.Standing{Credential: active, Bound: locked}, nil, before, gen.WaitingOnHolder, "resynchronized"},
		"locked, too many wrong pairs":         {models.Standing{Credential: active, Bound: locked, NeedsReset: true}, nil, before, gen.WaitingOnStaff, "reset"},
		"expired":                              {models.Standing{Credential: active}, nil, after, gen.WaitingOnHolder, "renewal"},
		"expired, and too late":                {models.Standing{Credential: active}, nil, late, gen.WaitingOnTime, "last moment to renew has passed"},
		"suspended by oneself":                 {models.Standing{Credential: suspended(models.BySubscriber, false)}, nil, before, gen.WaitingOnHolder, "to be re-enabled"},
		"by oneself and by time":               {models.Standing{Credential: suspended(models.BySubscriber, true)}, nil, after, gen.WaitingOnHolder, "the renewal"},
		"by oneself, expired":                  {models.Standing{Credential: suspended(models.BySubscriber, false)}, nil, after, gen.WaitingOnHolder, "the renewal"},
		"by an administrator":                  {models.Standing{Credential: suspended(models.ByAdministrator, false)}, nil, before, gen.WaitingOnAdministrator, "re-enabled"},
		"by an administrator and by time":      {models.Standing{Credential: suspended(models.ByAdministrator, true)}, nil, after, gen.WaitingOnHolder, "an administrator to re-enable"},
		"by an administrator, and it is over":  {models.Standing{Credential: suspended(models.ByAdministrator, true)}, nil, late, gen.WaitingOnTime, "has passed"},
		"suspended by oneself, renewal closed": {models.Standing{Credential: suspended(models.BySubscriber, true)}, nil, late, gen.WaitingOnTime, "has passed"},
	} {
		c.st.Window = window
		if got := credentialOutlook(c.st, c.awaited, c.at); got.on != c.on || !strings.Contains(got.what, c.says) {
			t.Errorf("%s: waits for %s: %s", name, got.on, got.what)
		}
	}
}

// LIF-4, MGT-6: while the replacement of the only token is in the post it is the carrier's turn; the past tells the two tokens apart.
func TestTimelineOfReplacement(t *testing.T) {
	p := newHouse(t).holder()
	n := storetest.Replacement(p.account.ID, models.PayByInvoice, p.credential, models.ReplaceErr)
	o := storetest.FulfilledAt(t, p.st, p.ring, n, p.now())
	storetest.Stock(t, p.st, p.ring, storetest.TokenModel, storetest.EventDevice, 1)
	shipments, err := p.st.ShipmentsOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	storetest.Sent(t, p.st, shipments[0].ID, p.now())
	_, bound, err := p.st.Credential(t.Context(), p.credential.ID)
	storetest.Must(t, err)
	storetest.Must(t, p.st.RevokeCredential(t.Context(), models.Revocation{CredentialID: p.credential.ID, AuthenticatorID: bound[0].ID, Reason: models.RevokeDamaged, By: models.BySubscriber},
		p.ring, storetest.Hasher, models.Actor{ID: p.account.ID}, p.now()))
	line := read[gen.Timeline](p.get(p.as(models.RoleSupport), p.path("/timeline")).want(http.StatusOK))
	if line.WaitingOn != gen.WaitingOnCarrier || !strings.Contains(line.WaitingFor, shipments[0].ID) {
		t.Errorf("waits for %s: %s", line.WaitingOn, line.WaitingFor)
	}
	for name, what := range map[models.MilestoneName]string{"registered": "token " + *bound[0].Serial + " was registered", "authenticator_revoked": "token " + *bound[0].Serial + " was revoked"} {
		if !slices.ContainsFunc(line.Past, func(m models.Milestone) bool { return m.Name == name && m.What == what }) {
			t.Errorf("the past has no %q: %+v", what, line.Past)
		}
	}
}

// LIF-4: the past of a credential keeps what a later event has undone.
func TestTimelineKeepsThePast(t *testing.T) {
	p := newHouse(t).holder()
	e := p.credential.ExpiresAt
	p.at(e.AddDate(0, 0, -20))
	p.post(p.token, p.path("/suspension"), map[string]any{}).want(http.StatusOK)
	p.setClock(p.now().Add(time.Minute))
	p.post(p.token, p.path("/re-enabling"), map[string]any{}).want(http.StatusOK)
	_, err := p.st.AdvanceCredential(t.Context(), p.credential.ID, e.AddDate(0, 0, 1))
	storetest.Must(t, err)
	storetest.FulfilledAt(t, p.st, p.ring, storetest.Renewal(p.account.ID, models.PayByInvoice, p.credential), e.AddDate(0, 0, 2))
	p.at(e.AddDate(0, 0, 3))
	line := read[gen.Timeline](p.get(p.token, p.path("/timeline")).want(http.StatusOK))
	var names []models.MilestoneName
	for _, m := range line.Past {
		names = append(names, m.Name)
	}
	if want := []models.MilestoneName{"purchased", "registered", "suspended_by_command", "re_enabled", models.CredentialExpires, "renewed"}; !slices.Equal(names, want) {
		t.Errorf("past %v, want %v", names, want)
	}
}

// REN-4, LIF-4: after the last moment to renew nobody is asked for another card, by whatever way.
func TestTimelineOfLateRenewal(t *testing.T) {
	p := newHouse(t).holder()
	st, err := p.st.Standing(t.Context(), p.credential.ID, p.credential.ExpiresAt)
	storetest.Must(t, err)
	last := st.Window.LastRenewal
	p.at(last.Add(-time.Hour))
	body := p.renewal("card")
	body["card_token"] = "pm_card_visa"
	o := read[gen.Order](p.post(p.token, "/v1/orders", body).want(http.StatusCreated))
	charge, err := p.st.LiveCharge(t.Context(), o.Number)
	storetest.Must(t, err)
	storetest.Must(t, p.st.ChargeDeclined(t.Context(), charge, o.Number, "declined_by_bank", p.now()))
	if !o.Invoice.DueAt.Equal(last) {
		t.Errorf("the invoice is due at %v, renewal closes at %v", o.Invoice.DueAt, last)
	}
	path := "/v1/orders/" + o.Number
	p.seesTimeline(p.token, path+"/timeline", gen.WaitingOnBuyer, []string{"pay_again", "cancel"})
	line := read[gen.Timeline](p.get(p.token, path+"/timeline").want(http.StatusOK))
	if line.Next.Name != models.LastRenewal || !line.Next.At.Equal(last) {
		t.Errorf("next is %+v, want the last moment to renew", line.Next)
	}
	p.at(last)
	refused := p.post(p.token, path+"/charges", map[string]any{"card_token": "pm_other"}).problem(models.RenewalTooLate)
	if !slices.Equal(refused.AllowedActions, []string{"cancel"}) {
		t.Errorf("allowed are %v", refused.AllowedActions)
	}
	p.seesTimeline(p.token, path+"/timeline", gen.WaitingOnTime, []string{"cancel"})
	if shown := read[gen.Order](p.get(p.token, path).want(http.StatusOK)); !slices.Equal(shown.AllowedActions, []string{"cancel"}) {
		t.Errorf("the order allows %v", shown.AllowedActions)
	}
}

// LIF-4, ORD-5: the day on which something happens if nobody acts is the one that the mails name.
func TestIfNobodyActs(t *testing.T) {
	p := newHouse(t).holder()
	r, err := p.st.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: p.order(), Reason: models.RefundNotNeeded}, models.Actor{ID: p.account.ID}, p.now())
	storetest.Must(t, err)
	zone := models.DefaultPolicy().Location()
	line := p.refundLine(p.token, r.ID)
	if want := "on " + r.ReturnBy.Add(-time.Nanosecond).In(zone).Format(time.DateOnly) + " "; line.IfNobodyActs == nil || !strings.HasPrefix(*line.IfNobodyActs, want) {
		t.Errorf("of a refund: %q, want %s", deref(line.IfNobodyActs), want)
	}
	line = read[gen.Timeline](p.get(p.token, p.path("/timeline")).want(http.StatusOK))
	if want := "on " + models.TermEnd(p.credential.ExpiresAt, 12, zone).Format(time.DateOnly) + " "; line.IfNobodyActs == nil || !strings.HasPrefix(*line.IfNobodyActs, want) {
		t.Errorf("of a credential: %q, want %s", deref(line.IfNobodyActs), want)
	}
}

// order is the number of the order that the credential came from.
func (p *holder) order() (number string) {
	p.t.Helper()
	all, err := p.st.Orders(p.t.Context(), store.OrderFilter{BuyerID: p.account.ID}, store.Page{})
	storetest.Must(p.t, err)
	return all[0].Number
}
