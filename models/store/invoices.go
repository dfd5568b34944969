package store

import (
	"context"
	"time"

	"gorm.io/gorm"
	"tokendesk/models"
)

func (s *Store) issueInvoice(ctx context.Context, o models.Order, at time.Time) error {
	policy, err := s.Policy(ctx, o.PolicyVersion)
	if err != nil {
		return err
	}
	due, err := s.dueAt(ctx, o, policy, at)
	if err != nil {
		return err
	}
	i := models.Invoice{ID: NewID("in", at), OrderID: o.ID, Status: models.InvoiceOpen, TotalMinor: o.TotalMinor, Currency: o.Currency,
		IssuedAt: at, DueAt: due}
	if err := s.with(ctx).Raw("select 'INV-' || nextval('invoice_numbers')").Row().Scan(&i.Number); err != nil {
		return err
	}
	if err := s.with(ctx).Create(&i).Error; err != nil {
		return err
	}
	return s.post(ctx, entry{Kind: "invoice_issued", Ref: i.Number, Currency: i.Currency, At: at},
		posting{"receivable", i.TotalMinor}, posting{"deferred_revenue", -i.TotalMinor})
}

func (s *Store) voidInvoice(ctx context.Context, o models.Order, at time.Time) error {
	i, err := s.lockInvoice(ctx, "order_id = ?", o.ID)
	if err != nil {
		return err
	}
	if err := invoices.move(s.with(ctx), i.ID, models.VoidInvoice, at, map[string]any{"voided_at": at, "paid_minor": 0}); err != nil {
		return err
	}
	if err := s.reportUnappliedOf(ctx, i.ID, at); err != nil {
		return err
	}
	// What was paid in part becomes unapplied cash: a void invoice keeps no money.
	return s.post(ctx, entry{Kind: "invoice_voided", Ref: i.Number, Currency: i.Currency, At: at},
		posting{"receivable", -(i.TotalMinor - i.PaidMinor)}, posting{"deferred_revenue", i.TotalMinor}, posting{"unapplied_cash", -i.PaidMinor})
}

func (s *Store) lockInvoice(ctx context.Context, where string, args ...any) (models.Invoice, error) {
	var i models.Invoice
	err := s.with(ctx).Raw("select * from invoices where "+where+" for update", args...).Scan(&i).Error
	if err == nil && i.ID == "" {
		err = gorm.ErrRecordNotFound
	}
	return i, fault(err)
}

// InvoiceOfOrder returns the invoice of an order; a draft has none.
func (s *Store) InvoiceOfOrder(ctx context.Context, orderID string) (models.Invoice, error) {
	var i models.Invoice
	err := s.with(ctx).Where("order_id = ?", orderID).Take(&i).Error
	return i, fault(err)
}

// InvoiceByNumber returns one invoice.
func (s *Store) InvoiceByNumber(ctx context.Context, number string) (models.Invoice, error) {
	var i models.Invoice
	err := s.with(ctx).Where("number = ?", number).Take(&i).Error
	return i, fault(err)
}

// InvoiceFilter selects invoices.
type InvoiceFilter struct {
	Status  models.InvoiceStatus
	BuyerID string
}

// Invoices lists invoices, newest first.
func (s *Store) Invoices(ctx context.Context, f InvoiceFilter, p Page) ([]models.Invoice, error) {
	q := s.with(ctx).Order("id desc").Limit(p.limit())
	if f.Status != "" {
		q = q.Where("status = ?", f.Status)
	}
	if f.BuyerID != "" {
		q = q.Where("order_id in (select id from orders where buyer_id = ?)", f.BuyerID)
	}
	if p.After != "" {
		q = q.Where("id < ?", p.After)
	}
	var rows []models.Invoice
	return rows, fault(q.Find(&rows).Error)
}

// RemindInvoice mails the buyer of an unpaid order one of the reminders; each is mailed once (ORD-5).
func (s *Store) RemindInvoice(ctx context.Context, number string, which models.MilestoneName, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		o, err := tx.OrderByNumber(ctx, number)
		if err != nil {
			return err
		}
		i, err := tx.InvoiceOfOrder(ctx, o.ID)
		if err != nil || i.Status != models.InvoiceOpen {
			return err
		}
		closing, err := tx.closing(ctx, o, at)
		if err != nil || closing["too_late"] != "" { // nobody is asked for money that would buy nothing
			return err
		}
		return tx.AddNotice(ctx, NewNotice{Kind: models.NoticeInvoiceReminder, DedupeKey: number + "/" + string(which), AccountID: o.BuyerID,
			SubjectRef: number, Params: together(closing, map[string]string{"milestone": string(which)})}, at)
	})
}
