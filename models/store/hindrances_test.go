package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// MGT-1, MGT-2, MGT-5, REN-1: what would be refused is not offered: a second renewal, a second token, a resync that only support can open again.
func TestWhatIsRefusedIsNotOffered(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	at := storetest.BeforeExpiry(w.credential, 10)
	offers := func(id string) string {
		t.Helper()
		st, err := w.Standing(t.Context(), id, at)
		storetest.Must(t, err)
		return fmt.Sprint(st.Actions(models.BySubscriber, at))
	}
	if got := offers(w.credential.ID); got != "[resync suspend renew replace revoke]" {
		t.Fatalf("offers %s", got)
	}
	o := storetest.PlacedAt(t, w.Store, storetest.Renewal(w.admin.ID, models.PayByInvoice, w.credential), at)
	if got := offers(w.credential.ID); got != "[resync suspend replace revoke]" {
		t.Errorf("while a renewal waits for its payment, offers %s", got)
	}
	storetest.Must(t, w.CancelOrder(t.Context(), o.Number, w.admin.ID, models.CancelMistake, at))
	if got := offers(w.credential.ID); got != "[resync suspend renew replace revoke]" {
		t.Errorf("after it was cancelled, offers %s", got)
	}

	second := storetest.Activated(t, w.Store, w.ring, w.person, storetest.FulfilledOrder(t, w.Store, w.ring, w.person.ID), 1)
	if got := offers(second.ID); got != "[suspend renew revoke]" {
		t.Errorf("the second credential offers %s", got)
	}

	_, bound, err := w.Credential(t.Context(), w.credential.ID)
	storetest.Must(t, err)
	wrong := store.Resync{CredentialID: w.credential.ID, AccountID: w.person.ID, AuthenticatorID: bound[0].ID, First: "000000", Second: "000001"}
	for range models.DefaultPolicy().OTP.LockAfter {
		_, err := w.ResyncToken(t.Context(), wrong, w.ring, at, codeNow)
		wantFault(t, err, models.OTPIncorrect)
	}
	_, err = w.ResyncToken(t.Context(), wrong, w.ring, at, codeNow)
	wantFault(t, err, models.TokenNeedsReset)
	if got := offers(w.credential.ID); got != "[suspend renew replace revoke]" {
		t.Errorf("after too many wrong pairs, offers %s", got)
	}
	storetest.Must(t, w.ResetAuthenticator(t.Context(), w.credential.ID, bound[0].ID, support, "asked on the phone", at))
	if got := offers(w.credential.ID); got != "[resync suspend renew replace revoke]" {
		t.Errorf("after the reset, offers %s", got)
	}
	w.revoke(t, at)
	if got := offers(second.ID); got != "[register_token suspend renew revoke]" {
		t.Errorf("once the first one is revoked, the second offers %s", got)
	}
}

// LIF-4: the past of a credential keeps what later events have undone.
func TestCredentialPast(t *testing.T) {
	w, _ := registered(t)
	e := w.credential.ExpiresAt
	storetest.Must(t, w.SuspendCredential(t.Context(), w.credential.ID, models.BySubscriber, person, e.AddDate(0, 0, -60)))
	storetest.Must(t, w.ReenableCredential(t.Context(), w.credential.ID, models.ByAdministrator, support, e.AddDate(0, 0, -50)))
	w.advance(t, e.Add(time.Hour)) // late
	late := e.AddDate(0, 11, 0)
	w.advance(t, late)
	until, err := w.RenewCredential(t.Context(), w.credential.ID, w.credential.OrderLineID, 12, support, late)
	storetest.Must(t, err)
	past, err := w.CredentialPast(t.Context(), w.current(t))
	storetest.Must(t, err)
	slices.SortFunc(past, func(a, b models.Milestone) int { return a.At.Compare(b.At) })
	var got []string
	for _, m := range past {
		got = append(got, fmt.Sprintf("%s %s: %s", m.At.UTC().Format("2006-01-02 15:04"), m.Name, m.What))
	}
	zone := models.DefaultPolicy().Location()
	line := func(at time.Time, what string) string { return at.UTC().Format("2006-01-02 15:04") + " " + what }
	want := []string{
		line(e.AddDate(0, 0, -60), "suspended_by_command: it was suspended by its holder"),
		line(e.AddDate(0, 0, -50), "re_enabled: it was re-enabled by an administrator"),
		line(e, "credential_expires: the term ended"),
		line(models.StartOfDay(models.TermEnd(e, 12, zone), -60, zone), "credential_suspended: it was suspended, because it was not renewed"),
		line(late, "renewed: it was renewed until "+vendorDay(until)),
	}
	if !slices.Equal(got, want) {
		t.Errorf("past\n%q\nwant\n%q", got, want)
	}
}
