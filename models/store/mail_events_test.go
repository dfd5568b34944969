package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// mailed is a notice about a subject, as the mailer finds it.
func mailed(t *testing.T, st *store.Store, n store.NewNotice) models.Notice {
	t.Helper()
	if n.Kind == "" {
		n.Kind = models.NoticeExpired
	}
	if n.AccountID == "" {
		n.AccountID = storetest.Account(t, st).ID
	}
	if n.DedupeKey == "" {
		n.DedupeKey = "test/" + store.NewID("no", storetest.At)
	}
	storetest.Must(t, st.AddNotice(t.Context(), n, storetest.At))
	return notice(t, st, n.DedupeKey)
}

func notice(t *testing.T, st *store.Store, dedupeKey string) models.Notice {
	t.Helper()
	id := query[string](t, st, "select id from notices where dedupe_key = $1", dedupeKey)
	for _, n := range notices(t, st, query[string](t, st, "select subject_ref from notices where id = $1", id)) {
		if n.ID == id {
			return n
		}
	}
	t.Fatalf("no notice %s", dedupeKey)
	return models.Notice{}
}

func told(n models.Notice, id string, kind models.MailEventKind, code models.MailCode, occurred time.Time) models.MailEvent {
	return models.MailEvent{ID: id, MessageID: n.MessageID, Kind: kind, Code: code, OccurredAt: occurred}
}

// LIF-3, OPS-2: what is recorded of a mail, by the sender and by its provider, gives one picture in whatever order it comes.
func TestMailEvidence(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	later := storetest.At.Add(time.Hour)
	type step func(n models.Notice) error
	sent := func(n models.Notice) error { return st.NoticeSent(t.Context(), n.ID, storetest.At) }
	failed := func(n models.Notice) error {
		return st.NoticeFailed(t.Context(), n, store.Mishap{Why: "refused", Code: "5.2.2"}, storetest.At)
	}
	delayed := func(n models.Notice) error {
		return st.NoticeDelayed(t.Context(), n.ID, store.Mishap{Why: "later", Code: "4.2.1"}, later)
	}
	event := func(kind models.MailEventKind, code models.MailCode) step {
		return func(n models.Notice) error {
			return st.RecordMailEvent(t.Context(), told(n, "e/"+string(kind)+"/"+n.ID, kind, code, later), later)
		}
	}
	delivered, complained, bounced := event(models.MailDelivered, ""), event(models.MailComplained, ""), event(models.MailBounced, "5.1.1")
	for name, c := range map[string]struct {
		steps []step
		want  models.NoticeStatus
		code  models.MailCode
		cases int
	}{
		"sent":                                   {[]step{sent}, models.NoticeSent, "", 0},
		"delayed":                                {[]step{delayed}, models.NoticePending, "4.2.1", 0},
		"delayed, then sent":                     {[]step{delayed, sent}, models.NoticeSent, "", 0},
		"refused for good":                       {[]step{failed}, models.NoticeFailed, "5.2.2", 1},
		"sent, delivered":                        {[]step{sent, delivered, delivered}, models.NoticeSent, "", 0},
		"sent, bounced, twice told":              {[]step{sent, bounced, bounced}, models.NoticeBounced, "5.1.1", 1},
		"bounced sooner than recorded as sent":   {[]step{bounced, sent}, models.NoticeBounced, "5.1.1", 1},
		"delivered sooner than recorded as sent": {[]step{delivered, sent}, models.NoticeSent, "", 0},
		"delivered, delayed by another sender":   {[]step{delivered, delayed}, models.NoticeSent, "", 0},
		"delivered, refused the second time":     {[]step{delivered, failed}, models.NoticeSent, "", 0},
		"refused the second time, delivered":     {[]step{failed, delivered}, models.NoticeSent, "", 1},
		"bounced, refused":                       {[]step{bounced, failed}, models.NoticeBounced, "5.1.1", 1},
		"refused, bounced":                       {[]step{failed, bounced}, models.NoticeBounced, "5.1.1", 1},
		"delivered, bounced later":               {[]step{sent, delivered, bounced}, models.NoticeBounced, "5.1.1", 1},
		"bounced, told delivered later":          {[]step{sent, bounced, delivered}, models.NoticeBounced, "5.1.1", 1},
		"complained of":                          {[]step{sent, complained}, models.NoticeSent, "", 0},
		"complained of sooner than recorded":     {[]step{complained, sent}, models.NoticeSent, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			n := mailed(t, st, store.NewNotice{SubjectRef: "SO-" + strings.ReplaceAll(name, " ", "-"), Sealed: []byte("sealed")})
			for _, s := range c.steps {
				storetest.Must(t, s(n))
			}
			got := notice(t, st, n.DedupeKey)
			if got.Status != c.want || got.Code != c.code || (got.Status == models.NoticePending) != (got.Sealed != nil) {
				t.Errorf("%s %q, sealed %t", got.Status, got.Code, got.Sealed != nil)
			}
			if (got.BouncedAt != nil) != (c.want == models.NoticeBounced) || c.want == models.NoticeSent && (got.SentAt == nil || got.LastError != nil) {
				t.Errorf("%+v", got)
			}
			if cases := query[int](t, st, "select count(*) from support_cases where subject_ref = $1", n.SubjectRef); cases != c.cases {
				t.Errorf("%d cases, want %d", cases, c.cases)
			}
		})
	}
}

