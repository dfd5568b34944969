package store_test

import (
	"fmt"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// identity is the person of the proofing that goes on for the credential.
func (w renewing) identity(t *testing.T, at time.Time) *identity {
	t.Helper()
	return &identity{w.Store, w.ring, w.person, storetest.OpenCase(t, w.Store, w.credential.ID).ID, w.device, at}
}

// upgrading is an order of an upgrade that is fulfilled, and the proofing that it has opened.
func (w renewing) upgrading(t *testing.T) (models.Order, *identity) {
	t.Helper()
	return w.upgradingAt(t, storetest.At)
}

func (w renewing) upgradingAt(t *testing.T, at time.Time) (models.Order, *identity) {
	t.Helper()
	o := storetest.FulfilledAt(t, w.Store, w.ring, storetest.Upgrade(models.PayByInvoice, w.credential), at)
	return o, w.identity(t, at)
}

// exhaust uses up the attempts of a proofing that are there.
func (i *identity) exhaust(t *testing.T) {
	t.Helper()
	for !i.read(t).Exhausted(models.DefaultPolicy()) {
		i.posted(t)
		_, err := i.ReportCodeLost(t.Context(), i.id, i.person.ID, i.at)
		storetest.Must(t, err)
	}
}

// level is that which a relying application is told.
func (w renewing) level(t *testing.T) int {
	t.Helper()
	v, err := w.Verify(t.Context(), store.VerificationRequest{CredentialID: w.credential.ID, Code: w.device.Press(codeNow), Actor: models.Actor{ID: "ac_test"}}, w.ring, storetest.At, codeNow)
	storetest.Must(t, err)
	if v.Result != models.Accepted {
		t.Fatalf("the login is answered with %s", v.Result)
	}
	return v.Level
}

// PRF-10: an upgrade opens a proofing instead of issuing a key; the credential stays as it is and in use, at level 2 until its holder is proofed.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	n := storetest.Upgrade(models.PayByInvoice, w.credential)
	n.Lines[0].ProofingCountry = "DE"
	o := storetest.PlacedAt(t, w.Store, n, storetest.At)
	if l := o.Lines[0]; *l.Proofing != models.OrderedUpgrade || *l.ProofingCountry != "DE" || !l.RequirementsAcknowledged || *l.CredentialID != w.credential.ID || o.TotalMinor != 4500 {
		t.Errorf("ordered %+v", l)
	}
	if cases, err := w.ProofingsOfCredential(t.Context(), w.credential.ID); err != nil || len(cases) != 0 {
		t.Errorf("unpaid, %d proofings are open: %v", len(cases), err)
	}
	storetest.PayAt(t, w.Store, o, storetest.At)
	for range 2 {
		storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, storetest.At))
	}
	w.shop(t).wantOrder(o, models.OrderFulfilled)
	if keys, err := w.LicenseKeys(t.Context(), o.ID); err != nil || len(keys) != 0 {
		t.Errorf("%d license keys: %v", len(keys), err)
	}
	i := w.identity(t, storetest.At)
	c := i.read(t)
	if c.Purpose != models.ProofingForUpgrade || *c.OrderLineID != o.Lines[0].ID || c.Country != "DE" || c.PolicyVersion != o.PolicyVersion || c.AccountID != w.person.ID {
		t.Errorf("opened %+v", c)
	}
	if w.level(t) != 2 {
		t.Error("the level rose before the proofing")
	}
	storetest.Must(t, i.proofed(t))
	if c = i.read(t); c.Status != models.ProofingCompleted || c.RegisterBy != nil {
		t.Errorf("proofed, the case is %+v", c)
	}
	if w.level(t) != 3 {
		t.Error("the level did not rise with the proofing")
	}
	before, after := w.credential, w.again(t)
	if after.Phase != models.CredentialActive || !after.ExpiresAt.Equal(before.ExpiresAt) || after.ProductSKU != before.ProductSKU {
		t.Errorf("the credential became %+v", after)
	}
	if got := i.told(t); got != "appointment_booked proofing_opened proofed" {
		t.Errorf("told %s", got)
	}
	if n := query[int](t, w.Store, "select count(*) from outbox where workflow_id = $1 and kind = 'signal' and name = $2 and ref = $3 and created_at = $4",
		models.CredentialLifecycle.WorkflowID(w.credential.ID), string(models.SignalCredentialChanged), w.credential.ID, i.at); n == 0 {
		t.Error("the credential's lifecycle is not told")
	}
}

