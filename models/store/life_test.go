package store_test

import (
	"strings"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

var (
	person  = models.Actor{ID: "ac_person"}
	support = models.Actor{ID: "ak_support"}
)

// lives lets the lifecycle look once a day, from a moment until another.
func (w awaiting) lives(t *testing.T, from, until time.Time) {
	t.Helper()
	for at := from; !at.After(until); at = at.Add(24 * time.Hour) {
		w.advance(t, at)
	}
}

func (w awaiting) current(t *testing.T) models.Credential {
	t.Helper()
	c, _, err := w.Credential(t.Context(), w.credential.ID)
	storetest.Must(t, err)
	return c
}

// delivered marks every mail as accepted by the mail server.
func (w awaiting) delivered(t *testing.T) {
	t.Helper()
	_, err := w.Pool().Exec(t.Context(), "update notices set status = 'sent', sent_at = created_at, sealed = null where status = 'pending'")
	storetest.Must(t, err)
}

// story lists the mails of a credential's life as day and kind.
func (w awaiting) story(t *testing.T) string {
	t.Helper()
	return query[string](t, w.Store, `select string_agg(to_char(created_at at time zone 'America/New_York', 'YYYY-MM-DD') || ' ' || kind, E'\n' order by created_at, kind)
		from notices where subject_ref = $1 and kind not in ('activated', 'registered')`, w.credential.ID)
}

// LIF-1: a life in which nobody does anything: seven milestones, each once, on its day; the credential, its token and the sessions end, the
// password stays.
func TestQuietLife(t *testing.T) {
	w, a := registered(t)
	_, session := storetest.Session(t, w.Store, w.credential.AccountID)
	before := query[string](t, w.Store, "select password_hash from accounts where id = $1", w.credential.AccountID)
	e := w.credential.ExpiresAt
	for at := storetest.At; at.Before(e.AddDate(1, 0, 20)); at = at.Add(24 * time.Hour) {
		w.advance(t, at)
		w.delivered(t)
	}
	zone := models.DefaultPolicy().Location()
	r := e.In(zone).AddDate(1, 0, 0)
	late := func(days int) string { return r.AddDate(0, 0, days).Format(time.DateOnly) }
	want := strings.Join([]string{
		e.In(zone).AddDate(0, 0, -30).Format(time.DateOnly) + " expiry_ahead", e.In(zone).Format(time.DateOnly) + " expired",
		late(-60) + " term_suspended", late(-30) + " revocation_reminder", late(-15) + " revocation_reminder", late(-3) + " revocation_reminder", late(1) + " revoked_by_time",
	}, "\n")
	if got := w.story(t); got != want {
		t.Errorf("mails\n%s\nwant\n%s", got, want)
	}
	c := w.current(t)
	if c.Phase != models.CredentialRevoked || c.ExpiredAt == nil || c.TermSuspendedAt == nil || c.SuspendedAt != nil || *c.RevokeReason != models.RevokeByTime {
		t.Errorf("ended as %+v", c)
	}
	if status := query[string](t, w.Store, "select status from authenticators where id = $1", a.ID); status != "revoked" {
		t.Errorf("the authenticator is %s", status)
	}
	if status := query[string](t, w.Store, "select status from tokens where serial = $1", *a.Serial); status != "retired" {
		t.Errorf("the token is %s", status)
	}
	if !query[bool](t, w.Store, "select ended_at is not null from sessions where id = $1", session.ID) {
		t.Error("the session goes on")
	}
	if after := query[string](t, w.Store, "select password_hash from accounts where id = $1", w.credential.AccountID); after != before {
		t.Error("a timed revocation reset the password")
	}
	if n := query[int](t, w.Store, "select count(*) from credential_milestones where credential_id = $1", c.ID); n != 7 {
		t.Errorf("%d milestones were performed", n)
	}
}

// MGT-3, LIF-2: who may suspend and lift what, and what time does to it.
func TestSuspension(t *testing.T) {
	at := storetest.At.Add(time.Hour)
	suspend := func(by models.Suspender) func(*testing.T, awaiting) error {
		return func(t *testing.T, w awaiting) error {
			return w.SuspendCredential(t.Context(), w.credential.ID, by, person, at)
		}
	}
	lift := func(by models.Suspender) func(*testing.T, awaiting) error {
		return func(t *testing.T, w awaiting) error {
			return w.ReenableCredential(t.Context(), w.credential.ID, by, person, at.Add(time.Hour))
		}
	}
	for name, c := range map[string]struct {
		steps  []func(*testing.T, awaiting) error
		want   *models.FaultType // of the last step
		allows string
		shown  models.DisplayedStatus
	}{
		"misplaced":                            {[]func(*testing.T, awaiting) error{suspend(models.BySubscriber)}, nil, "", models.ShownSuspended},
		"found again":                          {[]func(*testing.T, awaiting) error{suspend(models.BySubscriber), lift(models.BySubscriber)}, nil, "", models.ShownActive},
		"twice":                                {[]func(*testing.T, awaiting) error{suspend(models.BySubscriber), suspend(models.BySubscriber)}, models.AlreadySuspended, "re_enable", models.ShownSuspended},
		"lifted without being suspended":       {[]func(*testing.T, awaiting) error{lift(models.BySubscriber)}, models.NotSuspended, "suspend", models.ShownActive},
		"an administrator's, by the person":    {[]func(*testing.T, awaiting) error{suspend(models.ByAdministrator), lift(models.BySubscriber)}, models.SuspendedByAdministrator, "revoke", models.ShownSuspended},
		"an administrator's, by one":           {[]func(*testing.T, awaiting) error{suspend(models.ByAdministrator), lift(models.ByAdministrator)}, nil, "", models.ShownActive},
		"taken over by an administrator":       {[]func(*testing.T, awaiting) error{suspend(models.BySubscriber), suspend(models.ByAdministrator), lift(models.BySubscriber)}, models.SuspendedByAdministrator, "revoke", models.ShownSuspended},
		"a person's, lifted by administrators": {[]func(*testing.T, awaiting) error{suspend(models.BySubscriber), lift(models.ByAdministrator)}, nil, "", models.ShownActive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := registered(t)
			var err error
			for _, step := range c.steps {
				err = step(t, w)
			}
			if c.want == nil {
				storetest.Must(t, err)
			} else {
				wantFault(t, err, c.want)
				if allowed := models.FaultOf(err).Allowed; !strings.Contains(strings.Join(allowed, " "), c.allows) {
					t.Errorf("allowed are %v", allowed)
				}
			}
			if shown := w.current(t).Displayed(false, at); shown != c.shown {
				t.Errorf("shown as %s", shown)
			}
		})
	}
}

