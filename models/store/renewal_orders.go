package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tokendesk/models"
)

// unsettled are the statuses of an order that has not done yet what was ordered.
var unsettled = []models.OrderStatus{models.OrderDraft, models.OrderPlaced, models.OrderDeclined, models.OrderPaid}

// openOrderFor is the number of an order that will renew the credential, or replace its token, once it is paid and fulfilled; empty: none.
func (s *Store) openOrderFor(ctx context.Context, credentialID string, kind models.ProductKind) (number string, err error) {
	return s.orderFor(ctx, credentialID, kind, "o.status in ?", unsettled)
}

// renewalPaid reports whether a renewal of the credential was paid before a moment and waits for its fulfilment.
func (s *Store) renewalPaid(ctx context.Context, credentialID string, before time.Time) (bool, error) {
	number, err := s.orderFor(ctx, credentialID, models.Renewal, "o.status = ? and o.paid_at < ?", models.OrderPaid, before)
	return number != "", err
}

// orderFor is the number of an order under a condition of this package's own, with a line of that kind for the credential that is not undone;
// empty: none.
func (s *Store) orderFor(ctx context.Context, credentialID string, kind models.ProductKind, condition string, args ...any) (number string, err error) {
	err = s.with(ctx).Raw(`
		select coalesce(max(o.number), '') from order_lines l join orders o on o.id = l.order_id join products p on p.sku = l.product_sku
		where l.credential_id = ? and p.kind = ? and not exists (select from refund_lines f where f.order_line_id = l.id and f.undone_at is not null) and `+condition,
		append([]any{credentialID, kind}, args...)...).Row().Scan(&number)
	if err != nil {
		err = fault(fmt.Errorf("look for an order about a credential: %w", err))
	}
	return number, err
}

// priceRenewal checks a renewal: in time for how it is to be paid, and the only one (REN-1).
//
// Faults: InvalidRequest, CredentialIsRevoked, RenewalPending, RenewalNotOpen, RenewalByCardOnly, RenewalTooLate.
func (s *Store) priceRenewal(ctx context.Context, b buying, line *pricedLine, pointer string) error {
	st := line.standing
	refuse := func(f *models.Fault) error { return b.forbid(f, st, models.ActionRenew, pointer) }
	if st.Credential.Phase == models.CredentialRevoked {
		return refuse(models.CredentialIsRevoked.New(""))
	}
	open, err := s.openOrderFor(ctx, st.Credential.ID, models.Renewal)
	if err != nil {
		return err
	}
	if open != "" {
		return refuse(models.RenewalPending.New("it was ordered with %s", open))
	}
	if f := st.Window.Refuse(b.method, b.at); f != nil {
		if f.Type == models.RenewalByCardOnly { // renewing is possible all the same
			return b.forbid(f, st, "", pointer)
		}
		return refuse(f)
	}
	return nil
}

// LapseRenewals gives up unpaid orders when a credential is revoked: their invoices become void, and the buyers are told. It joins the
// revocation's transaction, which holds the locks of the credential and of every order that names it.
//
// Only an order in which nothing else is left lapses: one with lines for other credentials, or new ones, goes on, and what came too late
// is credited once it is paid. Nor does an order whose card is just being charged: taken money is credited and refunded, and a declined charge
// lets the order lapse. When the renewal window closes nothing happens to an order yet: what is paid from then on is credited by fulfilment.
// Money that still arrives after the end lands in unapplied cash (ORD-4).
func (s *Store) LapseRenewals(ctx context.Context, credentialID string, at time.Time) error {
	var numbers []string
	err := s.with(ctx).Raw(`
		select o.number from orders o where o.status in ?
		  and exists (select from order_lines l where l.order_id = o.id and l.credential_id = ?)
		  and not exists (select from charges h where h.order_id = o.id and h.status in ?)
		order by o.id`, []models.OrderStatus{models.OrderPlaced, models.OrderDeclined}, credentialID,
		[]models.ChargeStatus{models.ChargeIntended, models.ChargeAuthorized}).Scan(&numbers).Error
	if err != nil {
		return fault(fmt.Errorf("look for unpaid renewals: %w", err))
	}
	for _, number := range numbers {
		if err := s.lapseIfPointless(ctx, number, at); err != nil {
			return err
		}
	}
	return nil
}

