package store_test

import (
	"context"
	"time"

	"pgregory.net/rapid"
	"tokendesk/models"
	"tokendesk/models/store"
)

// refundInvariants are queries that find what no refund may ever lead to.
var refundInvariants = map[string]string{
	"more credited than was paid":               `select i.id from invoices i where (select coalesce(sum(total_minor), 0) from credit_notes n where n.invoice_id = i.id) > i.paid_minor`,
	"a credited line with a live key":           `select n.order_line_id from credit_note_lines n join license_keys k on k.order_line_id = n.order_line_id where k.status = 'issued'`,
	"a credited line with a live credential":    `select n.order_line_id from credit_note_lines n join credentials c on c.order_line_id = n.order_line_id where c.phase <> 'revoked'`,
	"a credited line with a live authenticator": `select n.order_line_id from credit_note_lines n join credentials c on c.order_line_id = n.order_line_id join authenticators a on a.credential_id = c.id where a.status <> 'revoked'`,
	"a credited line that can still ship": `select n.order_line_id from credit_note_lines n join shipments s on s.order_line_id = n.order_line_id where s.status not in ('cancelled', 'given_up', 'delivered')
		and not exists (select from parcels p join authenticators a on a.serial = p.serial where p.shipment_id = s.id and p.number = s.parcel)`,
	"money for a token that did not come back": `select n.order_line_id from credit_note_lines n join shipments s on s.order_line_id = n.order_line_id join parcels p on p.shipment_id = s.id and p.number = s.parcel
		where s.status = 'delivered' and not exists (select from token_returns b where b.serial = p.serial) and not exists (
			select from tokens t join shipments later on later.id > s.id join order_lines l on l.id = later.order_line_id join credentials c on c.id = l.credential_id
			where t.serial = p.serial and t.status = 'retired' and l.replacement_reason is not null and c.order_line_id = n.order_line_id)`,
	"a returned token that is not retired":             `select t.serial from tokens t join token_returns b on b.serial = t.serial where t.status not in ('retired', 'bound')`,
	"a refunded order with a line that is not":         `select o.id from orders o where (o.status = 'refunded') <> not exists (select from order_lines l where l.order_id = o.id and not exists (select from credit_note_lines n where n.order_line_id = l.id))`,
	"a credit note that is not its lines":              `select n.id from credit_notes n where n.total_minor <> (select sum(amount_minor) from credit_note_lines l where l.credit_note_id = n.id)`,
	"a debt that is not what refunds owe":              `select 'refunds_payable' where (select coalesce(-sum(amount_minor), 0) from ledger_postings where account = 'refunds_payable') <> (select coalesce(sum(bank_minor + case when card_refunded_at is null then card_minor else 0 end), 0) from refunds where status = 'paying')`,
	"a credit that is not what refunds left":           `select 'customer_credit' where (select coalesce(-sum(amount_minor), 0) from ledger_postings where account = 'customer_credit') <> (select coalesce(sum(bank_minor - used_minor), 0) from refunds where status = 'credited')`,
	"sales that are not what was kept":                 `select 'deferred_revenue' where (select coalesce(-sum(amount_minor), 0) from ledger_postings where account = 'deferred_revenue') <> (select coalesce(sum(total_minor), 0) from invoices where status <> 'void') - (select coalesce(sum(total_minor), 0) from credit_notes)`,
	"card money that is not what cards paid":           `select 'card_clearing' where (select coalesce(sum(amount_minor), 0) from ledger_postings where account = 'card_clearing') <> (select coalesce(sum(amount_minor), 0) from payments where source = 'card') - (select coalesce(sum(card_minor), 0) from refunds where card_refunded_at is not null)`,
	"more to a card than it paid":                      `select c.id from charges c where (select coalesce(sum(card_minor), 0) from refunds where charge_id = c.id) > c.amount_minor`,
	"a refund that somebody allowed to himself":        `select id from refunds where second_person and status not in ('requested', 'withdrawn') and (decided_by is null or decided_by = requested_by)`,
	"too much that one person alone gave back":         `select order_id from refunds where not second_person and status not in ('rejected', 'withdrawn', 'lapsed') group by order_id having sum(total_minor) > 50000`,
	"a waiting refund without anything to wait for":    `select r.id from refunds r where status in ('requested', 'returning') and not exists (select from refund_lines f where f.refund_id = r.id and f.undone_at is null and f.dropped_at is null)`,
	"an ended refund that still holds a line":          `select r.id from refunds r join refund_lines f on f.refund_id = r.id where r.status in ('rejected', 'withdrawn', 'lapsed') and f.dropped_at is null`,
	"a credited refund with a line that is not":        `select r.id from refunds r join refund_lines f on f.refund_id = r.id where r.credited_at is not null and f.dropped_at is null and not exists (select from credit_note_lines n where n.order_line_id = f.order_line_id)`,
	"a refund that ended without the buyer being told": `select r.id from refunds r where r.status in ('refunded', 'credited', 'rejected', 'lapsed') and r.total_minor > 0 and not exists (select from notices n where n.subject_ref = r.id)`,
}

// charge lets the card pay.
func (w *world) charge(r *rapid.T) {
	if !w.chargeFor(r, w.one(r)) {
		r.SkipNow()
	}
}

// chargeFor brings the charge of an order a step further, if there is one under way.
func (w *world) chargeFor(r *rapid.T, o models.Order) bool {
	ctx := context.Background()
	c, err := w.st.LiveCharge(ctx, o.Number)
	if err != nil || o.Status != models.OrderPlaced {
		return false
	}
	if c.Status == models.ChargeIntended {
		tolerated(r, w.st.ChargeAuthorized(ctx, c, "pi_"+c.ID, w.at))
		return true
	}
	i, err := w.st.InvoiceOfOrder(ctx, o.ID)
	tolerated(r, err)
	tolerated(r, w.st.ChargeCaptured(ctx, c, i.Number, w.at))
	return true
}

