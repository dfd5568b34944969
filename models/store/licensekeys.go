package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/internal/keycode"
	"tokendesk/models"
)

// Sealer encrypts what must rest in the database for a while, bound to the row that holds it.
type Sealer interface {
	Seal(plaintext models.SecretBytes, associated string) ([]byte, error)
}

// licenseKeyBits is the entropy of a key: far above what the throttled guessing of a key could reach (LIC-1).
const licenseKeyBits = 100

// FulfilOrder does what a paid order is owed, in one transaction: a key for each new credential is issued and its mail recorded, each
// line that ships asks for its shipment, renewals take effect, and proofings are opened. Lines that were refunded meanwhile are left out (ORD-5). Fulfilling a
// fulfilled order changes nothing.
func (s *Store) FulfilOrder(ctx context.Context, number string, sealer Sealer, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		o, err := tx.lockOrder(ctx, "number = ?", number)
		switch {
		case err != nil || o.Status == models.OrderFulfilled || o.Status == models.OrderRefunded:
			return err
		case o.Status != models.OrderPaid:
			return models.StateForbids.New("the order is %s", o.Status).Allowing(models.Events(models.OrderMachine.Allowed(o.Status, models.ByPerson))...)
		}
		undone, err := tx.undoneLines(ctx, o.ID)
		if err != nil {
			return err
		}
		for _, line := range o.Lines {
			if undone[line.ID] {
				continue
			}
			if err := tx.fulfilLine(ctx, o, line, sealer, at); err != nil {
				return fmt.Errorf("fulfil line %d: %w", line.Position, err)
			}
		}
		if state, err := orders.state(tx.with(ctx), o.ID); err != nil || state == models.OrderRefunded { // nothing could be given
			return err
		}
		if err := orders.move(tx.with(ctx), o.ID, models.FulfilOrder, at, map[string]any{"fulfilled_at": at}); err != nil {
			return err
		}
		return tx.auditOrder(ctx, o, "order.fulfilled", at, nil)
	})
}

func (s *Store) fulfilLine(ctx context.Context, o models.Order, line models.OrderLine, sealer Sealer, at time.Time) error {
	product, err := s.Product(ctx, line.ProductSKU)
	if err != nil {
		return err
	}
	switch product.Kind {
	case models.Renewal:
		return s.renewLine(ctx, o, line, product, at)
	case models.Replacement:
		return s.replaceLine(ctx, o, line, product, at)
	case models.ProofingUpgrade:
		return s.proofLine(ctx, o, line, at)
	}
	if err := s.issueKey(ctx, o, line, sealer, at); err != nil {
		return err
	}
	if !product.Ships() {
		return nil
	}
	_, err = s.RequestShipment(ctx, line.ID, *product.TokenModel, *o.ShippingAddress, at)
	return err
}

// issueKey makes a key. What stays is its hash and last four characters; the key itself is sealed in its mail until
// the mail server has accepted it. The database refuses a key for an unpaid invoice, whoever asks (ORD-3).
func (s *Store) issueKey(ctx context.Context, o models.Order, line models.OrderLine, sealer Sealer, at time.Time) error {
	policy, err := s.Policy(ctx, o.PolicyVersion)
	if err != nil {
		return err
	}
	key, err := keycode.New(licenseKeyBits)
	if err != nil {
		return err
	}
	row := models.LicenseKey{ID: NewID("lk", at), OrderLineID: line.ID, Status: models.KeyIssued, Hash: keycode.Hash(key), LastFour: keycode.Last4(key),
		IssuedAt: at, ExpiresAt: models.TermEnd(at, policy.LicenseKey.LifetimeMonths, policy.Location())}
	if err := s.with(ctx).Create(&row).Error; err != nil {
		return fmt.Errorf("issue a license key: %w", err)
	}
	notice := NewID("no", at)
	sealed, err := sealer.Seal(models.SecretBytes(key.Reveal()), models.NoticeContext(notice))
	if err != nil {
		return err
	}
	return s.AddNotice(ctx, NewNotice{ID: notice, Kind: models.NoticeLicenseKey, DedupeKey: "key/" + row.ID, AccountID: o.BuyerID,
		SubjectRef: o.Number, Sealed: sealed, Params: map[string]string{"line": fmt.Sprint(line.Position), "product": line.ProductSKU}}, at)
}

