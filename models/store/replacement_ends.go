package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// undoReplacements credits the replacements of a credential that has ended whose token the person does not get any more: their parcel has
// not left, or it was lost on the way and no other is sent. It joins the revocation's transaction (MGT-4, MGT-6, ORD-5).
//
// A replacement that has left is not waited for and not credited: it is as good as received, though nobody can register it. Nor
// is one touched whose order waits for its fulfilment, which finds the credential revoked and credits the line itself, or one that
// a refund is just undoing.
func (s *Store) undoReplacements(ctx context.Context, credentialID string, at time.Time) error {
	var lines []models.OrderLine
	err := s.with(ctx).Raw(`
		select l.* from order_lines l join orders o on o.id = l.order_id join shipments h on h.order_line_id = l.id
		where l.credential_id = ? and l.replacement_reason is not null and o.status = ?
		  and h.status in ('requested', 'backordered', 'packed', 'reshipping', 'cancelled', 'given_up')
		  and not exists (select from parcels p join authenticators a on a.serial = p.serial where p.shipment_id = h.id)
		  and not exists (select from refund_lines f where f.order_line_id = l.id and f.dropped_at is null and f.undone_at is not null)
		order by l.id`, credentialID, models.OrderFulfilled).Scan(&lines).Error
	if err != nil {
		return fmt.Errorf("look for replacements of a credential that has ended: %w", err)
	}
	for _, l := range lines {
		if err := s.CreditLine(ctx, models.Order{ID: l.OrderID}, l, models.RefundImpossible, at); err != nil {
			return err
		}
	}
	return nil
}
