package demo

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"tokendesk/api/client"
	"tokendesk/internal/demodata"
	"tokendesk/internal/keycode"
	"tokendesk/models"
)

// newOrder is an order for one hardware token, to the buyer's own address. A card is the card processor's token for it.
func newOrder(ctx context.Context, w *person, method models.PaymentMethod, card string) (client.NewOrder, error) {
	terms, err := client.Read[client.Disclaimer](w.api.GetCurrentDisclaimer(ctx))
	home := w.address()
	order := client.NewOrder{PaymentMethod: method, BillingAddress: home, ShippingAddress: &home, DisclaimerVersion: &terms.Version,
		Lines: []client.NewOrderLine{{ProductSKU: cmp.Or(w.sku, demodata.HardwareSKU)}}}
	if card != "" {
		order.CardToken = &card
	}
	return order, err
}

// goodCard is taken by every bank.
const goodCard = "pm_card_visa"

// buyByCard orders a token with a good card and follows the order until it is handed over.
func (w *person) buyByCard(ctx context.Context) error {
	wanted, err := newOrder(ctx, w, models.PayByCard, goodCard)
	if err != nil {
		return err
	}
	placed, err := client.Read[client.Order](w.api.CreateOrder(ctx, nil, wanted))
	if err != nil {
		return err
	}
	w.order, w.total = placed.Number, placed.Total
	_, err = w.awaitOrder(ctx, models.OrderFulfilled)
	return err
}

func orderByInvoice(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	wanted, err := newOrder(ctx, w, models.PayByInvoice, "")
	if err != nil {
		return scene{}, err
	}
	key := &client.CreateOrderParams{IdempotencyKey: rand.Text()}
	placed, err := client.Read[client.Order](w.api.CreateOrder(ctx, key, wanted))
	if err != nil {
		return scene{}, err
	}
	again, err := client.Read[client.Order](w.api.CreateOrder(ctx, key, wanted))
	if err != nil {
		return scene{}, err
	}
	if placed.Invoice == nil {
		return scene{}, errors.New("the order has no invoice")
	}
	w.order, w.invoice, w.total = placed.Number, placed.Invoice.Number, placed.Total
	err = all(same("the order's status", placed.Status, models.OrderPlaced), same("the invoice's status", placed.Invoice.Status, models.InvoiceOpen),
		same("what is due", placed.Invoice.Due, placed.Total), same("the number of the repeated order", again.Number, placed.Number),
		holds(placed.Lines[0].LicenseKey == nil, "no license key exists before the money is there"))
	return scene{fmt.Sprintf("She has her number at once: %s, with invoice %s over %s. Her connection breaks and she sends the order again: it is still %s.",
		w.order, w.invoice, w.total, again.Number), aboutOrder(w)}, err
}

func readConfirmation(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	m, err := p.sandbox.mailFor(ctx, w, "Your order "+w.order)
	if err != nil {
		return scene{}, err
	}
	var names []string
	for _, a := range m.Attachments {
		if err := p.sandbox.pdf(ctx, a.URL); err != nil {
			return scene{}, err
		}
		names = append(names, a.Name)
	}
	now, err := w.now(ctx)
	if err != nil {
		return scene{}, err
	}
	err = all(same("what is attached", strings.Join(names, ", "), w.order+".pdf, "+w.invoice+".pdf"),
		holds(keyIn(m) == "", "the confirmation carries no license key"), same("whose turn it is", string(now.WaitingOn), "buyer"))
	return scene{fmt.Sprintf("Order confirmation and invoice are attached as PDF. There is no license key yet: Tokendesk waits for %s.", now.WaitingFor), aboutOrder(w)}, err
}

// now says where the order stands, and what time it is for the vendor.
func (w *person) now(ctx context.Context) (client.Timeline, error) {
	return client.Read[client.Timeline](w.api.GetOrderTimeline(ctx, w.order))
}

func payPart(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	now, err := w.now(ctx)
	if err != nil {
		return scene{}, err
	}
	part := models.Money{Minor: w.total.Minor * 2 / 3, Currency: w.total.Currency}
	w.transfer = client.NewPayment{Source: models.SourceBankTransfer, SourceAccount: "DE02120300000000202051", BankReference: "FB-" + p.tag + "-1",
		Amount: part, ReceivedAt: now.At, InvoiceNumber: &w.invoice}
	paid, err := client.Read[client.Payment](p.billing.RecordPayment(ctx, nil, w.transfer))
	if err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailFor(ctx, w, "a part of the payment for your order "+w.order); err != nil {
		return scene{}, err
	}
	order, err := p.unpaid(ctx, w, w.total.Minus(part))
	err = all(err, same("what is unapplied", paid.Unapplied.Minor, 0), holds(paid.Duplicate == nil, "the transfer is new"))
	return scene{fmt.Sprintf("%s arrived, %s is still due, and Ada hears of it. The order waits, without a license key.", part, order.Invoice.Due), aboutOrder(w)}, err
}

// unpaid reads an order and sees that it still waits for that amount.
func (p *play) unpaid(ctx context.Context, w *person, due models.Money) (client.Order, error) {
	order, err := client.Read[client.Order](w.api.GetOrder(ctx, w.order))
	if err != nil {
		return order, err
	}
	return order, all(same("the order's status", order.Status, models.OrderPlaced), same("what is due", order.Invoice.Due, due),
		holds(order.Lines[0].LicenseKey == nil, "no license key exists before the invoice is paid in full"))
}

