package store_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// told is the newest mail of a kind about the credential.
func (w awaiting) told(t *testing.T, kind models.NoticeKind) (n models.Notice) {
	t.Helper()
	for _, other := range notices(t, w.Store, w.credential.ID) {
		if other.Kind == kind {
			n = other
		}
	}
	return n
}

func vendorDay(t time.Time) string {
	return t.In(models.DefaultPolicy().Location()).Format("2 January 2006")
}

// LIF-1, LIF-2, MGT-3: mails say what was true at the event: dates, who suspended, what helps, and until when.
func TestMailsSayWhatWasTrue(t *testing.T) {
	zone := models.DefaultPolicy().Location()
	w, _ := registered(t)
	e := w.credential.ExpiresAt
	r := models.StartOfDay(models.TermEnd(e, 12, zone), 0, zone)
	st, err := w.Standing(t.Context(), w.credential.ID, e)
	storetest.Must(t, err)
	closes := st.Window.LastRenewal.Format("2 January 2006, 15:04 MST")
	over, last := map[string]string{"expiry": vendorDay(e), "last_renewal": closes}, vendorDay(r.AddDate(0, 0, -5))
	byInvoice := map[string]string{"expiry": vendorDay(e), "last_renewal": closes, "last_invoice": last}
	with := func(p map[string]string, more ...string) map[string]string {
		p = maps.Clone(p)
		for i := 0; i < len(more); i += 2 {
			p[more[i]] = more[i+1]
		}
		return p
	}
	revocation := []string{"revocation", vendorDay(r)}
	for _, c := range []struct {
		at   time.Time
		kind models.NoticeKind
		want map[string]string
	}{
		{e.AddDate(0, 0, -30), models.NoticeExpiryAhead, map[string]string{"expiry": vendorDay(e)}},
		{e, models.NoticeExpired, map[string]string{"expiry": vendorDay(e)}},
		{r.AddDate(0, 0, -60), models.NoticeTermSuspended, byInvoice},
		{r.AddDate(0, 0, -30), models.NoticeRevocationReminder, with(byInvoice, revocation...)},
		{r.AddDate(0, 0, -3), models.NoticeRevocationReminder, with(over, revocation...)},
		{r.AddDate(0, 0, 1), models.NoticeRevokedByTime, map[string]string{"expiry": vendorDay(e)}},
	} {
		w.advance(t, c.at)
		w.delivered(t)
		if got := w.told(t, c.kind).Params; !maps.Equal(got, c.want) {
			t.Errorf("%s says %v, want %v", c.kind, got, c.want)
		}
	}

	for _, by := range []models.Suspender{models.BySubscriber, models.ByAdministrator} {
		w, _ := registered(t)
		since := w.credential.ExpiresAt.AddDate(0, 0, -90)
		storetest.Must(t, w.SuspendCredential(t.Context(), w.credential.ID, by, person, since))
		end := models.StartOfDay(since, 60, zone)
		w.advance(t, end.AddDate(0, 0, -15))
		w.delivered(t)
		if got, want := w.told(t, models.NoticeRevocationReminder).Params, map[string]string{"by": string(by), "revocation": vendorDay(end)}; !maps.Equal(got, want) {
			t.Errorf("the reminder says %v, want %v", got, want)
		}
		w.advance(t, end.AddDate(0, 0, 1))
		if got, want := w.told(t, models.NoticeRevokedByTime).Params, map[string]string{"by": string(by)}; !maps.Equal(got, want) {
			t.Errorf("revoked, told %v, want %v", got, want)
		}
	}

	w, _ = registered(t) // suspended so that renewal never opens
	e = w.credential.ExpiresAt
	since := e.AddDate(0, 0, -89)
	storetest.Must(t, w.SuspendCredential(t.Context(), w.credential.ID, models.BySubscriber, person, since))
	end := models.StartOfDay(since, 60, zone)
	w.advance(t, models.StartOfDay(e, -30, zone))
	if got, want := w.told(t, models.NoticeExpiryAhead).Params, map[string]string{"expiry": vendorDay(e), "revocation": vendorDay(end)}; !maps.Equal(got, want) {
		t.Errorf("the notice says %v, want %v", got, want)
	}
}

