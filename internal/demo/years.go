package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tokendesk/api/client"
	"tokendesk/internal/demodata"
	"tokendesk/models"
)

// life is the policy under which the story's credentials are bought.
var life = models.DefaultPolicy().Life

// revocationDay is the day at whose end Katherine's credential is revoked.
func revocationDay(w *person) time.Time { return models.TermEnd(w.expires, life.GraceMonths, zone) }

func katherineBegins(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	if err := p.openLogin(ctx, w, models.RoleSubscriber); err != nil {
		return scene{}, err
	}
	if err := w.buyByCard(ctx); err != nil {
		return scene{}, err
	}
	for _, do := range []func(context.Context, *play, *person) (scene, error){readKey, handToCarrier, arrives, activate, register, verify} {
		if _, err := do(ctx, p, w); err != nil {
			return scene{}, err
		}
	}
	t, err := w.next(ctx)
	return scene{fmt.Sprintf("%s, token %s and two codes: credential %s is active, and its first code is accepted. The term ends on %s. %s",
			w.order, w.token.serial, w.credential, day(w.expires), aloud(t)), aboutCredential(w)},
		all(err, same("the day on which it expires", day(w.expires), day(models.TermEnd(t.At, 12, zone))))
}

func arrives(ctx context.Context, p *play, w *person) (scene, error) { return p.delivered(ctx, w) }

func noticed(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	opens := models.StartOfDay(w.expires, -life.NoticeBefore, zone)
	passed, err := p.until(ctx, opens)
	if err != nil {
		return scene{}, err
	}
	seen, err := p.finds(ctx, w, models.ShownActive, models.Accepted)
	if err != nil {
		return scene{}, err
	}
	m, err := p.sandbox.mailOf(ctx, w, "Your credential expires on", opens)
	return scene{fmt.Sprintf("Eleven months pass, for %d lifecycles, each with what is due to it in its turn. A mail says: “%s”. Renewal is open, and her code is still accepted.",
			passed.Lifecycles, m.Subject), aboutCredential(w)},
		all(err, holds(strings.Contains(m.Subject, day(w.expires)), "the mail names %s", day(w.expires)), holds(seen.Renewal != nil && seen.Renewal.Open, "renewal is open"))
}

func expired(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	if _, err := p.until(ctx, w.expires); err != nil {
		return scene{}, err
	}
	seen, err := p.finds(ctx, w, models.ShownExpired, models.ResultExpired)
	if err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailOf(ctx, w, "Your credential has expired", w.expires); err != nil {
		return scene{}, err
	}
	t, err := w.next(ctx)
	return scene{"To the second: a right code is refused with “expired”, and a mail tells her. " + aloud(t), aboutCredential(w)},
		all(err, holds(slices.Contains(seen.AllowedActions, string(models.ActionRenew)), "she may renew"), same("whose turn it is", t.WaitingOn, client.WaitingOnHolder))
}

// quote asks what a line would cost and do, paid by invoice.
func (w *person) quote(ctx context.Context, sku string, credential *string) (client.OrderQuote, error) {
	method := models.PayByInvoice
	return client.Read[client.OrderQuote](w.api.QuoteOrder(ctx, client.NewOrderQuote{PaymentMethod: &method,
		Lines: []client.NewOrderLine{{ProductSKU: sku, CredentialID: credential}}}))
}

func quoted(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	if _, err := p.until(ctx, w.expires.AddDate(0, 0, 20)); err != nil {
		return scene{}, err
	}
	if _, err := p.finds(ctx, w, models.ShownExpired, models.ResultExpired); err != nil {
		return scene{}, err
	}
	renewal, err := w.quote(ctx, demodata.RenewalSKU, &w.credential)
	if err != nil {
		return scene{}, err
	}
	anew, err := w.quote(ctx, demodata.HardwareSKU, nil)
	if err != nil {
		return scene{}, err
	}
	until := renewal.Lines[0].NewExpiry
	err = all(holds(until != nil && until.Equal(models.TermEnd(w.expires, 12, zone)), "the new term begins where the old one ended"),
		same("the number of warnings about a new token", len(anew.Warnings), 1))
	if err != nil {
		return scene{}, err
	}
	return scene{fmt.Sprintf("%s, until %s: a year from the old end, however late she pays. A new token would cost %s, and she would be warned: “%s.”",
			renewal.Total, day(*until), anew.Total, anew.Warnings[0].Detail), aboutCredential(w)},
		same("the warning", anew.Warnings[0].Code, models.WarnRenewalAvailable)
}