// LIF-3: a Message-ID that no notice has is kept and harmless, and so is what cannot be right.
func TestMailEventsThatChangeNothing(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	n, waiting := mailed(t, st, store.NewNotice{SubjectRef: "SO-1"}), mailed(t, st, store.NewNotice{SubjectRef: "SO-2", Sealed: []byte("sealed")})
	storetest.Must(t, st.NoticeSent(t.Context(), n.ID, storetest.At))
	effects := func() int {
		return query[int](t, st, "select (select count(*) from support_cases) + (select count(*) from outbox) + (select count(*) from audit_events)")
	}
	before := effects()
	foreign := models.MailEvent{ID: "e1", MessageID: "somebody@elsewhere.example", Kind: models.MailBounced, Code: "5.1.1", OccurredAt: storetest.At}
	for range 2 {
		storetest.Must(t, st.RecordMailEvent(t.Context(), foreign, storetest.At))
	}
	reused := told(n, "e1", models.MailBounced, "5.1.1", storetest.At) // the same event id about another mail: it is a repeat
	storetest.Must(t, st.RecordMailEvent(t.Context(), reused, storetest.At))
	storetest.Must(t, st.RecordMailEvent(t.Context(), told(waiting, "e1", models.MailBounced, "5.1.1", storetest.At), storetest.At))
	if got := notice(t, st, waiting.DedupeKey); got.Status != models.NoticePending || got.Sealed == nil || got.SentAt != nil {
		t.Errorf("%+v", got)
	}
	wordy := told(n, "e2", models.MailBounced, "550 5.1.1 <ann@example.com>", storetest.At)
	wantFault(t, st.RecordMailEvent(t.Context(), wordy, storetest.At), models.InvalidRequest)
	nul := told(n, "e\x003", models.MailBounced, "", storetest.At)
	wantFault(t, st.RecordMailEvent(t.Context(), nul, storetest.At), models.InvalidRequest)
	if got := notice(t, st, n.DedupeKey); got.Status != models.NoticeSent {
		t.Errorf("it is %s", got.Status)
	}
	if kept := query[int](t, st, "select count(*) from mail_events"); kept != 1 {
		t.Errorf("%d events are kept", kept)
	}
	if followed := effects() - before; followed != 0 {
		t.Errorf("%d things followed", followed)
	}
	if _, err := st.Pool().Exec(t.Context(), "update mail_events set code = ''"); err == nil {
		t.Error("evidence can be changed")
	}
}

