package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tokendesk/internal/demodata"
	"tokendesk/models"
)

func expiredAgain(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	if _, err := p.until(ctx, w.expires); err != nil {
		return scene{}, err
	}
	if _, err := p.finds(ctx, w, models.ShownExpired, models.ResultExpired); err != nil {
		return scene{}, err
	}
	ahead := models.StartOfDay(w.expires, -life.NoticeBefore, zone)
	if _, err := p.sandbox.mailOf(ctx, w, "Your credential expires on", ahead); err != nil {
		return scene{}, err
	}
	_, err := p.sandbox.mailOf(ctx, w, "Your credential has expired", w.expires)
	return scene{fmt.Sprintf("The second term had its own notice, on %s, and has its own end. This time Katherine does nothing.", day(ahead)), aboutCredential(w)}, err
}

func suspendedByTime(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	at := models.StartOfDay(revocationDay(w), -life.SuspendBefore, zone)
	if _, err := p.until(ctx, at); err != nil {
		return scene{}, err
	}
	seen, err := p.finds(ctx, w, models.ShownSuspended, models.ResultExpired)
	if err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailOf(ctx, w, "Your credential is suspended", at); err != nil {
		return scene{}, err
	}
	t, err := w.next(ctx)
	return scene{"Ten months later time itself suspends it. The portal still hears “expired”, because to renew is what would help. " + aloud(t), aboutCredential(w)},
		all(err, holds(seen.SuspendedBy == nil, "nobody has suspended it"), holds(seen.TermSuspendedAt != nil && seen.TermSuspendedAt.Equal(at), "time has suspended it at the start of that day"))
}

// reminded lets time pass until so many days before the revocation.
func reminded(days int) func(context.Context, *play) (scene, error) {
	return func(ctx context.Context, p *play) (scene, error) {
		w := p.katherine
		last := revocationDay(w)
		at := models.StartOfDay(last, -days, zone)
		if _, err := p.until(ctx, at); err != nil {
			return scene{}, err
		}
		if _, err := p.finds(ctx, w, models.ShownSuspended, models.ResultExpired); err != nil {
			return scene{}, err
		}
		m, err := p.sandbox.mailOf(ctx, w, "Your credential will be revoked on", at)
		if err != nil {
			return scene{}, err
		}
		_, byInvoice := w.quote(ctx, demodata.RenewalSKU, &w.credential)
		outcome, refusal := "She could still renew, by card or by invoice.", byInvoice
		if days < life.LastInvoiceBefore {
			outcome = fmt.Sprintf("To renew by invoice is refused: “%s: %s”.", models.RenewalByCardOnly.Title, models.RenewalByCardOnly.Next)
			refusal = refusedAs(models.RenewalByCardOnly, byInvoice)
		}
		return scene{fmt.Sprintf("“%s.” %s", m.Subject, outcome), aboutCredential(w)}, all(refusal, holds(strings.Contains(m.Subject, day(last)), "the mail names %s", day(last)))
	}
}

func revoked(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	end := revocation(w.expires, life.GraceMonths)
	if _, err := p.until(ctx, end); err != nil {
		return scene{}, err
	}
	if _, err := p.finds(ctx, w, models.ShownRevoked, models.ResultRevoked); err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailOf(ctx, w, "Your credential has been revoked", end); err != nil {
		return scene{}, err
	}
	_, tooLate := w.quote(ctx, demodata.RenewalSKU, &w.credential)
	t, err := w.next(ctx)
	return scene{fmt.Sprintf("The year after the term is over: credential and token are revoked, for good. Her password is as it was. To renew is refused: “%s: %s”. %s",
			models.CredentialIsRevoked.Title, models.CredentialIsRevoked.Next, aloud(t)), aboutCredential(w)},
		all(err, refusedAs(models.CredentialIsRevoked, tooLate), same("how much is ahead", len(t.Milestones), 0))
}

// letter is a mail that must have come: its day, and what its subject says.
type letter struct {
	at      time.Time
	subject string
}

// letters are what Katherine must have been told about her credential.
func letters(w *person) []letter {
	began, until, last := models.TermEnd(w.expires, -12, zone), w.expires, revocationDay(w)
	all := []letter{
		{models.StartOfDay(began, -life.NoticeBefore, zone), "expires on " + day(began)}, {began, "has expired"}, {began.AddDate(0, 0, 20), "has been renewed"},
		{misplacedOn(w), "has been suspended"}, {misplacedOn(w).AddDate(0, 0, 10), "can be used again"},
		{models.StartOfDay(until, -life.NoticeBefore, zone), "expires on " + day(until)}, {until, "has expired"},
		{models.StartOfDay(last, -life.SuspendBefore, zone), "is suspended"},
	}
	for _, days := range life.Reminders {
		all = append(all, letter{models.StartOfDay(last, -days, zone), "will be revoked on " + day(last)})
	}
	return append(all, letter{models.StartOfDay(last, 1, zone), "has been revoked"})
}

// lookBack reads Katherine's mailbox: everything that time has told her, once.
func lookBack(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	const about = "Your credential "
	mails, err := p.sandbox.mails(ctx, w, about)
	if err != nil {
		return scene{}, err
	}
	slices.SortStableFunc(mails, func(a, b mail) int { return a.Date.Compare(b.Date) })
	var want, got []string
	for _, l := range letters(w) {
		want = append(want, day(l.at)+": "+l.subject)
	}
	for _, m := range mails {
		got = append(got, day(m.Date)+": "+strings.TrimPrefix(m.Subject, about))
		if err := same(fmt.Sprintf("how often %q came", m.Subject), m.Deliveries, 1); err != nil {
			return scene{}, err
		}
	}
	list := strings.Join(got, "; ")
	return scene{fmt.Sprintf("%d mails about it in three years, each on its day and each once. %s.", len(mails), list), aboutCredential(w)},
		same("what her mails say", list, strings.Join(want, "; "))
}