// MGT-3: who lifts a suspension is told what the credential is then.
func TestReenabledSays(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration // from the end of the term
		want  []string      // parameters
	}{
		"in its term":         {-24 * time.Hour, []string{"by", "shown"}},
		"after its term":      {24 * time.Hour, []string{"by", "expiry", "last_invoice", "last_renewal", "shown"}},
		"suspended by time":   {320 * 24 * time.Hour, []string{"by", "expiry", "last_invoice", "last_renewal", "shown"}},
		"too late for a bill": {362 * 24 * time.Hour, []string{"by", "expiry", "last_renewal", "shown"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := registered(t)
			at := w.credential.ExpiresAt.Add(c.after)
			storetest.Must(t, w.SuspendCredential(t.Context(), w.credential.ID, models.BySubscriber, person, at.Add(-time.Hour)))
			storetest.Must(t, w.ReenableCredential(t.Context(), w.credential.ID, models.BySubscriber, person, at))
			n := w.told(t, models.NoticeReenabled)
			if shown := w.current(t).Displayed(false, at); n.Params["shown"] != string(shown) || len(n.Params) != len(c.want) {
				t.Errorf("told %v, shown as %s", n.Params, shown)
			}
			for _, param := range c.want {
				if n.Params[param] == "" {
					t.Errorf("told %v without %s", n.Params, param)
				}
			}
		})
	}
}

// LIF-1: what was not sent yet and is true no more is withdrawn, and only that.
func TestObsoleteMailsAreWithdrawn(t *testing.T) {
	statuses := func(t *testing.T, w awaiting) string {
		return query[string](t, w.Store, `select coalesce(string_agg(kind || ' ' || status, ', ' order by created_at, kind), '') from notices
			where subject_ref = $1 and kind in ('expiry_ahead', 'expired', 'term_suspended', 'revocation_reminder')`, w.credential.ID)
	}
	renew := func(t *testing.T, w awaiting, at time.Time) {
		_, err := w.RenewCredential(t.Context(), w.credential.ID, w.credential.OrderLineID, 12, support, at)
		storetest.Must(t, err)
	}
	suspend := func(t *testing.T, w awaiting, at time.Time) {
		storetest.Must(t, w.SuspendCredential(t.Context(), w.credential.ID, models.ByAdministrator, support, at))
	}
	for name, c := range map[string]struct {
		live func(t *testing.T, w awaiting, e time.Time)
		want string
	}{
		"renewed": {func(t *testing.T, w awaiting, e time.Time) {
			w.lives(t, e.AddDate(0, 0, -31), e.AddDate(0, 0, -25))
			w.delivered(t)
			w.lives(t, e, e.AddDate(1, 0, -20))
			renew(t, w, e.AddDate(1, 0, -20))
		}, "expiry_ahead sent, expired withdrawn, term_suspended withdrawn, revocation_reminder withdrawn"},
		"renewed, and suspended by command": {func(t *testing.T, w awaiting, e time.Time) {
			suspend(t, w, e.AddDate(0, 0, -45))
			w.lives(t, e.AddDate(0, 0, -31), e.AddDate(0, 0, -10))
			renew(t, w, e.AddDate(0, 0, -10))
		}, "expiry_ahead withdrawn, revocation_reminder pending"},
		"re-enabled": {func(t *testing.T, w awaiting, e time.Time) {
			suspend(t, w, e.AddDate(0, 0, -45))
			w.lives(t, e.AddDate(0, 0, -31), e.AddDate(0, 0, -10))
			storetest.Must(t, w.ReenableCredential(t.Context(), w.credential.ID, models.ByAdministrator, support, e.AddDate(0, 0, -10)))
		}, "expiry_ahead pending, revocation_reminder withdrawn"},
		"revoked": {func(t *testing.T, w awaiting, e time.Time) {
			w.lives(t, e.AddDate(0, 0, -31), e.AddDate(0, 0, -10))
			storetest.Must(t, w.RevokeCredential(t.Context(), models.Revocation{CredentialID: w.credential.ID, Reason: models.RevokeLost, By: models.BySubscriber}, w.ring, storetest.Hasher, person, e.AddDate(0, 0, -10)))
		}, "expiry_ahead withdrawn"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := registered(t)
			c.live(t, w, w.credential.ExpiresAt)
			if got := statuses(t, w); got != c.want {
				t.Errorf("mails %s, want %s", got, c.want)
			}
		})
	}
	t.Run("one that is just being sent has left", func(t *testing.T) {
		t.Parallel()
		w, _ := registered(t)
		e := w.credential.ExpiresAt
		w.advance(t, e.AddDate(0, 0, -30))
		renew(t, w, e.AddDate(0, 0, -29))
		storetest.Must(t, w.NoticeSent(t.Context(), w.told(t, models.NoticeExpiryAhead).ID, e))
		if n := w.told(t, models.NoticeExpiryAhead); n.Status != models.NoticeSent {
			t.Errorf("it is %s", n.Status)
		}
		due, err := w.ClaimNotices(t.Context(), 100, e, time.Minute)
		storetest.Must(t, err)
		for _, n := range due {
			if n.Kind == models.NoticeExpiryAhead {
				t.Error("a withdrawn mail is sent")
			}
		}
	})
}