func repeatNotice(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	paid, err := client.Read[client.Payment](p.billing.RecordPayment(ctx, nil, w.transfer))
	if err != nil {
		return scene{}, err
	}
	order, err := p.unpaid(ctx, w, w.total.Minus(w.transfer.Amount))
	err = all(err, holds(paid.Duplicate != nil && *paid.Duplicate, "the second notice is known to be a duplicate"))
	return scene{fmt.Sprintf("It is recognized as a duplicate: nothing is booked, %s is still due.", order.Invoice.Due), aboutOrder(w)}, err
}

func payRest(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	rest := w.transfer
	rest.Amount, rest.BankReference = w.total.Minus(w.transfer.Amount), "FB-"+p.tag+"-2"
	if _, err := client.Read[client.Payment](p.billing.RecordPayment(ctx, nil, rest)); err != nil {
		return scene{}, err
	}
	order, err := w.awaitOrder(ctx, models.OrderFulfilled)
	if err != nil {
		return scene{}, err
	}
	err = all(same("the invoice's status", order.Invoice.Status, models.InvoicePaid), same("what is due", order.Invoice.Due.Minor, 0))
	return scene{fmt.Sprintf("With %s more, the invoice is paid in full. That decides: the license key is issued, and a token is sent for.", rest.Amount), aboutOrder(w)}, err
}

// awaitOrder follows an order until it is in a state.
func (w *person) awaitOrder(ctx context.Context, status models.OrderStatus) (client.Order, error) {
	return await(ctx, fmt.Sprintf("order %s to be %s", w.order, status), func() (client.Order, bool, error) {
		order, err := client.Read[client.Order](w.api.GetOrder(ctx, w.order))
		return order, order.Status == status, err
	})
}

var keyPattern = regexp.MustCompile(`\b[2-9A-HJ-NP-Z]{5}(-[2-9A-HJ-NP-Z]{5})+\b`)

// keyIn finds the license key in a mail.
func keyIn(m mail) string { return keyPattern.FindString(m.Text) }

func readKey(ctx context.Context, p *play, w *person) (scene, error) {
	m, err := p.sandbox.mailFor(ctx, w, "license key for order "+w.order)
	if err != nil {
		return scene{}, err
	}
	key, err := keycode.Parse(keyIn(m))
	if err != nil {
		return scene{}, fmt.Errorf("read the license key in the mail: %w", err)
	}
	order, err := client.Read[client.Order](w.api.GetOrder(ctx, w.order))
	if err != nil {
		return scene{}, err
	}
	books := order.Lines[0].LicenseKey
	if books == nil {
		return scene{}, errors.New("the order shows no license key")
	}
	w.key = key.Reveal()
	err = all(same("the key's status", books.Status, models.KeyIssued), same("the last four characters in the books", books.LastFour, keycode.Last4(key)))
	return scene{fmt.Sprintf("The key is %s. It stands in her mail and nowhere else: the books keep its last four characters, and it is good until %s.",
		maskedKey(w.key), day(books.ExpiresAt)), aboutOrder(w)}, err
}

func orderByCard(ctx context.Context, p *play) (scene, error) {
	w := p.grace
	wanted, err := newOrder(ctx, w, models.PayByCard, "pm_card_chargeDeclined")
	if err != nil {
		return scene{}, err
	}
	placed, err := client.Read[client.Order](w.api.CreateOrder(ctx, nil, wanted))
	if err != nil {
		return scene{}, err
	}
	w.order, w.total = placed.Number, placed.Total
	order, err := w.awaitOrder(ctx, models.OrderDeclined)
	if err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailFor(ctx, w, "The card for your order "+w.order); err != nil {
		return scene{}, err
	}
	err = holds(order.Lines[0].LicenseKey == nil, "no license key exists before the money is there")
	return scene{fmt.Sprintf("Her number is %s. The bank declines the card, and Grace is told by mail; nothing is charged.", w.order), aboutOrder(w)}, err
}

func payAgain(ctx context.Context, p *play) (scene, error) {
	w := p.grace
	second, err := client.Read[client.Charge](w.api.CreateCharge(ctx, w.order, nil, client.NewCharge{CardToken: goodCard}))
	if err != nil {
		return scene{}, err
	}
	if _, err := w.awaitOrder(ctx, models.OrderFulfilled); err != nil {
		return scene{}, err
	}
	charges, err := p.sandbox.charges(ctx, w.order)
	if err != nil {
		return scene{}, err
	}
	captured := models.Money{Currency: w.total.Currency}
	for _, c := range charges {
		captured = captured.Plus(c.Captured)
	}
	err = all(same("the number of the charge", second.Attempt, 2), same("what the processor has captured", captured, w.total))
	return scene{fmt.Sprintf("This one is good: %s are authorized, then captured, once. The license key is issued, and a token is sent for.", captured), aboutOrder(w)}, err
}

// zone is the vendor's: its days are the days of the story.
var zone = models.DefaultPolicy().Location()

// day is a date as people write it.
func day(t time.Time) string { return t.In(zone).Format("2 January 2006") }
