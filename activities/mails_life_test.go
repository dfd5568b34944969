package activities_test

import (
	"strings"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// says composes the newest mail of a kind about something.
func (p *postOffice) says(t *testing.T, st *store.Store, ref string, kind models.NoticeKind) (subject, text string) {
	t.Helper()
	all, err := st.NoticesAbout(t.Context(), ref, store.Page{Limit: 200})
	storetest.Must(t, err)
	var found *models.Notice
	for i, n := range all {
		if n.Kind == kind {
			found = &all[i]
		}
	}
	if found == nil {
		t.Fatalf("no %s mail about %s", kind, ref)
	}
	m, err := p.mailer.Composer.Compose(t.Context(), *found)
	storetest.Must(t, err)
	if strings.Contains(m.Text, "<no value>") {
		t.Errorf("%s: %s", kind, m.Text)
	}
	return m.Subject, strings.Join(strings.Fields(m.Text), " ")
}

// LIF-1: a mail that leaves after a renewal has the dates of its event; one that was not true any more does not leave at all.
func TestMailsThatLeaveLate(t *testing.T) {
	t.Parallel()
	b := newBought(t)
	p := newPost(t, b.Store, b.ring)
	e := b.credential.ExpiresAt
	expired := e.In(models.DefaultPolicy().Location()).Format("2 January 2006")
	_, err := b.AdvanceCredential(t.Context(), b.credential.ID, e)
	storetest.Must(t, err)
	claimed, err := b.ClaimNotices(t.Context(), 100, e, 0) // by a sender whose mail server answers only after the renewal
	storetest.Must(t, err)
	storetest.FulfilledAt(t, b.Store, b.ring, storetest.Renewal(b.person.ID, models.PayByInvoice, b.credential), e.AddDate(0, 0, 1))
	for _, n := range claimed {
		if n.Kind != models.NoticeExpired {
			continue
		}
		if m, err := p.mailer.Composer.Compose(t.Context(), n); err != nil || !strings.Contains(m.Text, "your credential expired on "+expired) {
			t.Errorf("%v: %s", err, m.Text)
		}
	}
	for p.deliver(t, e.AddDate(0, 0, 2)) > 0 {
	}
	renewed := false
	for _, m := range p.received(t) {
		renewed = renewed || strings.Contains(m.Subject, "has been renewed")
		if strings.Contains(m.Subject, "has expired") {
			t.Errorf("after the renewal %q is sent: %s", m.Subject, m.Text)
		}
	}
	if !renewed {
		t.Error("the renewal was not mailed")
	}
}

// LIF-1, LIF-2, MGT-3, REN-4: what the mails of a life say, and what they do not.
func TestWhatMailsOfALifeSay(t *testing.T) {
	t.Parallel()
	zone := models.DefaultPolicy().Location()
	day := func(at time.Time) string { return at.In(zone).Format("2 January 2006") }
	said := func(p *postOffice, b bought, kind models.NoticeKind, subject string, has, hasNot []string) {
		t.Helper()
		got, text := p.says(t, b.Store, b.credential.ID, kind)
		if !strings.Contains(got, subject) {
			t.Errorf("%s has the subject %q, want %q", kind, got, subject)
		}
		for _, words := range has {
			if !strings.Contains(text, words) {
				t.Errorf("%s does not say %q: %s", kind, words, text)
			}
		}
		for _, words := range hasNot {
			if strings.Contains(text, words) {
				t.Errorf("%s says %q: %s", kind, words, text)
			}
		}
	}
	advance := func(b bought, at time.Time) {
		t.Helper()
		if _, err := b.AdvanceCredential(t.Context(), b.credential.ID, at); err != nil {
			t.Fatal(err)
		}
		_, err := b.Pool().Exec(t.Context(), "update notices set status = 'sent', sent_at = created_at, sealed = null where status = 'pending'")
		storetest.Must(t, err)
	}

	b := newBought(t)
	p, e := newPost(t, b.Store, b.ring), b.credential.ExpiresAt
	r := models.StartOfDay(models.TermEnd(e, 12, zone), 0, zone)
	st, err := b.Standing(t.Context(), b.credential.ID, e)
	storetest.Must(t, err)
	closes := "until " + st.Window.LastRenewal.Format("2 January 2006, 15:04 MST")
	advance(b, models.StartOfDay(e, -30, zone))
	said(p, b, models.NoticeExpiryAhead, day(e), []string{"You can renew it from now on"}, nil)
	advance(b, r.AddDate(0, 0, -60))
	said(p, b, models.NoticeTermSuspended, "is suspended", []string{closes, "by invoice if you order it by the end of " + day(r.AddDate(0, 0, -5))}, nil)
	advance(b, r.AddDate(0, 0, -30))
	said(p, b, models.NoticeRevocationReminder, "will be revoked on "+day(r), []string{closes, "by invoice"}, []string{"re-enable"})
	advance(b, r.AddDate(0, 0, -3))
	said(p, b, models.NoticeRevocationReminder, "will be revoked", []string{closes + ", by card only"}, []string{"by invoice"})
	advance(b, r.AddDate(0, 0, 1))
	said(p, b, models.NoticeRevokedByTime, "has been revoked", []string{"expired on " + day(e) + " and was not renewed in time"}, []string{"re-enabled"})

	for by, words := range map[models.Suspender]string{models.BySubscriber: "log in and re-enable it", models.ByAdministrator: "ask your administrator"} {
		b := newBought(t)
		p, since := newPost(t, b.Store, b.ring), e.AddDate(0, 0, -89)
		storetest.Must(t, b.SuspendCredential(t.Context(), b.credential.ID, by, models.Actor{ID: b.person.ID}, since))
		advance(b, models.StartOfDay(e, -30, zone))
		said(p, b, models.NoticeExpiryAhead, day(e), []string{"unless it is re-enabled before"}, []string{"from now on"})
		said(p, b, models.NoticeRevocationReminder, "will be revoked", []string{words}, []string{"renew"})
		advance(b, since.AddDate(0, 0, 62))
		said(p, b, models.NoticeRevokedByTime, "has been revoked", []string{"suspended", "not re-enabled in time"}, []string{"renewed"})
	}

	for days, c := range map[int]struct {
		subject     string
		has, hasNot []string
	}{
		-10: {"can be used again", []string{"Its term has not changed"}, []string{"renew"}},
		10:  {"The suspension of your credential was lifted", []string{"cannot be used to log in until it is renewed", closes}, nil},
		330: {"The suspension of your credential was lifted", []string{"stays suspended until it is renewed", closes}, nil},
	} {
		b := newBought(t)
		at := e.AddDate(0, 0, days)
		storetest.Must(t, b.SuspendCredential(t.Context(), b.credential.ID, models.BySubscriber, models.Actor{ID: b.person.ID}, at.Add(-time.Hour)))
		storetest.Must(t, b.ReenableCredential(t.Context(), b.credential.ID, models.BySubscriber, models.Actor{ID: b.person.ID}, at))
		said(newPost(t, b.Store, b.ring), b, models.NoticeReenabled, c.subject, c.has, c.hasNot)
	}
}

// ORD-2, ORD-5, REN-4: mails about an unpaid renewal say until when the money helps, to the hour; after that they do not ask for it.
func TestMailsOfALateRenewal(t *testing.T) {
	t.Parallel()
	b := newBought(t)
	p := newPost(t, b.Store, b.ring)
	st, err := b.Standing(t.Context(), b.credential.ID, b.credential.ExpiresAt)
	storetest.Must(t, err)
	last := st.Window.LastRenewal
	closes := last.Format("2 January 2006, 15:04 MST")
	card := storetest.PlacedAt(t, b.Store, storetest.Renewal(b.person.ID, models.PayByCard, b.credential), last.Add(-time.Hour))
	for _, c := range []struct {
		at   time.Time
		says string
	}{{last.Add(-time.Hour), "before " + closes}, {last, "please do not pay"}} {
		charge, err := b.LiveCharge(t.Context(), card.Number)
		if err != nil {
			charge, err = b.NewCharge(t.Context(), card.Number, "pm_other", models.Actor{ID: b.person.ID}, last.Add(-time.Minute))
		}
		storetest.Must(t, err)
		storetest.Must(t, b.ChargeDeclined(t.Context(), charge, card.Number, "declined_by_bank", c.at))
		if _, text := p.says(t, b.Store, card.Number, models.NoticeCardDeclined); !strings.Contains(text, c.says) {
			t.Errorf("at %v says %s", c.at, text)
		}
	}

	b = newBought(t)
	p = newPost(t, b.Store, b.ring)
	o := storetest.PlacedAt(t, b.Store, storetest.Renewal(b.person.ID, models.PayByInvoice, b.credential), last.AddDate(0, 0, -8))
	storetest.Must(t, b.RemindInvoice(t.Context(), o.Number, models.InvoiceReminderDue, models.StartOfDay(last, 0, last.Location())))
	if _, text := p.says(t, b.Store, o.Number, models.NoticeOrderConfirmation); !strings.Contains(text, "by "+closes) {
		t.Errorf("the confirmation says %s", text)
	}
	if _, text := p.says(t, b.Store, o.Number, models.NoticeInvoiceReminder); !strings.Contains(text, "is due today: "+closes) || !strings.Contains(text, "arrives before "+closes) {
		t.Errorf("the reminder says %s", text)
	}
}

// MGT-6: whoever gets a replacement for an expired credential is told to renew it first.
func TestMailOfAReplacementAfterTheTerm(t *testing.T) {
	t.Parallel()
	for after, warned := range map[int]bool{-5: false, 5: true} {
		b := newBought(t)
		p := newPost(t, b.Store, b.ring)
		e := b.credential.ExpiresAt
		o := storetest.PlacedAt(t, b.Store, storetest.Replacement(b.person.ID, models.PayByInvoice, b.credential, models.ReplaceLost), e.AddDate(0, 0, -10))
		paid := e.AddDate(0, 0, after)
		storetest.PayAt(t, b.Store, o, paid)
		storetest.Must(t, b.FulfilOrder(t.Context(), o.Number, b.ring, paid))
		shipments, err := b.ShipmentsOfOrder(t.Context(), o.ID)
		storetest.Must(t, err)
		storetest.Must(t, b.AddNotice(t.Context(), store.NewNotice{Kind: models.NoticeShipped, DedupeKey: "shipped", AccountID: b.person.ID, SubjectRef: shipments[0].ID,
			Params: map[string]string{"tracking_number": "1Z"}}, paid))
		if _, text := p.says(t, b.Store, shipments[0].ID, models.NoticeShipped); strings.Contains(text, "renew it first") != warned {
			t.Errorf("%d days after the term says %s", after, text)
		}
	}
}

// ORD-5, REN-1: the mail about a renewal that was taken back says when the term ends again, and what helps.
func TestMailOfARenewalTakenBack(t *testing.T) {
	t.Parallel()
	b := newBought(t)
	p, e := newPost(t, b.Store, b.ring), b.credential.ExpiresAt
	at := storetest.BeforeExpiry(b.credential, 20)
	o := storetest.FulfilledAt(t, b.Store, b.ring, storetest.Renewal(b.person.ID, models.PayByInvoice, b.credential), at)
	_, err := b.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundMistake}, models.Actor{ID: "billing"}, at)
	storetest.Must(t, err)
	again := "Your credential expires on " + e.In(models.DefaultPolicy().Location()).Format("2 January 2006") + " again."
	if _, text := p.says(t, b.Store, b.credential.ID, models.NoticeRenewalTakenBack); !strings.Contains(text, again) || !strings.Contains(text, "You can renew it until") {
		t.Errorf("the mail says %s", text)
	}
}

