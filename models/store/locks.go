package store

import (
	"context"
	"fmt"

	"tokendesk/models"
)

// The order of locks.
//
// Whoever locks several rows in one transaction locks them in this order, so that no two transactions wait for each other. Rows of one
// kind are locked in order of their ids, all at once.
//
//  1. credentials: those that an order made or names, before the order; by a command about one, that one
//  2. orders: beside the one in question, all that name one of these credentials, since ending it credits or cancels them
//  3. license keys of the order's lines, so that no further credential comes of it
//  4. accounts of the credentials, whose sessions may end
//  5. of a locked order: its invoice, then charges, payments, refunds
//  6. shipments, then token models, then tokens
//  7. proofing cases of locked credentials, then proofing agents: one at a time, let go of before the next, or all at once
//
// What belongs to one row above alone, such as authenticators to a credential, is locked under it and needs no place of its own. Whoever
// needs the lower kinds only, such as a parcel's news, begins there. A lock that is held already may be taken again anywhere.

// lockOrder reads an order with its lines, and locks it with everything that undoing one of its lines could reach (1 to 4).
func (s *Store) lockOrder(ctx context.Context, where string, args ...any) (models.Order, error) {
	o, err := s.order(ctx, where, args...)
	if err != nil {
		return o, err
	}
	for {
		if err := s.with(ctx).SavePoint("before_locks").Error; err != nil {
			return o, fmt.Errorf("lock an order: %w", err)
		}
		locked, err := s.lockAround(ctx, o.ID)
		if err != nil {
			return o, err
		}
		var now int
		if err := s.with(ctx).Raw("select count(*) from credentials where id in "+credentialsOfOrder, map[string]any{"order": o.ID}).Row().Scan(&now); err != nil {
			return o, fmt.Errorf("lock an order: %w", err)
		}
		if now == locked {
			return s.order(ctx, "id = ?", o.ID)
		}
		// A key was used meanwhile: its credential comes before the order. Going back lets go of the locks.
		if err := s.with(ctx).RollbackTo("before_locks").Error; err != nil {
			return o, fmt.Errorf("lock an order: %w", err)
		}
	}
}

const credentialsOfOrder = `(select id from credentials where order_line_id in (select id from order_lines where order_id = @order)
	union select credential_id from order_lines where order_id = @order)`

// lockAround takes the locks of lockOrder, and returns how many credentials it found.
func (s *Store) lockAround(ctx context.Context, orderID string) (found int, err error) {
	order := map[string]any{"order": orderID}
	r := s.with(ctx).Exec("select id from credentials where id in "+credentialsOfOrder+" order by id for update", order)
	if r.Error != nil {
		return 0, fmt.Errorf("lock the credentials of an order: %w", r.Error)
	}
	for _, lock := range []string{
		"select id from orders where id = @order or id in (select order_id from order_lines where credential_id in " + credentialsOfOrder + ") order by id for update",
		"select k.id from license_keys k join order_lines l on l.id = k.order_line_id where l.order_id = @order order by k.id for update of k",
		"select id from accounts where id in (select account_id from credentials where id in " + credentialsOfOrder + ") order by id for no key update",
	} {
		if err := s.with(ctx).Exec(lock, order).Error; err != nil {
			return 0, fmt.Errorf("lock an order: %w", err)
		}
	}
	return int(r.RowsAffected), nil
}

// lockEnd locks what the end of a locked credential reaches: the orders that name it, and its account (2 and 4).
func (s *Store) lockEnd(ctx context.Context, c models.Credential) error {
	err := s.with(ctx).Exec("select id from orders where id in (select order_id from order_lines where credential_id = ?) order by id for update", c.ID).Error
	if err != nil {
		return fmt.Errorf("lock the orders of a credential: %w", err)
	}
	_, err = s.lockAccount(ctx, c.AccountID)
	return err
}

// lockBehind locks the shipments of the credentials that refunded lines made or name, and the models of those that can be cancelled (6).
func (s *Store) lockBehind(ctx context.Context, lines []models.RefundLine) error {
	ids := make([]string, len(lines))
	for i, l := range lines {
		ids[i] = l.OrderLineID
	}
	cancellable, _, _ := models.ShipmentMachine.Lookup(models.CancelShipment)
	of := map[string]any{"lines": ids, "cancellable": cancellable}
	const behind = `(select h.id from shipments h join order_lines l on l.id = h.order_line_id where l.id in @lines
		or l.credential_id in (select id from credentials where order_line_id in @lines union select credential_id from order_lines where id in @lines))`
	for _, lock := range []string{
		"select id from shipments where id in " + behind + " order by id for update",
		"select model from token_models where model in (select token_model from shipments where status in @cancellable and id in " + behind + ") order by model for no key update",
	} {
		if err := s.with(ctx).Exec(lock, of).Error; err != nil {
			return fmt.Errorf("lock shipments: %w", err)
		}
	}
	return nil
}

// lockLine locks what crediting a line by itself needs: its credential, then its order. Whoever ends the credential, or fulfils the order,
// holds both.
func (s *Store) lockLine(ctx context.Context, orderID, lineID string) (models.Order, error) {
	err := s.with(ctx).Exec(`select id from credentials where order_line_id = @line or id = (select credential_id from order_lines where id = @line)
		order by id for update`, map[string]any{"line": lineID}).Error
	if err != nil {
		return models.Order{}, fmt.Errorf("lock the credential of a line: %w", err)
	}
	if _, err := orders.lock(ctx, s, orderID); err != nil {
		return models.Order{}, err
	}
	return s.order(ctx, "id = ?", orderID)
}

// lockCredentialsOf locks the credentials that lines are for, for who then locks their order (1).
func (s *Store) lockCredentialsOf(ctx context.Context, lines []models.OrderLine) error {
	var ids []string
	for _, line := range lines {
		if line.CredentialID != nil {
			ids = append(ids, *line.CredentialID)
		}
	}
	return s.lockCredentials(ctx, ids)
}

func (s *Store) lockCredentials(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var locked []string
	if err := s.with(ctx).Raw("select id from credentials where id in ? order by id for update", ids).Scan(&locked).Error; err != nil {
		return fault(fmt.Errorf("lock the credentials of an order: %w", err))
	}
	return nil
}