// MGT-3: re-enabling past the expiry yields expired; what time has suspended, nobody lifts but a renewal, which leaves a suspension by command.
func TestSuspensionMeetsTime(t *testing.T) {
	w, _ := registered(t)
	ctx, id, e := t.Context(), w.credential.ID, w.credential.ExpiresAt
	storetest.Must(t, w.SuspendCredential(ctx, id, models.BySubscriber, person, e.AddDate(0, 0, -10)))
	storetest.Must(t, w.ReenableCredential(ctx, id, models.BySubscriber, person, e.AddDate(0, 0, 1)))
	if shown := w.current(t).Displayed(false, e.AddDate(0, 0, 1)); shown != models.ShownExpired {
		t.Errorf("shown as %s", shown)
	}
	late := e.AddDate(1, 0, -50)
	w.advance(t, late)
	wantFault(t, w.ReenableCredential(ctx, id, models.ByAdministrator, support, late), models.SuspendedByTime)
	storetest.Must(t, w.SuspendCredential(ctx, id, models.ByAdministrator, support, late))
	until, err := w.RenewCredential(ctx, id, w.credential.OrderLineID, 24, support, late)
	storetest.Must(t, err)
	c := w.current(t)
	if !until.Equal(models.TermEnd(e, 24, models.DefaultPolicy().Location())) || !c.ExpiresAt.Equal(until) || c.ExpiredAt != nil || c.TermSuspendedAt != nil {
		t.Errorf("renewed to %v: %+v", until, c)
	}
	if c.Displayed(false, late) != models.ShownSuspended {
		t.Error("a renewal lifted an administrator's suspension")
	}
	w.lives(t, late, late.AddDate(0, 0, 58)) // bounded all the same
	w.delivered(t)
	w.advance(t, late.AddDate(0, 0, 62))
	if c := w.current(t); c.Phase != models.CredentialRevoked {
		t.Errorf("after 62 days the credential is %s", c.Displayed(false, late))
	}
}