func orderRenewal(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	wanted, err := newOrder(ctx, w, models.PayByInvoice, "")
	if err != nil {
		return scene{}, err
	}
	wanted.ShippingAddress, wanted.Lines = nil, []client.NewOrderLine{{ProductSKU: demodata.RenewalSKU, CredentialID: &w.credential}}
	placed, err := client.Read[client.Order](w.api.CreateOrder(ctx, nil, wanted))
	if err != nil {
		return scene{}, err
	}
	w.order, w.invoice, w.total = placed.Number, placed.Invoice.Number, placed.Total
	seen, err := p.finds(ctx, w, models.ShownExpired, models.ResultExpired)
	if err != nil {
		return scene{}, err
	}
	now, err := w.now(ctx)
	return scene{fmt.Sprintf("%s, with invoice %s over %s. Before the money is there nothing changes: a right code is still refused. %s", w.order, w.invoice, w.total, aloud(now)), aboutOrder(w)},
		all(err, holds(seen.ExpiresAt.Equal(w.expires), "the term is still the old one"), same("whose turn it is", now.WaitingOn, client.WaitingOnBuyer))
}

func payRenewal(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	now, err := w.now(ctx)
	if err != nil {
		return scene{}, err
	}
	w.transfer = client.NewPayment{Source: models.SourceBankTransfer, SourceAccount: "DE02120300000000202051", BankReference: "FB-" + p.tag + "-3",
		Amount: w.total, ReceivedAt: now.At, InvoiceNumber: &w.invoice}
	if _, err := client.Read[client.Payment](p.billing.RecordPayment(ctx, nil, w.transfer)); err != nil {
		return scene{}, err
	}
	if _, err := w.awaitOrder(ctx, models.OrderFulfilled); err != nil {
		return scene{}, err
	}
	seen, err := p.finds(ctx, w, models.ShownActive, models.Accepted)
	if err != nil {
		return scene{}, err
	}
	first := w.expires
	w.expires = seen.ExpiresAt.In(zone)
	_, err = p.sandbox.mailOf(ctx, w, "Your credential has been renewed", now.At)
	return scene{fmt.Sprintf("The credential is active again, until %s, and the next code of the same token is accepted. No new token is sent.", day(w.expires)), aboutCredential(w)},
		all(err, holds(w.expires.Equal(models.TermEnd(first, 12, zone)), "the new term is a year from the old end"))
}

// misplacedOn is when Katherine misses her token, ten months before the end of the second term.
func misplacedOn(w *person) time.Time { return w.expires.AddDate(0, -10, 0) }

func misplaced(ctx context.Context, p *play) (scene, error) {
	w := p.katherine
	if _, err := p.until(ctx, misplacedOn(w)); err != nil {
		return scene{}, err
	}
	if _, err := p.login(ctx, w); err != nil {
		return scene{}, err
	}
	if _, err := client.Read[client.Credential](w.api.SuspendCredential(ctx, w.credential, nil, client.Suspension{})); err != nil {
		return scene{}, err
	}
	seen, err := p.finds(ctx, w, models.ShownSuspended, models.ResultSuspended)
	if err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailOf(ctx, w, "Your credential has been suspended", misplacedOn(w)); err != nil {
		return scene{}, err
	}
	t, err := w.next(ctx)
	return scene{"She suspends her credential, and whoever finds the token is told “suspended”. A suspension does not last for ever either. " + aloud(t), aboutCredential(w)},
		all(err, holds(seen.SuspendedBy != nil && *seen.SuspendedBy == models.BySubscriber, "she has suspended it herself"),
			same("when it would end", day(t.Milestones[len(t.Milestones)-1].At), day(models.StartOfDay(misplacedOn(w), life.SuspensionDays+1, zone))))
}

func found(ctx context.Context, p *play) (scene, error) {
	w, at := p.katherine, misplacedOn(p.katherine).AddDate(0, 0, 10)
	if _, err := p.until(ctx, at); err != nil {
		return scene{}, err
	}
	if _, err := p.login(ctx, w); err != nil {
		return scene{}, err
	}
	if _, err := client.Read[client.Credential](w.api.ReenableCredential(ctx, w.credential, nil, client.Suspension{})); err != nil {
		return scene{}, err
	}
	if _, err := p.finds(ctx, w, models.ShownActive, models.Accepted); err != nil {
		return scene{}, err
	}
	_, err := p.sandbox.mailOf(ctx, w, "Your credential can be used again", at)
	return scene{"It was in the other coat. She lifts the suspension herself, and the next code is accepted.", aboutCredential(w)}, err
}