// ORD-5, REN-4: the mail with a credit note says what becomes of what was bought, and why a renewal that came too late is credited.
func TestMailOfACreditedRenewal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late        bool
		token       bool // bought and credited together with the renewal
		has, hasNot string
	}{
		"taken back":   {false, false, "The credited renewals do not take effect", "cannot be used any more"},
		"too late":     {true, false, "not paid before the last moment to renew, so nothing was renewed", "cannot be used any more"},
		"among others": {false, true, "cannot be used any more. Credited renewals do not take effect", "so nothing was renewed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBought(t)
			p, at := newPost(t, b.Store, b.ring), storetest.BeforeExpiry(b.credential, 20)
			st, err := b.Standing(t.Context(), b.credential.ID, b.credential.ExpiresAt)
			storetest.Must(t, err)
			n := storetest.Renewal(b.person.ID, models.PayByInvoice, b.credential)
			if c.token {
				n.Lines = append(n.Lines, models.NewOrderLine{ProductSKU: storetest.TokenSKU})
			}
			o := storetest.PlacedAt(t, b.Store, n, at)
			if c.late {
				at = st.Window.LastRenewal
			}
			storetest.PayAt(t, b.Store, o, at)
			storetest.Must(t, b.FulfilOrder(t.Context(), o.Number, b.ring, at))
			if !c.late {
				_, err = b.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundMistake}, models.Actor{ID: "billing"}, at)
				storetest.Must(t, err)
			}
			refunds, err := b.Refunds(t.Context(), store.RefundFilter{}, store.Page{})
			storetest.Must(t, err)
			if _, text := p.says(t, b.Store, refunds[0].ID, models.NoticeCreditNote); !strings.Contains(text, c.has) || strings.Contains(text, c.hasNot) {
				t.Errorf("the mail says %s", text)
			}
		})
	}
}