// LIF-3: a lost mail about a credential is audited, wakes its lifecycle unless that has ended, and asks a person to look where it matters.
func TestLostMailIsHeardOf(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	buyer := storetest.Account(t, st)
	c, _ := storetest.Registered(t, st, ring, buyer, storetest.ClockDevice, storetest.At)
	signals := func() int {
		return query[int](t, st, "select count(*) from outbox where kind = 'signal' and workflow_id = $1 and name = $2", "credential/"+c.ID, models.SignalCredentialChanged)
	}
	before := signals()
	bounce := func(n models.Notice, id string) {
		t.Helper()
		storetest.Must(t, st.NoticeSent(t.Context(), n.ID, storetest.At))
		storetest.Must(t, st.RecordMailEvent(t.Context(), told(n, id, models.MailDelivered, "", storetest.At), storetest.At))
		for range 2 {
			storetest.Must(t, st.RecordMailEvent(t.Context(), told(n, id+"/b", models.MailBounced, "5.1.1", storetest.At), storetest.At))
		}
	}
	reminder := mailed(t, st, store.NewNotice{Kind: models.NoticeRevocationReminder, AccountID: buyer.ID, SubjectRef: c.ID})
	bounce(reminder, "e1")
	news := mailed(t, st, store.NewNotice{Kind: models.NoticeRegistered, AccountID: buyer.ID, SubjectRef: c.ID})
	bounce(news, "e2")
	refused := mailed(t, st, store.NewNotice{Kind: models.NoticeRevocationReminder, AccountID: buyer.ID, SubjectRef: c.ID})
	for range 2 {
		storetest.Must(t, st.NoticeFailed(t.Context(), refused, store.Mishap{Why: "refused", Code: "5.1.1"}, storetest.At))
	}
	if woken := signals() - before; woken != 3 {
		t.Errorf("the lifecycle was woken %d times", woken)
	}
	if cases := query[int](t, st, "select count(*) from support_cases where subject_ref = $1", c.ID); cases != 2 {
		t.Errorf("%d cases", cases)
	}
	if open := query[int](t, st, "select count(*) from support_cases where dedupe_key = $1", "notice/"+news.ID); open != 0 {
		t.Error("a case for what was only news")
	}
	var trail []string
	rows, err := st.Pool().Query(t.Context(), "select kind || ' ' || (detail->>'kind') || ' ' || (detail->>'code') from audit_events where credential_id = $1 and kind like 'notice.%' order by 1", c.ID)
	storetest.Must(t, err)
	defer rows.Close()
	for rows.Next() {
		var line string
		storetest.Must(t, rows.Scan(&line))
		trail = append(trail, line)
	}
	want := []string{"notice.bounced registered 5.1.1", "notice.bounced revocation_reminder 5.1.1", "notice.failed revocation_reminder 5.1.1"}
	if !slices.Equal(trail, want) {
		t.Errorf("audited %q", trail)
	}

	last := mailed(t, st, store.NewNotice{Kind: models.NoticeRevokedByTime, AccountID: buyer.ID, SubjectRef: c.ID})
	_, err = st.Pool().Exec(t.Context(), "update credentials set phase = 'revoked', revoked_at = $2 where id = $1", c.ID, storetest.At)
	storetest.Must(t, err)
	woken := signals()
	bounce(last, "e3")
	if signals() != woken {
		t.Error("a lifecycle that has ended was woken")
	}
}

// LIF-3: reminders failed when there are some and none of them arrived; those of another revocation do not count, nor does what only looks like the prefix.
func TestRemindersFailed(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	const prefix = "revocation-reminder/cr_a_b/2031-05-04/"
	account := storetest.Account(t, st).ID
	for i, c := range []struct {
		name string
		fate []models.NoticeStatus
		want bool
	}{
		{"none", nil, false},
		{"all sent", []models.NoticeStatus{models.NoticeSent, models.NoticeSent}, false},
		{"all refused", []models.NoticeStatus{models.NoticeFailed, models.NoticeFailed}, true},
		{"all came back", []models.NoticeStatus{models.NoticeBounced, models.NoticeBounced, models.NoticeBounced}, true},
		{"not one left", []models.NoticeStatus{models.NoticePending}, true},
		{"each lost in its way", []models.NoticeStatus{models.NoticePending, models.NoticeFailed, models.NoticeBounced}, true},
		{"one arrived", []models.NoticeStatus{models.NoticeBounced, models.NoticeSent, models.NoticeFailed}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := fmt.Sprintf("cr_a_b%d", i)
			own := strings.Replace(prefix, "cr_a_b", id, 1)
			for n, fate := range c.fate {
				become(t, st, mailed(t, st, store.NewNotice{Kind: models.NoticeRevocationReminder, AccountID: account, SubjectRef: id, DedupeKey: fmt.Sprint(own, n)}), fate)
			}
			opposite := models.NoticeSent
			if !c.want {
				opposite = models.NoticeBounced
			}
			for _, key := range []string{strings.Replace(own, "2031", "2032", 1) + "30", strings.Replace(own, "cr_a_b", "cr_axb", 1) + "30"} {
				become(t, st, mailed(t, st, store.NewNotice{Kind: models.NoticeRevocationReminder, AccountID: account, SubjectRef: id, DedupeKey: key}), opposite)
			}
			if got, err := st.RemindersFailed(t.Context(), id, own); err != nil || got != c.want {
				t.Fatalf("%t, %v", got, err)
			}
		})
	}
}