// proofed lets an agent's pass succeed: the person enters the code.
func (i *identity) proofed(t *testing.T) error {
	t.Helper()
	if i.read(t).Country != "US" {
		_, err := i.ChooseVideo(t.Context(), i.id, i.person.ID, i.at)
		storetest.Must(t, err)
		return i.enter(t, i.met(t))
	}
	return i.enter(t, i.posted(t))
}

// met is the code of a live video session that was passed.
func (i *identity) met(t *testing.T) models.Secret {
	t.Helper()
	agent := storetest.Agent(t, i.Store, "UTC", storetest.Hours(8*60, "0 9 * * *"))
	starts := time.Date(i.at.Year(), i.at.Month(), i.at.Day()+1, 9, 0, 0, 0, time.UTC)
	a := storetest.Booked(t, i.Store, i.ring, i.read(t), starts, i.at)
	i.at = starts.Add(time.Minute)
	pass := storetest.PassOf(storetest.LiveSession{Appointment: a, Agent: agent})
	pass.Pass.Document.Issuer = i.read(t).Country
	r, err := i.RecordOutcome(t.Context(), pass, i.ring, i.at)
	storetest.Must(t, err)
	return r.Code
}

// PRF-10: only the holder orders an upgrade, logged in with the credential, for one that is active and not proofed.
func TestUpgradeIsRefused(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	exec := func(sql string) func(*testing.T, renewing) {
		return func(t *testing.T, w renewing) {
			t.Helper()
			if _, err := st.Pool().Exec(t.Context(), sql, w.credential.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		before func(*testing.T, renewing)
		change func(*models.NewOrder, renewing)
		want   *models.FaultType
		offers string
	}{
		"in order":                 {want: nil},
		"with a password only":     {change: func(n *models.NewOrder, _ renewing) { n.LoggedInWith = "" }, want: models.LoginWithCredential, offers: "[resync suspend replace revoke]"},
		"with another credential":  {change: func(n *models.NewOrder, _ renewing) { n.LoggedInWith = "cr_other" }, want: models.LoginWithCredential, offers: "[resync suspend replace revoke]"},
		"an administrator's":       {change: func(n *models.NewOrder, w renewing) { n.BuyerID = w.admin.ID }, want: models.LoginWithCredential, offers: "[resync suspend replace revoke]"},
		"a colleague's":            {change: func(n *models.NewOrder, w renewing) { n.BuyerID = w.member.ID }, want: models.CredentialUnknown, offers: "[]"},
		"without a country":        {change: func(n *models.NewOrder, _ renewing) { n.Lines[0].ProofingCountry = "" }, want: models.ProofingCountryMissing, offers: "[]"},
		"in no country":            {change: func(n *models.NewOrder, _ renewing) { n.Lines[0].ProofingCountry = "XX" }, want: models.ProofingCountryMissing, offers: "[]"},
		"without the requirements": {change: func(n *models.NewOrder, _ renewing) { n.Lines[0].RequirementsAcknowledged = false }, want: models.RequirementsNotAcknowledged, offers: "[]"},
		"of nothing":               {change: func(n *models.NewOrder, _ renewing) { n.Lines[0].CredentialID = "" }, want: models.InvalidRequest, offers: "[]"},
		"for a reason":             {change: func(n *models.NewOrder, _ renewing) { n.Lines[0].ReplacementReason = models.ReplaceLost }, want: models.InvalidRequest, offers: "[]"},
		"twice in one order":       {change: func(n *models.NewOrder, _ renewing) { n.Lines = append(n.Lines, n.Lines[0]) }, want: models.InvalidRequest, offers: "[]"},
		"a country for a replacement": {change: func(n *models.NewOrder, _ renewing) {
			n.Lines[0].ProductSKU, n.Lines[0].ReplacementReason = storetest.ReplacementSKU, models.ReplaceLost
		}, want: models.InvalidRequest, offers: "[]"},
		"suspended":                  {before: exec("update credentials set suspended_at = now(), suspended_by = 'person' where id = $1"), want: models.StateForbids, offers: "[re_enable replace revoke]"},
		"locked":                     {before: exec("update authenticators set status = 'locked', locked_at = now() where credential_id = $1"), want: models.StateForbids, offers: "[resync suspend replace revoke]"},
		"waiting for a token":        {before: exec("update credentials set phase = 'pending_registration' where id = $1"), want: models.StateForbids, offers: "[suspend replace revoke]"},
		"proofed":                    {before: exec("update credentials set level = 3 where id = $1"), want: models.AlreadyProofed, offers: "[resync suspend replace revoke]"},
		"revoked":                    {before: func(t *testing.T, w renewing) { w.revoke(t, storetest.At) }, want: models.CredentialIsRevoked, offers: "[]"},
		"while its proofing goes on": {before: func(t *testing.T, w renewing) { w.upgrading(t) }, want: models.ActionNotPossible, offers: "[proof resync suspend replace revoke]"},
		"while another order is there": {before: func(t *testing.T, w renewing) {
			storetest.PlacedAt(t, st, storetest.Upgrade(models.PayByInvoice, w.credential), storetest.At)
		}, want: models.ProofingOrderPending, offers: "[resync suspend replace revoke]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := renewingIn(t, st, ring)
			if c.before != nil {
				c.before(t, w)
			}
			n := storetest.Upgrade(models.PayByInvoice, w.credential)
			if c.change != nil {
				c.change(&n, w)
			}
			_, err := st.DraftOrder(t.Context(), n, storetest.At)
			wantFault(t, err, c.want)
			if c.want != nil && fmt.Sprint(models.FaultOf(err).Allowed) != c.offers {
				t.Errorf("allowed %s, want %s", models.FaultOf(err).Allowed, c.offers)
			}
			quote, quoted := st.QuoteOrder(t.Context(), n, storetest.At)
			switch c.want {
			case models.RequirementsNotAcknowledged: // nothing is ordered yet
				storetest.Must(t, quoted)
			case nil: // it is pending now
				wantFault(t, quoted, models.ProofingOrderPending)
			default:
				wantFault(t, quoted, c.want)
			}
			if quoted == nil && (*quote.Lines[0].Proofing != models.OrderedUpgrade || quote.Total.Minor != 4500) {
				t.Errorf("quoted %+v", quote)
			}
		})
	}
}

// PRF-10, MGT-1: who is logged in with the credential is offered the upgrade; beside an upgrade, a renewal stands in one order.
func TestUpgradeIsOffered(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	at := storetest.BeforeExpiry(w.credential, 10)
	offers := func(loggedIn bool) string {
		st, err := w.Standing(t.Context(), w.credential.ID, at)
		storetest.Must(t, err)
		st.LoggedIn = loggedIn
		return fmt.Sprint(st.Actions(models.BySubscriber, at))
	}
	if got := offers(false) + offers(true); got != "[resync suspend renew replace revoke][resync suspend renew replace upgrade_proofing revoke]" {
		t.Errorf("offers %s", got)
	}
	n := storetest.Upgrade(models.PayByInvoice, w.credential)
	n.Lines = append(n.Lines, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential).Lines...)
	o := storetest.PlacedAt(t, w.Store, n, at)
	if got := offers(true); got != "[resync suspend replace revoke]" {
		t.Errorf("ordered, offers %s", got)
	}
	storetest.PayAt(t, w.Store, o, at)
	storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, at))
	if got := offers(true); got != "[proof resync suspend replace revoke]" {
		t.Errorf("opened, offers %s", got)
	}
	if c := w.again(t); !c.ExpiresAt.After(w.credential.ExpiresAt) {
		t.Error("it was not renewed")
	}
}