// PRF-10, ORD-5: nor does the mail with a credit note for a proofing say that something cannot be used any more, and the mails of an upgrade say that the credential can.
func TestMailsOfAnUpgrade(t *testing.T) {
	t.Parallel()
	b := newBought(t)
	p := newPost(t, b.Store, b.ring)
	o := storetest.FulfilledAt(t, b.Store, b.ring, storetest.Upgrade(models.PayByInvoice, b.credential), storetest.At)
	proofing := storetest.OpenCase(t, b.Store, b.credential.ID)
	if _, text := p.says(t, b.Store, o.Number, models.NoticeOrderConfirmation); !strings.Contains(text, "can begin once the order is paid") || strings.Contains(text, "icense key") {
		t.Errorf("the confirmation says %s", text)
	}
	if _, text := p.says(t, b.Store, proofing.ID, models.NoticeProofingOpened); !strings.Contains(text, "Your credential stays in use meanwhile") || strings.Contains(text, "comes with") {
		t.Errorf("the invitation says %s", text)
	}
	_, err := b.AdvanceProofing(t.Context(), proofing.ID, storetest.At.AddDate(0, 0, models.DefaultPolicy().Proofing.Nudges[0]+1))
	storetest.Must(t, err)
	if _, text := p.says(t, b.Store, proofing.ID, models.NoticeProofingNudge); strings.Contains(text, "cannot be used before") {
		t.Errorf("the reminder says %s", text)
	}
	r, err := b.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundMistake}, models.Actor{ID: "billing"}, storetest.At)
	storetest.Must(t, err)
	if _, text := p.says(t, b.Store, r.ID, models.NoticeCreditNote); !strings.Contains(text, "attached. The credited proofing does not take place") || strings.Contains(text, "cannot be used any more") {
		t.Errorf("the mail with the credit note says %s", text)
	}
}

// MGT-4, ORD-5: the mail about a refund that ended for want of the token promises nothing about a credential that was revoked meanwhile.
func TestMailOfALapsedRefund(t *testing.T) {
	t.Parallel()
	b := newBought(t)
	p := newPost(t, b.Store, b.ring)
	all, err := b.Orders(t.Context(), store.OrderFilter{BuyerID: b.person.ID}, store.Page{})
	storetest.Must(t, err)
	r, err := b.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: all[0].Number, Reason: models.RefundMistake}, models.Actor{ID: "billing"}, storetest.At)
	storetest.Must(t, err)
	storetest.Must(t, b.RevokeCredential(t.Context(), models.Revocation{CredentialID: b.credential.ID, Reason: models.RevokeStolen, By: models.BySubscriber}, b.ring, storetest.Hasher,
		models.Actor{ID: b.person.ID}, storetest.At))
	_, err = b.AdvanceRefund(t.Context(), r.ID, *r.ReturnBy)
	storetest.Must(t, err)
	if _, text := p.says(t, b.Store, r.ID, models.NoticeRefundWithdrawn); strings.Contains(text, "valid") || !strings.Contains(text, "did not come back") {
		t.Errorf("the mail says %s", text)
	}
}