// LIF-3: a revocation whose reminders all failed waits for a person, at most the policy's days; with one reminder delivered it does not.
func TestRevocationIsReviewed(t *testing.T) {
	for name, c := range map[string]struct {
		arrived int // reminders
		waits   bool
	}{"none arrived": {0, true}, "one arrived": {1, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := registered(t)
			e := w.credential.ExpiresAt
			r := e.AddDate(1, 0, 0)
			w.lives(t, e.AddDate(0, 0, -31), r)
			_, err := w.Pool().Exec(t.Context(), `update notices set status = case when id in (select id from notices where kind = 'revocation_reminder' limit $1)
				then 'sent' else 'failed' end, sent_at = created_at, sealed = null where kind = 'revocation_reminder'`, c.arrived)
			storetest.Must(t, err)
			w.advance(t, r.Add(24*time.Hour))
			cred := w.current(t)
			if waits := cred.Phase != models.CredentialRevoked && cred.ReviewSince != nil; waits != c.waits {
				t.Fatalf("%+v", cred)
			}
			if !c.waits {
				return
			}
			if n := query[int](t, w.Store, "select count(*) from support_cases where subject_ref = $1", cred.ID); n != 1 {
				t.Errorf("%d cases", n)
			}
			st, err := w.Standing(t.Context(), cred.ID, r.Add(24*time.Hour))
			storetest.Must(t, err)
			if f := st.Window.Refuse(models.PayByCard, r.AddDate(0, 0, 10)); f != nil {
				t.Errorf("renewal by card: %v", f)
			}
			w.advance(t, r.AddDate(0, 0, 13))
			if w.current(t).Phase == models.CredentialRevoked {
				t.Error("revoked before the review's end")
			}
			w.advance(t, r.AddDate(0, 0, 16))
			if w.current(t).Phase != models.CredentialRevoked {
				t.Error("the review has no end")
			}
		})
	}
}

// MGT-4: what a revocation does, and to whom it is told; twice is refused.
func TestRevocation(t *testing.T) {
	w, a := registered(t)
	_, session := storetest.Session(t, w.Store, w.credential.AccountID)
	at := storetest.At.Add(time.Hour)
	before := query[string](t, w.Store, "select password_hash from accounts where id = $1", w.credential.AccountID)
	r := models.Revocation{CredentialID: w.credential.ID, AuthenticatorID: a.ID, Reason: models.RevokeStolen, By: models.BySubscriber}
	storetest.Must(t, w.RevokeCredential(t.Context(), r, w.ring, storetest.Hasher, person, at))
	c := w.current(t)
	if c.Phase != models.CredentialRevoked || *c.RevokeReason != models.RevokeStolen || !c.RevokedAt.Equal(at) {
		t.Errorf("%+v", c)
	}
	if query[string](t, w.Store, "select password_hash from accounts where id = $1", c.AccountID) == before {
		t.Error("the password stays")
	}
	if !query[bool](t, w.Store, "select ended_at is not null from sessions where id = $1", session.ID) {
		t.Error("the session goes on")
	}
	if mails := query[string](t, w.Store, "select string_agg(kind, ' ' order by kind) from notices where account_id = $1 and kind in ('revoked', 'temporary_password')", c.AccountID); mails != "revoked temporary_password" {
		t.Errorf("mails %q", mails)
	}
	wantFault(t, w.RevokeCredential(t.Context(), r, w.ring, storetest.Hasher, person, at), models.AlreadyRevoked)
	wantFault(t, w.SuspendCredential(t.Context(), c.ID, models.ByAdministrator, support, at), models.CredentialIsRevoked)
	_, err := w.RenewCredential(t.Context(), c.ID, w.credential.OrderLineID, 12, support, at)
	wantFault(t, err, models.CredentialIsRevoked)
	if w.advance(t, at.AddDate(3, 0, 0)).Status != models.ShownRevoked {
		t.Error("time revived it")
	}
	v, err := w.Verify(t.Context(), store.VerificationRequest{CredentialID: c.ID, Code: "123456"}, w.ring, at, codeNow)
	if err != nil || v.Result != models.ResultRevoked {
		t.Errorf("verification says %v, %v", v.Result, err)
	}
}

// REN-4: of a renewal and the timed revocation at the same moment one wins, whole.
func TestRenewalAgainstRevocation(t *testing.T) {
	for range 8 {
		w, _ := registered(t)
		e := w.credential.ExpiresAt
		w.lives(t, e.AddDate(1, 0, -64), e.AddDate(1, 0, 0))
		w.delivered(t)
		end := models.StartOfDay(e.AddDate(1, 0, 0), 1, models.DefaultPolicy().Location())
		got := atOnce(2, func(i int) error {
			if i == 0 {
				_, err := w.RenewCredential(t.Context(), w.credential.ID, w.credential.OrderLineID, 12, support, end.Add(-time.Microsecond))
				return err
			}
			_, err := w.AdvanceCredential(t.Context(), w.credential.ID, end)
			return err
		})
		c := w.current(t)
		renewed := c.ExpiresAt.After(e)
		if refused := got[models.CredentialIsRevoked.Slug] == 1; refused == renewed {
			t.Fatalf("answers %v, %+v", got, c)
		}
		if !renewed && c.Phase != models.CredentialRevoked {
			t.Fatalf("neither won: %+v", c)
		}
	}
}