// LIF-1, REN-1: a term that is over when its notice falls due is told of once: it has expired.
func TestNoNoticeOfATermThatIsOver(t *testing.T) {
	w, _ := registered(t)
	e := w.credential.ExpiresAt
	w.advance(t, e.AddDate(0, 0, 1))
	var kinds []models.NoticeKind
	for _, kind := range noticeKinds(t, w.Store, w.credential.ID) {
		if kind == models.NoticeExpiryAhead || kind == models.NoticeExpired {
			kinds = append(kinds, kind)
		}
	}
	if fmt.Sprint(kinds) != "[expired]" {
		t.Errorf("told %v", kinds)
	}
	if n := query[int](t, w.Store, "select count(*) from credential_milestones where credential_id = $1", w.credential.ID); n != 2 {
		t.Errorf("%d milestones are performed", n)
	}
}

// LIF-1, ORD-5, REN-1: whoever loses a renewal is told when the term ends again, and until when it can be renewed: the notice of that end is
// not mailed twice. What happens at that end happens.
func TestRenewalTakenBackIsTold(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	e := w.credential.ExpiresAt
	_, err := w.AdvanceCredential(t.Context(), w.credential.ID, storetest.BeforeExpiry(w.credential, 30))
	storetest.Must(t, err)
	at := storetest.BeforeExpiry(w.credential, 20)
	o := storetest.FulfilledAt(t, w.Store, w.ring, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), at)
	_, err = w.shop(t).requestAt(o, at)
	storetest.Must(t, err)
	n := w.told(t, models.NoticeRenewalTakenBack)
	if n.AccountID == nil || *n.AccountID != w.person.ID || n.Params["expiry"] != vendorDay(e) || n.Params["last_renewal"] == "" || n.Params["over"] != "" {
		t.Errorf("told %+v", n)
	}
	_, err = w.AdvanceCredential(t.Context(), w.credential.ID, e)
	storetest.Must(t, err)
	if n := w.told(t, models.NoticeExpired); n.Params["expiry"] != vendorDay(e) {
		t.Errorf("at the end of the term told %v", n.Params)
	}
}

// told is the newest mail of a kind about the credential.
func (w renewing) told(t *testing.T, kind models.NoticeKind) models.Notice {
	t.Helper()
	return awaiting{bench: bench{Store: w.Store}, credential: w.credential}.told(t, kind)
}
