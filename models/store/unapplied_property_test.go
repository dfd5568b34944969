package store_test

import (
	"context"

	"pgregory.net/rapid"
	"tokendesk/models"
	"tokendesk/models/store"
)

// unappliedInvariants are queries that find what no use of money that no invoice took may ever lead to.
var unappliedInvariants = map[string]string{
	"unapplied cash that is not what payments have left": `select 'unapplied_cash' where (select coalesce(-sum(amount_minor), 0) from ledger_postings where account = 'unapplied_cash') <> (select coalesce(sum(amount_minor), 0) from payments)
		- (select coalesce(sum(a.amount_minor), 0) from allocations a join invoices i on i.id = a.invoice_id where i.status <> 'void') - (select coalesce(sum(amount_minor), 0) from unapplied_payouts)`,
	"money in the bank that is not there": `select 'bank' where (select coalesce(sum(amount_minor), 0) from ledger_postings where account = 'bank') <> (select coalesce(sum(amount_minor), 0) from payments where source in ('bank_transfer', 'bank_statement'))
		- (select coalesce(sum(amount_minor), 0) from payouts) - (select coalesce(sum(amount_minor), 0) from unapplied_payouts)`,
	"a payment paid out and applied for more than it was": `select p.id from payments p where p.amount_minor < (select coalesce(sum(a.amount_minor), 0) from allocations a join invoices i on i.id = a.invoice_id where a.payment_id = p.id and i.status <> 'void')
		+ (select coalesce(sum(amount_minor), 0) from unapplied_payouts u where u.payment_id = p.id)`,
	"too much that one person alone paid out":  `select payment_id from unapplied_payouts where approval_id is null group by payment_id having sum(amount_minor) > 50000`,
	"a payout approved by who made it":         `select u.id from unapplied_payouts u join payout_approvals a on a.id = u.approval_id where a.approved_by = u.recorded_by or a.amount_minor < u.amount_minor`,
	"a credit used for somebody else":          `select p.id from payments p join refunds r on r.id = p.source_account join orders bought on bought.id = r.order_id join allocations a on a.payment_id = p.id join invoices i on i.id = a.invoice_id join orders o on o.id = i.order_id where p.source = 'customer_credit' and o.buyer_id <> bought.buyer_id`,
	"a credit used that is not what was taken": `select r.id from refunds r where r.used_minor <> (select coalesce(sum(amount_minor), 0) from payments where source = 'customer_credit' and source_account = r.id)`,
}

// rest is a payment of the buyer's of which something is left, or the step is skipped.
func (w *world) rest(r *rapid.T) store.PaymentResult {
	ctx := context.Background()
	rows, err := w.st.Pool().Query(ctx, `select distinct p.id from payments p join invoices i on i.number = p.invoice_number join orders o on o.id = i.order_id where o.buyer_id = $1 order by p.id`, w.buyer.ID)
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	var left []store.PaymentResult
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			r.Fatal(err)
		}
		p, err := w.st.Payment(ctx, id)
		tolerated(r, err)
		if p.Unapplied() > 0 {
			left = append(left, p)
		}
	}
	if len(left) == 0 {
		r.SkipNow()
	}
	return rapid.SampledFrom(left).Draw(r, "payment")
}

// invoice is the number of an invoice of the buyer's, of an order that waits for its money where there is one.
func (w *world) invoice(r *rapid.T) string {
	var number string
	err := w.st.Pool().QueryRow(context.Background(), `select i.number from invoices i join orders o on o.id = i.order_id where o.buyer_id = $1 order by i.status = 'open' desc, i.number limit 1`, w.buyer.ID).Scan(&number)
	if err != nil {
		r.SkipNow()
	}
	return number
}

func (w *world) applyPayment(r *rapid.T) {
	p := w.rest(r)
	_, err := w.st.ApplyPayment(context.Background(), p.Payment.ID, w.invoice(r), "it was for that one", billing, w.at)
	tolerated(r, err)
}

func (w *world) payOutRest(r *rapid.T) {
	ctx, p := context.Background(), w.rest(r)
	amount := models.Money{Minor: rapid.SampledFrom([]int64{p.Unapplied(), 1, p.Unapplied() + 1}).Draw(r, "amount"), Currency: models.USD}
	if rapid.Bool().Draw(r, "approved") {
		_, err := w.st.ApprovePayout(ctx, p.Payment.ID, amount, "seen", w.staff(r), w.at)
		tolerated(r, err)
	}
	_, err := w.st.PayOutUnapplied(ctx, p.Payment.ID, models.NewPayout{SourceAccount: "DE98", BankReference: w.reference(), Amount: amount, PaidAt: w.at}, "nobody needs it", w.staff(r), w.at)
	tolerated(r, err)
}

// useCredit pays an invoice with a refund that was kept as credit; where none was kept, one that may be is.
func (w *world) useCredit(r *rapid.T) {
	ctx, refund := context.Background(), w.oneRefund(r)
	if refund.Status == models.RefundPaying {
		tolerated(r, w.st.KeepAsCredit(ctx, refund.ID, billing, w.at))
	}
	_, err := w.st.ApplyCredit(ctx, refund.ID, w.invoice(r), "as the buyer asked", billing, w.at)
	tolerated(r, err)
}