func (w *world) staff(r *rapid.T) models.Actor {
	return rapid.SampledFrom([]models.Actor{billing, billing2, {ID: w.buyer.ID, AccountID: w.buyer.ID}}).Draw(r, "who")
}

func (w *world) refund(r *rapid.T) {
	o := w.one(r)
	positions := rapid.SampledFrom([][]int{nil, nil, {1}, {2}}).Draw(r, "positions")
	_, err := w.st.RequestRefund(context.Background(), models.RefundRequest{OrderNumber: o.Number, Positions: positions, Reason: models.RefundNotNeeded}, w.staff(r), w.at)
	tolerated(r, err)
}

func (w *world) oneRefund(r *rapid.T) models.Refund {
	all, err := w.st.Refunds(context.Background(), store.RefundFilter{BuyerID: w.buyer.ID}, store.Page{Limit: 200})
	if err != nil {
		r.Fatal(err)
	}
	if len(all) == 0 {
		r.SkipNow()
	}
	return rapid.SampledFrom(all).Draw(r, "refund")
}

func (w *world) decide(r *rapid.T) {
	ctx, id, who := context.Background(), w.oneRefund(r).ID, w.staff(r)
	switch rapid.IntRange(0, 4).Draw(r, "decision") {
	case 0:
		tolerated(r, w.st.RejectRefund(ctx, id, "not this one", who, w.at))
	case 1:
		tolerated(r, w.st.WithdrawRefund(ctx, id, who, w.at))
	default:
		tolerated(r, w.st.ApproveRefund(ctx, id, who, w.at))
	}
}

// sendBack brings a token to the warehouse: mostly one that is waited for.
func (w *world) sendBack(r *rapid.T) {
	ctx := context.Background()
	var serials []string
	rows, err := w.st.Pool().Query(ctx, `select p.serial from parcels p join shipments s on s.id = p.shipment_id join order_lines l on l.id = s.order_line_id join orders o on o.id = l.order_id
		where o.buyer_id = $1 order by p.serial`, w.buyer.ID)
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var serial string
		if err := rows.Scan(&serial); err != nil {
			r.Fatal(err)
		}
		serials = append(serials, serial)
	}
	if len(serials) == 0 {
		r.SkipNow()
	}
	_, err = w.st.RecordReturn(ctx, rapid.SampledFrom(serials).Draw(r, "serial"), rapid.SampledFrom([]models.TokenCondition{models.ReturnedUnopened, models.ReturnedDamaged}).Draw(r, "condition"), atWarehouse, w.at)
	tolerated(r, err)
}

// advanceRefund lets the lifecycle look, now or when its next milestone is due.
func (w *world) advanceRefund(r *rapid.T) {
	refund := w.oneRefund(r)
	st, err := w.st.AdvanceRefund(context.Background(), refund.ID, w.at)
	tolerated(r, err)
	if next, ok := st.Timeline.Next(w.at); ok && rapid.IntRange(0, 2).Draw(r, "time passes") == 0 {
		w.at = next.At.Add(time.Microsecond)
		_, err = w.st.AdvanceRefund(context.Background(), refund.ID, w.at)
		tolerated(r, err)
	}
}

// refundGoesOn does to a refund what would happen to it next if all went well.
func (w *world) refundGoesOn(r *rapid.T) {
	ctx, refund := context.Background(), w.oneRefund(r)
	switch refund.Status {
	case models.RefundRequested:
		tolerated(r, w.st.ApproveRefund(ctx, refund.ID, rapid.SampledFrom([]models.Actor{billing, billing2}).Draw(r, "who"), w.at))
	case models.RefundReturning:
		expected, err := w.st.ExpectedReturns(ctx, refund)
		tolerated(r, err)
		for _, e := range expected {
			if e.ReceivedAt == nil && e.Serial != "" {
				_, err := w.st.RecordReturn(ctx, e.Serial, models.ReturnedUnopened, atWarehouse, w.at)
				tolerated(r, err)
			}
		}
		_, err = w.st.AdvanceRefund(ctx, refund.ID, w.at)
		tolerated(r, err)
	case models.RefundPaying:
		if _, err := w.st.IntendCardRefund(ctx, refund.ID, w.at); err == nil && refund.CardDue().Minor > 0 {
			tolerated(r, w.st.CardRefunded(ctx, refund.ID, w.at))
		}
	}
}

// giveBack moves the money of a refund, as the card processor, or as billing.
func (w *world) giveBack(r *rapid.T) {
	ctx, refund := context.Background(), w.oneRefund(r)
	in, err := w.st.IntendCardRefund(ctx, refund.ID, w.at)
	tolerated(r, err)
	switch rapid.IntRange(0, 5).Draw(r, "what becomes of it") {
	case 0:
		tolerated(r, w.st.CardRefundRefused(ctx, in, "for a test", w.at))
	case 1:
		tolerated(r, w.st.CardRefundAccepted(ctx, refund.ID, w.at))
	case 2:
		tolerated(r, w.st.KeepAsCredit(ctx, refund.ID, billing, w.at))
	case 3:
		_, err := w.st.RecordPayout(ctx, refund.ID, models.NewPayout{SourceAccount: "DE99", BankReference: rapid.SampledFrom([]string{"same", w.reference()}).Draw(r, "reference"),
			Amount: models.Money{Minor: refund.BankDue().Minor, Currency: models.USD}, PaidAt: w.at}, billing, w.at)
		tolerated(r, err)
	default:
		tolerated(r, w.st.CardRefunded(ctx, refund.ID, w.at))
	}
}
