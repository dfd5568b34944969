package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// refuseLine says what stands against undoing a line: a term that has begun is lived on, and what a renewal was built on stays until that
// renewal is undone.
func (s *Store) refuseLine(ctx context.Context, o models.Order, l models.OrderLine, at time.Time) error {
	product, err := s.Product(ctx, l.ProductSKU)
	if err != nil {
		return err
	}
	if product.Kind == models.Renewal && o.Status == models.OrderFulfilled {
		_, _, err := s.termBefore(ctx, l, product, at)
		return err
	}
	if product.Kind == models.ProofingUpgrade {
		return s.refuseProofing(ctx, o, l)
	}
	var renewed bool
	err = s.with(ctx).Raw(`
		select exists (select from credentials c join order_lines n on n.credential_id = c.id join orders o on o.id = n.order_id join products p on p.sku = n.product_sku
			where c.order_line_id = ? and p.kind = ? and o.status = ? and not exists (select from refund_lines f where f.order_line_id = n.id and f.dropped_at is null and f.undone_at is not null))`,
		l.ID, models.Renewal, models.OrderFulfilled).Row().Scan(&renewed)
	if err != nil {
		return fmt.Errorf("look for renewals: %w", err)
	}
	if renewed {
		return models.LineNotRefundable.New("line %d: its credential was renewed since; refund the renewal first", l.Position)
	}
	return nil
}

// termBefore is the credential that a fulfilled line has renewed, and the end of its term without that renewal. Fault: LineNotRefundable, when
// the renewed term had begun when the refund was asked for, or another renewal came after it.
func (s *Store) termBefore(ctx context.Context, l models.OrderLine, product models.Product, asked time.Time) (c models.Credential, end time.Time, err error) {
	if c, err = s.lockCredential(ctx, *l.CredentialID); err != nil {
		return c, end, err
	}
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return c, end, err
	}
	if end, err = s.expiredFrom(ctx, l.ID, c, product.TermMonths, p.Location()); err != nil {
		return c, end, err
	}
	lived := asked
	if c.RevokedAt != nil && c.RevokedAt.Before(asked) { // what had begun by then was lived on
		lived = *c.RevokedAt
	}
	if !lived.Before(end) {
		return c, end, models.LineNotRefundable.New("line %d: the renewed term has begun", l.Position)
	}
	var later bool
	err = s.with(ctx).Raw(`
		select exists (select from order_lines n join orders o on o.id = n.order_id join orders mine on mine.id = ? join products p on p.sku = n.product_sku
			where n.credential_id = ? and n.id <> ? and p.kind = ? and o.status = ? and (o.fulfilled_at, o.id) > (mine.fulfilled_at, mine.id)
			  and not exists (select from refund_lines f where f.order_line_id = n.id and f.dropped_at is null and f.undone_at is not null))`,
		l.OrderID, c.ID, l.ID, models.Renewal, models.OrderFulfilled).Row().Scan(&later)
	if err != nil {
		return c, end, fmt.Errorf("look for later renewals: %w", err)
	}
	if later {
		return c, end, models.LineNotRefundable.New("line %d: the credential was renewed again since; refund that first", l.Position)
	}
	return c, end, nil
}

// unrenew moves the end of a term back to where it was before a renewal that had not begun when its refund was asked for, and tells the holder: a
// request that came in time does not die of waiting for a second person. Nothing is taken back from a credential that is revoked.
func (s *Store) unrenew(ctx context.Context, o models.Order, l models.OrderLine, asked, at time.Time) error {
	product, err := s.Product(ctx, l.ProductSKU)
	if err != nil || product.Kind != models.Renewal || o.Status != models.OrderFulfilled {
		return err
	}
	c, end, err := s.termBefore(ctx, l, product, asked)
	if err != nil || c.Phase == models.CredentialRevoked {
		return err
	}
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return err
	}
	r := s.with(ctx).Table("credentials").Where("id = ? and expires_at = ?", c.ID, c.ExpiresAt).Updates(map[string]any{"expires_at": end, "updated_at": at})
	if r.Error != nil || r.RowsAffected != 1 {
		return fmt.Errorf("take a renewal back: %d rows: %w", r.RowsAffected, r.Error)
	}
	detail := map[string]string{"from": c.ExpiresAt.UTC().Format(time.RFC3339), "to": end.Format(time.RFC3339), "order_line": l.ID}
	if err := s.auditCredential(ctx, c, "credential.renewal_taken_back", refundActor, detail, at); err != nil {
		return err
	}
	c.ExpiresAt = end
	d := models.DatesOf(models.LifeFacts{ExpiresAt: end, SuspendedAt: c.SuspendedAt}, p, bank(p))
	if err := s.tell(ctx, c, models.NoticeRenewalTakenBack, "renewal-taken-back/"+l.ID, takenBackParams(d, p, at), at); err != nil {
		return err
	}
	return s.Signal(ctx, models.CredentialLifecycle, c.ID, models.SignalCredentialChanged, c.ID, at)
}