// REN-4: a renewal that was paid before the revocation takes effect, however late its fulfilment; one that was paid after the last moment to renew,
// or for nothing, is credited.
func TestRenewalPaidInTime(t *testing.T) {
	zone := models.DefaultPolicy().Location()
	for name, c := range map[string]struct {
		paid    func(end time.Time) time.Time
		renewed bool
	}{
		"ten days before, fulfilled after": {func(end time.Time) time.Time { return end.AddDate(0, 0, -10) }, true},
		"after the last moment to renew":   {func(end time.Time) time.Time { return end.Add(-time.Hour) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := registered(t)
			e := w.credential.ExpiresAt
			end := models.StartOfDay(models.TermEnd(e, 12, zone), 1, zone)
			w.lives(t, e.AddDate(0, 0, -31), end.AddDate(0, 0, -20))
			w.delivered(t)
			o := storetest.PlacedAt(t, w.Store, storetest.Renewal(w.credential.AccountID, models.PayByInvoice, w.credential), end.AddDate(0, 0, -20))
			w.lives(t, end.AddDate(0, 0, -20), end.AddDate(0, 0, -12))
			w.delivered(t)
			storetest.PayAt(t, w.Store, o, c.paid(end))
			w.advance(t, end.Add(time.Minute)) // the engine is late
			if revoked := w.current(t).Phase == models.CredentialRevoked; revoked == c.renewed {
				t.Fatalf("%+v", w.current(t))
			}
			storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, end.Add(2*time.Minute)))
			w.advance(t, end.Add(3*time.Minute))
			got := w.current(t)
			if renewed := got.ExpiresAt.After(e); renewed != c.renewed {
				t.Errorf("%+v", got)
			}
			credited := query[int](t, w.Store, "select count(*) from credit_note_lines where order_line_id = $1", o.Lines[0].ID)
			if (credited == 1) == c.renewed || c.renewed == (got.Phase == models.CredentialRevoked) {
				t.Errorf("%d lines are credited, the credential is %s", credited, got.Phase)
			}
		})
	}
}

// LIF-2, LIF-3: a renewal does not end the review of what a suspension by command leads to.
func TestRenewalKeepsTheReviewOfASuspension(t *testing.T) {
	w, _ := registered(t)
	ctx, id := t.Context(), w.credential.ID
	since := w.credential.ExpiresAt.AddDate(0, 0, -62)
	storetest.Must(t, w.SuspendCredential(ctx, id, models.ByAdministrator, support, since))
	w.lives(t, since, since.AddDate(0, 0, 61)) // no mail server takes the reminders
	if w.current(t).ReviewSince == nil {
		t.Fatal("no review began")
	}
	_, err := w.RenewCredential(ctx, id, w.credential.OrderLineID, 12, support, since.AddDate(0, 0, 62))
	storetest.Must(t, err)
	if c := w.current(t); c.ReviewSince == nil || c.Phase == models.CredentialRevoked {
		t.Errorf("%+v", c)
	}
}

// REN-4, LIF-2: what was paid for a term that never begins, because a suspension by command ended in the revocation before, goes back.
func TestUnbegunRenewalIsCredited(t *testing.T) {
	w, _ := registered(t)
	ctx, e := t.Context(), w.credential.ExpiresAt
	since := e.AddDate(0, 0, -61)
	storetest.Must(t, w.SuspendCredential(ctx, w.credential.ID, models.ByAdministrator, support, since))
	n := storetest.Renewal(w.credential.AccountID, models.PayByInvoice, w.credential)
	q, err := w.QuoteOrder(ctx, n, e.AddDate(0, 0, -20))
	storetest.Must(t, err)
	if len(q.Lines[0].Warnings) != 1 || q.Lines[0].Warnings[0].Kind != models.WarnSuspended {
		t.Errorf("warnings %+v", q.Lines[0].Warnings)
	}
	o := storetest.PlacedAt(t, w.Store, n, e.AddDate(0, 0, -20))
	storetest.PayAt(t, w.Store, o, e.AddDate(0, 0, -19))
	storetest.Must(t, w.FulfilOrder(ctx, o.Number, w.ring, e.AddDate(0, 0, -19)))
	w.lives(t, since, e.AddDate(0, 0, -3))
	w.delivered(t)
	w.advance(t, e.Add(-time.Hour))
	if c := w.current(t); c.Phase != models.CredentialRevoked {
		t.Fatalf("%+v", c)
	}
	if credited := query[int](t, w.Store, "select count(*) from credit_note_lines where order_line_id = $1", o.Lines[0].ID); credited != 1 {
		t.Errorf("%d lines are credited", credited)
	}
}