// become brings a pending notice to where it is to be.
func become(t *testing.T, st *store.Store, n models.Notice, fate models.NoticeStatus) {
	t.Helper()
	switch fate {
	case models.NoticeSent:
		storetest.Must(t, st.NoticeSent(t.Context(), n.ID, storetest.At))
	case models.NoticeFailed:
		storetest.Must(t, st.NoticeFailed(t.Context(), n, store.Mishap{Why: "refused"}, storetest.At))
	case models.NoticeBounced:
		storetest.Must(t, st.RecordMailEvent(t.Context(), told(n, "e/"+n.ID, models.MailBounced, "5.1.1", storetest.At), storetest.At))
	}
}

// LIF-3, OPS-2: the sender and the provider's events race; each event counts once, and the bounce is the last word.
func TestMailEventsRace(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	for round := range 6 {
		n := mailed(t, st, store.NewNotice{SubjectRef: fmt.Sprintf("SO-race-%d", round), Sealed: []byte("sealed")})
		first := storetest.At.Add(time.Minute)
		work := []func() error{func() error { return st.NoticeSent(t.Context(), n.ID, storetest.At) }}
		for i := range 3 {
			for range 2 { // each event comes twice
				work = append(work,
					func() error {
						return st.RecordMailEvent(t.Context(), told(n, fmt.Sprintf("%s/b%d", n.ID, i), models.MailBounced, models.MailCode(fmt.Sprintf("5.1.%d", i)), first.Add(time.Duration(i)*time.Second)), storetest.At)
					},
					func() error {
						return st.RecordMailEvent(t.Context(), told(n, fmt.Sprintf("%s/d%d", n.ID, i), models.MailDelivered, "", first.Add(time.Duration(i)*time.Hour)), storetest.At)
					})
			}
		}
		rand.Shuffle(len(work), func(i, j int) { work[i], work[j] = work[j], work[i] })
		if answers := atOnce(len(work), func(i int) error { return work[i]() }); answers[""] != len(work) {
			t.Fatalf("answers %v", answers)
		}
		got := notice(t, st, n.DedupeKey)
		if got.Status != models.NoticeBounced || got.Code != "5.1.0" || !got.BouncedAt.Equal(first) || !got.DeliveredAt.Equal(first) || got.Sealed != nil || got.SentAt == nil {
			t.Errorf("%+v", got)
		}
		if events, audited := query[int](t, st, "select count(*) from mail_events where message_id = $1", n.MessageID),
			query[int](t, st, "select count(*) from audit_events where subject_ref = $1", n.ID); events != 6 || audited != 1 {
			t.Errorf("%d events, audited %d times", events, audited)
		}
	}
}

// LIF-3: the mails about a thing are listed page by page, oldest first, with what became of them.
func TestNoticesAboutByPage(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	account := storetest.Account(t, st).ID
	for i := range 5 {
		n := store.NewNotice{Kind: models.NoticeExpired, AccountID: account, SubjectRef: "cr_paged", DedupeKey: fmt.Sprint("page/", i)}
		storetest.Must(t, st.AddNotice(t.Context(), n, storetest.At.Add(time.Duration(i/2)*time.Hour))) // some at one moment
	}
	become(t, st, notice(t, st, "page/0"), models.NoticeBounced)
	all := notices(t, st, "cr_paged")
	var paged []models.Notice
	for page := (store.Page{Limit: 2}); ; {
		rows, err := st.NoticesAbout(t.Context(), "cr_paged", page)
		storetest.Must(t, err)
		if len(rows) == 0 {
			break
		}
		paged = append(paged, rows...)
		page.After = rows[len(rows)-1].ID
	}
	same := func(a, b models.Notice) bool { return a.ID == b.ID }
	if len(all) != 5 || !slices.EqualFunc(all, paged, same) || all[len(all)-1].DedupeKey != "page/4" {
		t.Fatalf("%d in all, %d by pages", len(all), len(paged))
	}
	if n := notice(t, st, "page/0"); n.Status != models.NoticeBounced || n.BouncedAt == nil || n.Code != "5.1.1" {
		t.Errorf("%+v", n)
	}
}