// lapseIfPointless cancels an unpaid order in which every line is for a revoked credential. Whoever calls holds the credentials' locks.
func (s *Store) lapseIfPointless(ctx context.Context, number string, at time.Time) error {
	var left int
	err := s.with(ctx).Raw(`
		select count(*) from order_lines l join orders o on o.id = l.order_id left join credentials c on c.id = l.credential_id
		where o.number = ? and c.phase is distinct from ?`, number, models.CredentialRevoked).Row().Scan(&left)
	if err != nil {
		return fault(fmt.Errorf("look what is left of an order: %w", err))
	}
	if left > 0 {
		return nil
	}
	err = s.CancelOrder(ctx, number, models.SystemActor(models.CredentialLifecycle).ID, models.CancelRevoked, at)
	if errors.Is(err, models.StateForbids) { // it was paid or cancelled meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	return s.Signal(ctx, models.OrderLifecycle, number, models.SignalOrderChanged, number, at)
}

// creditUnbegun gives back the renewals of a credential that is revoked before the renewed term began: money is never kept for nothing (REN-4).
// It joins the revocation's transaction.
func (s *Store) creditUnbegun(ctx context.Context, credentialID string, at time.Time) error {
	var lines []models.OrderLine
	err := s.with(ctx).Raw(`
		select l.* from renewals r join order_lines l on l.id = r.order_line_id join orders o on o.id = l.order_id
		where r.credential_id = ? and r.expired_from > ? and o.status = ?
		  and not exists (select from refund_lines f where f.order_line_id = l.id and f.dropped_at is null and f.undone_at is not null)
		order by r.expired_from desc`, credentialID, at, models.OrderFulfilled).Scan(&lines).Error
	if err != nil {
		return fmt.Errorf("look for renewals that have not begun: %w", err)
	}
	for _, l := range lines {
		if err := s.CreditLine(ctx, models.Order{ID: l.OrderID}, l, models.RefundImpossible, at); err != nil {
			return err
		}
	}
	return nil
}

// renewLine renews what a paid line is for. What was paid after the last moment to renew, or came after the revocation, is credited, and
// the money goes back (LIF-1, REN-4): it would buy a term that is over at once, or none.
func (s *Store) renewLine(ctx context.Context, o models.Order, line models.OrderLine, product models.Product, at time.Time) error {
	st, err := s.Standing(ctx, *line.CredentialID, *o.PaidAt)
	if err != nil {
		return err
	}
	if st.Credential.Phase != models.CredentialRevoked && !o.PaidAt.Before(st.Window.LastRenewal) {
		return s.CreditLine(ctx, o, line, models.RefundTooLate, at)
	}
	_, err = s.RenewCredential(ctx, *line.CredentialID, line.ID, product.TermMonths, models.SystemActor(models.OrderLifecycle), at)
	if errors.Is(err, models.CredentialIsRevoked) {
		return s.CreditLine(ctx, o, line, models.RefundTooLate, at)
	}
	return err
}

// replaceLine sends a replacement. It brings no key: the token registers to the credential that the line is for (MGT-6, SHP-3). For a credential that
// has expired and cannot be renewed any more it is credited.
func (s *Store) replaceLine(ctx context.Context, o models.Order, line models.OrderLine, product models.Product, at time.Time) error {
	c, err := s.lockCredential(ctx, *line.CredentialID)
	if err != nil {
		return err
	}
	st, err := s.Standing(ctx, c.ID, at)
	if err != nil {
		return err
	}
	if over := !at.Before(c.ExpiresAt) && !at.Before(st.Window.LastRenewal); over || c.Phase == models.CredentialRevoked {
		return s.CreditLine(ctx, o, line, models.RefundImpossible, at)
	}
	_, err = s.RequestShipment(ctx, line.ID, *product.TokenModel, *o.ShippingAddress, at)
	return err
}

// dueAt is when an order's invoice falls due: the end of a day, or the last moment to renew where that comes before, since later money
// renews nothing (REN-2).
func (s *Store) dueAt(ctx context.Context, o models.Order, p models.Policy, at time.Time) (time.Time, error) {
	due := models.InvoiceDue(at, p)
	deadlines, _, err := s.renewalDeadlines(ctx, o, at)
	for _, d := range deadlines {
		if last := d.window.LastRenewal; !d.passed(at) && last.Before(due) {
			due = last
		}
	}
	return due, err
}

// lapseOf is when an unpaid order becomes pointless by time: when the last of the credentials that all its lines are for is revoked.
func (s *Store) lapseOf(ctx context.Context, o models.Order) (lapse time.Time, ok bool, err error) {
	for _, line := range o.Lines {
		if line.CredentialID == nil {
			return lapse, false, nil
		}
		c, _, err := s.Credential(ctx, *line.CredentialID)
		if err != nil {
			return lapse, false, err
		}
		timeline, err := s.CredentialTimeline(ctx, c, *o.PlacedAt)
		if err != nil {
			return lapse, false, err
		}
		i := slices.IndexFunc(timeline, func(m models.Milestone) bool { return m.Name == models.CredentialRevokes })
		if i >= 0 && timeline[i].At.After(lapse) {
			lapse = timeline[i].At
		}
	}
	return lapse, !lapse.IsZero(), nil
}
