package store

import (
	"context"
	"time"

	"tokendesk/models"
)

// RenewCredential moves the end of a credential's term by the months that were paid for, from the old end, and lifts what time had expired or
// suspended; a suspension by command stays (REN-1, MGT-3). It joins the transaction of the payment's consequences: against a revocation
// there is one winner, since both lock the credential (REN-4).
//
// Faults: NoSuchThing; CredentialIsRevoked: the money came too late and is to be given back.
func (s *Store) RenewCredential(ctx context.Context, id, orderLineID string, months int, actor models.Actor, at time.Time) (until time.Time, err error) {
	err = s.command(ctx, "renew", id, at, func(tx *Store, c *models.Credential) error {
		p, err := tx.Policy(ctx, c.PolicyVersion)
		if err != nil {
			return err
		}
		until = models.TermEnd(c.ExpiresAt, months, p.Location()).UTC()
		set := map[string]any{"expires_at": until, "expired_at": nil, "term_suspended_at": nil, "updated_at": at}
		renewed := models.LifeFacts{ExpiresAt: until, SuspendedAt: c.SuspendedAt}
		revocation := models.DatesOf(renewed, p, bank(p)).Revocation
		if at.Before(revocation) {
			set["review_since"] = nil // a review of what a suspension by command leads to goes on
		}
		if err := tx.with(ctx).Table("credentials").Where("id = ? and expires_at = ?", id, c.ExpiresAt).Updates(set).Error; err != nil {
			return err
		}
		if err := tx.withdrawTermMails(ctx, *c); err != nil {
			return err
		}
		if err := tx.withdrawReminders(ctx, *c, revocation); err != nil {
			return err
		}
		if err := tx.recordRenewal(ctx, orderLineID, id, c.ExpiresAt, until); err != nil {
			return err
		}
		detail := map[string]string{"from": c.ExpiresAt.UTC().Format(time.RFC3339), "to": until.Format(time.RFC3339), "order_line": orderLineID}
		if err := tx.auditCredential(ctx, *c, "credential.renewed", actor, detail, at); err != nil {
			return err
		}
		return tx.tell(ctx, *c, models.NoticeRenewed, "renewed/"+orderLineID, day("until", until, p), at)
	})
	return until, err
}
