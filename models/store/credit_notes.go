package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// credit issues the credit note of a refund whose lines are all undone, and decides where the money goes back to: to the card as far as
// it came from there, the rest through the bank. It posts the debt; the money follows.
func (s *Store) credit(ctx context.Context, o models.Order, r *models.Refund, at time.Time) error {
	n, err := s.issueCreditNote(ctx, o, *r, at)
	if err != nil {
		return err
	}
	charge, card, err := s.cardPart(ctx, o, n.TotalMinor)
	if err != nil {
		return err
	}
	set := map[string]any{"total_minor": n.TotalMinor, "card_minor": card, "bank_minor": n.TotalMinor - card, "charge_id": charge, "credited_at": at}
	if err := refunds.move(s.with(ctx), r.ID, models.CreditRefund, at, set); err != nil {
		return err
	}
	r.Status, r.TotalMinor, r.CardMinor, r.BankMinor, r.ChargeID, r.CreditedAt = models.RefundPaying, n.TotalMinor, card, n.TotalMinor-card, charge, &at
	if err := s.auditRefund(ctx, *r, "credited", refundActor, map[string]string{"credit_note": n.Number, "total": n.Total().String()}, at); err != nil {
		return err
	}
	if err := s.orderCredited(ctx, o, at); err != nil {
		return err
	}
	params, err := s.creditedChanges(ctx, *r)
	if err != nil {
		return err
	}
	params["credit_note"] = n.Number
	if err := s.tellRefund(ctx, o, *r, models.NoticeCreditNote, params, at); err != nil {
		return err
	}
	if r.TotalMinor == 0 {
		return s.settleRefund(ctx, o, r, map[string]any{}, refundActor, at)
	}
	return nil
}

// creditedChanges says, as a mail's parameters, whether renewals and proofings are among what is credited ("some"), and whether all of it changes
// credentials that exist ("all").
func (s *Store) creditedChanges(ctx context.Context, r models.Refund) (map[string]string, error) {
	var renewals, proofings, all int
	err := s.with(ctx).Raw(`
		select count(*) filter (where p.kind = ?), count(*) filter (where p.kind = ?), count(*)
		from refund_lines f join order_lines l on l.id = f.order_line_id join products p on p.sku = l.product_sku
		where f.refund_id = ? and f.undone_at is not null`, models.Renewal, models.ProofingUpgrade, r.ID).Row().Scan(&renewals, &proofings, &all)
	if err != nil {
		return nil, fmt.Errorf("look what is credited: %w", err)
	}
	params, share := map[string]string{}, "some"
	if renewals+proofings == all {
		share = "all"
	}
	if renewals > 0 {
		params["renewals"] = share
	}
	if proofings > 0 {
		params["proofings"] = share
	}
	return params, nil
}

func (s *Store) issueCreditNote(ctx context.Context, o models.Order, r models.Refund, at time.Time) (models.CreditNote, error) {
	invoice, err := s.InvoiceOfOrder(ctx, o.ID)
	if err != nil {
		return models.CreditNote{}, fmt.Errorf("find the invoice: %w", err)
	}
	n := models.CreditNote{ID: NewID("cn", at), RefundID: r.ID, OrderID: o.ID, InvoiceID: invoice.ID, Currency: o.Currency, IssuedAt: at}
	for _, l := range r.Lines {
		if l.UndoneAt != nil {
			n.TotalMinor += l.AmountMinor
			n.Lines = append(n.Lines, models.CreditNoteLine{OrderLineID: l.OrderLineID, CreditNoteID: n.ID, AmountMinor: l.AmountMinor})
		}
	}
	if err := s.with(ctx).Raw("select 'CN-' || nextval('credit_note_numbers')").Row().Scan(&n.Number); err != nil {
		return n, err
	}
	if err := s.with(ctx).Omit(clause.Associations).Create(&n).Error; err != nil {
		return n, fmt.Errorf("issue a credit note: %w", err)
	}
	if err := s.with(ctx).Create(&n.Lines).Error; err != nil {
		return n, fmt.Errorf("credit the lines: %w", err)
	}
	return n, s.post(ctx, entry{Kind: "credit_note_issued", Ref: n.Number, Currency: n.Currency, At: at},
		posting{"deferred_revenue", n.TotalMinor}, posting{"refunds_payable", -n.TotalMinor})
}