// PRF-10: of upgrades ordered at the same moment one is drafted, and an order that is paid twice and fulfilled from several sides opens one proofing.
func TestUpgradesAtTheSameMoment(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	got := atOnce(6, func(int) error {
		_, err := w.DraftOrder(t.Context(), storetest.Upgrade(models.PayByInvoice, w.credential), storetest.At)
		return err
	})
	if got[""] != 1 || got[models.ProofingOrderPending.Slug] != 5 {
		t.Fatalf("answered %v", got)
	}
	number := query[string](t, w.Store, "select o.number from orders o join order_lines l on l.order_id = o.id where l.proofing = 'upgrade'")
	storetest.Must(t, w.PlaceOrder(t.Context(), number, storetest.At))
	o := storetest.Order(t, w.Store, number)
	for n := range 2 {
		storetest.Pay(t, w.Store, o, o.TotalMinor, fmt.Sprint("full/", n))
	}
	got = atOnce(6, func(int) error { return w.FulfilOrder(t.Context(), number, w.ring, storetest.At) })
	if got[""] != 6 {
		t.Errorf("fulfilment answered %v", got)
	}
	if n := query[int](t, w.Store, "select count(*) from proofing_cases where credential_id = $1", w.credential.ID); n != 1 {
		t.Errorf("%d proofings", n)
	}
	w.shop(t).wantBalances(map[string]int64{"unapplied_cash": -4500})
}