// ResendLicenseKey issues a new key for a line and voids the unused one; the mail goes to the address on file only (ORD-6).
// Faults: NoSuchThing, StateForbids (the order has no key yet), LicenseKeyUsed, LineInRefund.
func (s *Store) ResendLicenseKey(ctx context.Context, number string, position int, sealer Sealer, by models.Actor, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		o, err := tx.lockOrder(ctx, "number = ?", number)
		if err != nil {
			return err
		}
		if position < 1 || position > len(o.Lines) {
			return models.NoSuchThing.New("the order has no such line")
		}
		line := o.Lines[position-1]
		if line.CredentialID != nil {
			return models.NoSuchThing.New("what changes a credential has no license key")
		}
		if undone, err := tx.undoneLines(ctx, o.ID); err != nil || undone[line.ID] {
			if err != nil {
				return err
			}
			return models.LineInRefund.New("line %d is refunded", position).Allowing(orderActions(o, undone)...)
		}
		var old models.LicenseKey
		err = tx.with(ctx).Raw("select * from license_keys where order_line_id = ? and status in ('issued', 'used') for update", line.ID).Scan(&old).Error
		switch {
		case err != nil:
			return err
		case old.ID == "" && o.Status != models.OrderFulfilled:
			return models.StateForbids.New("the order is %s: it has no license key yet", o.Status).Allowing(models.Events(models.OrderMachine.Allowed(o.Status, models.ByPerson))...)
		case old.Status == models.KeyUsed:
			return models.LicenseKeyUsed.New("the key of this line has been used")
		}
		if old.ID != "" {
			if err := tx.voidKey(ctx, old, "the key was replaced", at); err != nil {
				return err
			}
		}
		if err := tx.issueKey(ctx, o, line, sealer, at); err != nil {
			return err
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "license_key.resent", Actor: by.ID, SubjectRef: number, Outcome: models.Succeeded})
	})
}

// voidKey ends a key, and a mail of it that has not left yet.
func (s *Store) voidKey(ctx context.Context, k models.LicenseKey, why string, at time.Time) error {
	if err := licenseKeys.move(s.with(ctx), k.ID, models.VoidKey, at, nil); err != nil {
		return err
	}
	return s.with(ctx).Exec("update notices set status = 'failed', sealed = null, last_error = ? where dedupe_key = ? and status = 'pending'", why, "key/"+k.ID).Error
}

// LicenseKeys lists the keys of an order's lines, oldest first.
func (s *Store) LicenseKeys(ctx context.Context, orderID string) ([]models.LicenseKey, error) {
	var rows []models.LicenseKey
	err := s.with(ctx).Where("order_line_id in (select id from order_lines where order_id = ?)", orderID).Order("issued_at, id").Find(&rows).Error
	return rows, fault(err)
}

// ExpireLicenseKeys ends keys that were not used in their lifetime, and returns how many.
func (s *Store) ExpireLicenseKeys(ctx context.Context, at time.Time) (int64, error) {
	from, to, _ := models.LicenseKeyMachine.Lookup(models.ExpireKey)
	r := s.with(ctx).Exec(`update license_keys set status = ? where id in (select id from license_keys where expires_at <= ? and status in ? order by id for update)`, to, at, from)
	return r.RowsAffected, fault(r.Error)
}

// OpenLateKeyCases opens a support case for every order whose key was promised by now and has not been mailed (ORD-6).
func (s *Store) OpenLateKeyCases(ctx context.Context, at time.Time) error {
	policy, err := s.CurrentPolicy(ctx, at)
	if err != nil {
		return err
	}
	var numbers []string
	err = s.with(ctx).Raw(`
		select o.number from orders o join invoices i on i.order_id = o.id where i.settled_at < @before and o.status = 'paid'
		union select n.subject_ref from notices n where n.kind = 'license_key' and n.status = 'pending' and n.created_at < @before
		order by 1 limit 100`, map[string]any{"before": at.Add(-time.Duration(policy.LicenseKey.PromiseHours) * time.Hour)}).Scan(&numbers).Error
	if err != nil {
		return fault(err)
	}
	for _, number := range numbers {
		if err := s.OpenCase(ctx, "late-key/"+number, number, "the license key was not mailed within the promised time", at); err != nil {
			return err
		}
	}
	return nil
}