// cardPart is how much of an amount goes back to the order's card: what the card paid of the invoice, less what went back already.
func (s *Store) cardPart(ctx context.Context, o models.Order, total int64) (charge *string, minor int64, err error) {
	var taken struct {
		ID   string
		Paid int64
		Back int64
	}
	err = s.with(ctx).Raw(`
		select c.id, coalesce(sum(a.amount_minor), 0) as paid, (select coalesce(sum(r.card_minor), 0) from refunds r where r.charge_id = c.id) as back
		from charges c join payments p on p.source = 'card' and p.bank_reference = c.id join allocations a on a.payment_id = p.id
			join invoices i on i.id = a.invoice_id and i.order_id = c.order_id
		where c.order_id = ? and c.status = 'captured' group by c.id`, o.ID).Scan(&taken).Error
	if err != nil {
		return nil, 0, fmt.Errorf("look where the money came from: %w", err)
	}
	if minor = min(total, taken.Paid-taken.Back); minor <= 0 {
		return nil, 0, nil
	}
	return &taken.ID, minor, nil
}

// orderCredited ends an order whose last line was credited.
func (s *Store) orderCredited(ctx context.Context, o models.Order, at time.Time) error {
	var left int64
	err := s.with(ctx).Raw("select count(*) from order_lines l where l.order_id = ? and not exists (select from credit_note_lines n where n.order_line_id = l.id)", o.ID).Row().Scan(&left)
	if err != nil {
		return fmt.Errorf("look what is left of the order: %w", err)
	}
	if left > 0 {
		return nil
	}
	if err := orders.move(s.with(ctx), o.ID, models.RefundOrder, at, map[string]any{"refunded_at": at}); err != nil {
		return err
	}
	if err := s.auditOrder(ctx, o, "order.refunded", at, nil); err != nil {
		return err
	}
	if o.Status != models.OrderPaid { // its lifecycle has ended
		return nil
	}
	return s.Signal(ctx, models.OrderLifecycle, o.Number, models.SignalOrderChanged, o.ID, at)
}

// CreditLine gives the money of one line back because the line cannot be fulfilled, such as a renewal that came too late (REN-4). It joins
// the surrounding transaction; nobody has to allow it. The line leaves whatever refund it waits in. A line that is credited stays so.
//
// When it was the order's last line, the order is refunded.
func (s *Store) CreditLine(ctx context.Context, order models.Order, line models.OrderLine, reason models.RefundReason, at time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		o, err := tx.lockLine(ctx, order.ID, line.ID)
		if err != nil {
			return err
		}
		if done, err := tx.leaveRefund(ctx, line.ID, at); err != nil || done {
			return err
		}
		r, err := tx.openRefund(ctx, o, []models.OrderLine{line}, models.RefundRequest{Reason: reason}, models.SystemActor(models.OrderLifecycle), at)
		if err != nil {
			return err
		}
		return tx.allow(ctx, o, &r, nil, models.SystemActor(models.OrderLifecycle), at)
	})
	if err != nil {
		return fmt.Errorf("credit a line: %w", err)
	}
	return nil
}

// leaveRefund takes a line out of the refund that it waits in; done reports that it is undone there already.
func (s *Store) leaveRefund(ctx context.Context, lineID string, at time.Time) (done bool, err error) {
	var in []models.RefundLine
	if err := s.with(ctx).Where("order_line_id = ? and dropped_at is null", lineID).Find(&in).Error; err != nil {
		return false, fmt.Errorf("look for a refund: %w", err)
	}
	if len(in) == 0 || in[0].UndoneAt != nil {
		return len(in) > 0, nil
	}
	err = s.with(ctx).Exec("update refund_lines set dropped_at = ? where refund_id = ? and order_line_id = ?", at, in[0].RefundID, lineID).Error
	if err != nil {
		return false, fmt.Errorf("leave a refund: %w", err)
	}
	err = s.with(ctx).Exec("update refunds set total_minor = total_minor - ?, updated_at = ? where id = ?", in[0].AmountMinor, at, in[0].RefundID).Error
	if err != nil {
		return false, fmt.Errorf("leave a refund: %w", err)
	}
	r, err := s.Refund(ctx, in[0].RefundID)
	if err != nil {
		return false, err
	}
	for _, l := range r.Lines {
		if l.DroppedAt == nil {
			return false, nil
		}
	}
	if err := refunds.move(s.with(ctx), r.ID, models.WithdrawRefund, at, map[string]any{"ended_at": at}); err != nil {
		return false, err
	}
	return false, s.Signal(ctx, models.RefundLifecycle, r.ID, models.SignalRefundChanged, r.ID, at)
}
