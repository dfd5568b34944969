package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"tokendesk/models"
)

// DraftOrder checks what a buyer asks for and numbers it. The draft becomes an order when its lifecycle places it.
//
// Faults: PaymentMethodMissing, AddressMissing, DisclaimerMissing, DisclaimerOutdated, RequirementsNotAcknowledged, InvalidRequest, and those of
// priceLines (ORD-1, REN-1).
func (s *Store) DraftOrder(ctx context.Context, n models.NewOrder, at time.Time) (models.Order, error) {
	var order models.Order
	err := s.InTx(ctx, func(tx *Store) error {
		var err error
		if order, err = tx.checkedOrder(ctx, n, at); err != nil {
			return err
		}
		if err := tx.with(ctx).Raw("select 'SO-' || nextval('order_numbers')").Row().Scan(&order.Number); err != nil {
			return err
		}
		lines := order.Lines
		order.Lines = nil
		if err := tx.with(ctx).Create(&order).Error; err != nil {
			return err
		}
		if err := tx.with(ctx).Create(&lines).Error; err != nil {
			return err
		}
		order.Lines = lines
		if order.PaymentMethod == models.PayByCard {
			if _, err := tx.intendCharge(ctx, order, 1, n.CardPaymentMethod, at); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "order.drafted", Actor: n.BuyerID, SubjectRef: order.Number, Outcome: models.Succeeded})
	})
	if err != nil {
		return models.Order{}, fmt.Errorf("draft an order: %w", err)
	}
	return order, nil
}

func (s *Store) checkedOrder(ctx context.Context, n models.NewOrder, at time.Time) (o models.Order, err error) {
	policy, err := s.CurrentPolicy(ctx, at)
	if err != nil {
		return o, err
	}
	o = models.Order{
		ID: NewID("or", at), BuyerID: n.BuyerID, Status: models.OrderDraft, PaymentMethod: n.PaymentMethod,
		BillingAddress: n.BillingAddress, ShippingAddress: n.ShippingAddress,
		DisclaimerVersion: n.DisclaimerVersion, DisclaimerAcceptedAt: at, PolicyVersion: policy.Version, CreatedAt: at,
	}
	if n.PONumber != "" {
		o.PONumber = &n.PONumber
	}
	if err := s.checkTerms(ctx, n, at); err != nil {
		return o, err
	}
	return o, s.addLines(ctx, &o, n, at)
}

// addLines prices the lines of an order, and checks that what ships can be sent and that what costs can be paid. Of orders for one
// credential that come at the same moment, each sees those before it.
func (s *Store) addLines(ctx context.Context, o *models.Order, n models.NewOrder, at time.Time) error {
	if err := s.lockCredentials(ctx, n.Credentials()); err != nil {
		return err
	}
	lines, err := s.priceLines(ctx, n, at)
	if err != nil {
		return err
	}
	if err := checkAcknowledged(lines); err != nil {
		return err
	}
	for _, line := range lines {
		line.ID, line.OrderID = NewID("ol", at), o.ID
		o.Currency = line.product.Currency
		o.TotalMinor += line.PriceMinor
		o.Lines = append(o.Lines, line.OrderLine)
	}
	if err := checkShipping(lines, o.ShippingAddress); err != nil {
		return err
	}
	if o.TotalMinor == 0 { // no card is asked for, and the invoice is settled when it is issued
		o.PaymentMethod = models.PayByInvoice
		return nil
	}
	return checkPayment(n)
}

func (s *Store) checkTerms(ctx context.Context, n models.NewOrder, at time.Time) error {
	switch {
	case !n.BillingAddress.Complete():
		return models.AddressMissing.New("the billing address is not complete, or its country is not known").At("/billing_address")
	case n.DisclaimerVersion == 0:
		return models.DisclaimerMissing.New("").At("/disclaimer_version")
	}
	current, err := s.CurrentDisclaimer(ctx, at)
	if err != nil {
		return err
	}
	if n.DisclaimerVersion != current.Version {
		return models.DisclaimerOutdated.New("the current version is %d", current.Version).At("/disclaimer_version")
	}
	return nil
}

// checkPayment refuses what an order that costs something cannot be paid with.
func checkPayment(n models.NewOrder) error {
	switch {
	case n.PaymentMethod == models.PayByCard && n.CardPaymentMethod == "":
		return models.PaymentMethodMissing.New("a card payment needs the card's token").At("/card_token")
	case n.PaymentMethod == models.PayByInvoice && n.CardPaymentMethod != "":
		return models.InvalidRequest.New("an order by invoice takes no card").At("/card_token")
	case n.PaymentMethod != models.PayByCard && n.PaymentMethod != models.PayByInvoice:
		return models.InvalidRequest.New("unknown payment method").At("/payment_method")
	}
	return checkCard(n.CardPaymentMethod)
}

// OrderByNumber returns an order with its lines.
func (s *Store) OrderByNumber(ctx context.Context, number string) (models.Order, error) {
	return s.order(ctx, "number = ?", number)
}

func (s *Store) order(ctx context.Context, where string, args ...any) (models.Order, error) {
	var o models.Order
	err := s.with(ctx).Preload("Lines", func(db *gorm.DB) *gorm.DB { return db.Order("position") }).Where(where, args...).Take(&o).Error
	return o, fault(err)
}

// OrderFilter selects orders.
type OrderFilter struct {
	BuyerID string
	Status  models.OrderStatus
	Search  string // an exact SO, invoice or PO number, a key's last four, a serial, an e-mail, or the start of a last name (ORD-7)
}

// Orders lists orders, newest first.
func (s *Store) Orders(ctx context.Context, f OrderFilter, p Page) ([]models.Order, error) {
	q := s.with(ctx).Preload("Lines", func(db *gorm.DB) *gorm.DB { return db.Order("position") }).Order("id desc").Limit(p.limit())
	if f.BuyerID != "" {
		q = q.Where("buyer_id = ?", f.BuyerID)
	}
	if f.Status != "" {
		q = q.Where("status = ?", f.Status)
	}
	if p.After != "" {
		q = q.Where("id < ?", p.After)
	}
	if f.Search != "" {
		q = q.Where(`id in (
			select id from orders where number = @q or po_number = @q
			union select order_id from invoices where number = @q
			union select l.order_id from order_lines l join license_keys k on k.order_line_id = l.id where k.last_four = upper(@q)
			union select l.order_id from order_lines l join shipments h on h.order_line_id = l.id join parcels p on p.shipment_id = h.id where p.serial = @q
			union select o.id from orders o join accounts a on a.id = o.buyer_id where lower(a.email) = lower(@q) or starts_with(lower(a.last_name), lower(@q))
		)`, map[string]any{"q": f.Search})
	}
	var rows []models.Order
	return rows, fault(q.Find(&rows).Error)
}

// PlaceOrder turns a draft into an order: its invoice is issued and the confirmation is mailed at once (ORD-6). Placing a
// placed order again changes nothing. An order that costs nothing is paid thereby. A draft whose product was retired meanwhile, or whose
// credential was revoked or cannot be renewed any more, is refused for good: ProductUnavailable, CredentialIsRevoked, RenewalTooLate.
func (s *Store) PlaceOrder(ctx context.Context, number string, at time.Time) error {
	var refused error
	err := s.InTx(ctx, func(tx *Store) error {
		o, err := tx.OrderByNumber(ctx, number)
		if err != nil {
			return err
		}
		if err := tx.lockCredentialsOf(ctx, o.Lines); err != nil {
			return err
		}
		state, err := orders.lock(ctx, tx, o.ID)
		switch {
		case err != nil:
			return err
		case state == models.OrderRefused:
			refused = models.ProductUnavailable.New("the order was refused")
			return nil
		case state != models.OrderDraft:
			return nil
		}
		if refused, err = tx.stillSold(ctx, o, at); err != nil {
			return err
		}
		if refused != nil {
			return orders.move(tx.with(ctx), o.ID, models.RefuseOrder, at, nil)
		}
		return tx.place(ctx, o, at)
	})
	if err != nil {
		return err
	}
	return refused
}

func (s *Store) stillSold(ctx context.Context, o models.Order, at time.Time) (refused, err error) {
	for _, line := range o.Lines {
		product, err := s.Product(ctx, line.ProductSKU)
		if err != nil {
			return nil, err
		}
		if product.Status != models.ProductActive {
			return models.ProductUnavailable.New("the product of line %d is retired", line.Position), nil
		}
		if line.CredentialID == nil {
			continue
		}
		st, err := s.Standing(ctx, *line.CredentialID, at)
		if err != nil {
			return nil, err
		}
		pointer := fmt.Sprintf("/lines/%d/credential_id", line.Position-1)
		if st.Credential.Phase == models.CredentialRevoked {
			return models.CredentialIsRevoked.New("").At(pointer).Allowing(), nil
		}
		if product.Kind == models.Renewal && !at.Before(st.Window.LastRenewal) {
			return st.Window.Refuse(models.PayByCard, at).At(pointer).Allowing(), nil
		}
	}
	return nil, nil
}

func (s *Store) place(ctx context.Context, o models.Order, at time.Time) error {
	if err := orders.move(s.with(ctx), o.ID, models.PlaceOrder, at, map[string]any{"placed_at": at}); err != nil {
		return err
	}
	if err := s.issueInvoice(ctx, o, at); err != nil {
		return err
	}
	if o.TotalMinor == 0 {
		if err := s.settleNothing(ctx, o, at); err != nil {
			return err
		}
	}
	if err := s.AddNotice(ctx, NewNotice{Kind: models.NoticeOrderConfirmation, DedupeKey: o.Number + "/confirmation", AccountID: o.BuyerID, SubjectRef: o.Number}, at); err != nil {
		return err
	}
	return s.auditOrder(ctx, o, "order.placed", at, nil)
}

// settleNothing pays an order that costs nothing.
func (s *Store) settleNothing(ctx context.Context, o models.Order, at time.Time) error {
	i, err := s.InvoiceOfOrder(ctx, o.ID)
	if err != nil {
		return err
	}
	if err := invoices.move(s.with(ctx), i.ID, models.SettleInvoice, at, map[string]any{"settled_at": at}); err != nil {
		return err
	}
	return orders.move(s.with(ctx), o.ID, models.PayOrder, at, map[string]any{"paid_at": at})
}

// CancelOrder ends an unpaid order: its invoice becomes void, and the buyer is told. Money that arrives afterwards lands in
// unapplied cash (ORD-4, ORD-5). CancelUnpaid and CancelRevoked are the lifecycle's own reasons.
func (s *Store) CancelOrder(ctx context.Context, number string, by string, reason models.CancelReason, at time.Time) error {
	event := models.CancelOrder
	if reason.Lapse() {
		event = models.LapseOrder
	}
	return s.InTx(ctx, func(tx *Store) error {
		o, err := tx.OrderByNumber(ctx, number)
		if err != nil {
			return err
		}
		if err := orders.move(tx.with(ctx), o.ID, event, at, map[string]any{"cancelled_at": at, "cancel_reason": reason}); err != nil {
			return err
		}
		if err := tx.voidInvoice(ctx, o, at); err != nil {
			return err
		}
		if err := tx.with(ctx).Exec("update charges set status = ?, updated_at = ? where order_id = ? and status = ?", // no one will ask the provider for it
			models.ChargeCancelled, at, o.ID, models.ChargeIntended).Error; err != nil {
			return err
		}
		err = tx.AddNotice(ctx, NewNotice{Kind: models.NoticeOrderCancelled, DedupeKey: number + "/cancelled", AccountID: o.BuyerID, SubjectRef: number,
			Params: map[string]string{"reason": string(reason)}}, at)
		if err != nil {
			return err
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "order.cancelled", Actor: by, SubjectRef: number,
			Outcome: models.Succeeded, Detail: map[string]string{"reason": string(reason)}})
	})
}

// StaleDrafts lists the numbers of drafts older than a moment: their lifecycle was never started (DESIGN: a sweeper re-drives them).
func (s *Store) StaleDrafts(ctx context.Context, before time.Time, n int) ([]string, error) {
	var numbers []string
	err := s.with(ctx).Table("orders").Where("status = ? and created_at < ?", models.OrderDraft, before).Order("created_at").Limit(n).Pluck("number", &numbers).Error
	return numbers, fault(err)
}

func (s *Store) auditOrder(ctx context.Context, o models.Order, kind string, at time.Time, detail map[string]string) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: kind,
		Actor: models.SystemActor(models.OrderLifecycle).ID, SubjectRef: o.Number, Outcome: models.Succeeded, Detail: detail})
}

// OrderMilestones are what the order's own lifecycle does if nobody acts.
func (s *Store) OrderMilestones(ctx context.Context, o models.Order) (models.Timeline, error) {
	if o.Status != models.OrderPlaced && o.Status != models.OrderDeclined {
		return nil, nil
	}
	policy, err := s.Policy(ctx, o.PolicyVersion)
	if err != nil {
		return nil, err
	}
	invoice, err := s.InvoiceOfOrder(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	timeline := models.OrderTimeline(o, invoice, policy)
	return slices.DeleteFunc(timeline, func(m models.Milestone) bool { return m.At.Before(*o.PlacedAt) }), nil // due so soon that it was no reminder
}

// OrderTimeline is what happens to the order if nobody acts (LIF-4): its own milestones, as long as there is a credential left to renew, and the
// last moments to pay for that.
func (s *Store) OrderTimeline(ctx context.Context, o models.Order) (models.Timeline, error) {
	timeline, err := s.OrderMilestones(ctx, o)
	if err != nil || len(timeline) == 0 {
		return nil, err
	}
	if timeline, err = s.withLastMoments(ctx, o, timeline); err != nil {
		return nil, err
	}
	lapse, ok, err := s.lapseOf(ctx, o)
	if err != nil || !ok || lapse.After(timeline[len(timeline)-1].At) {
		return timeline, err
	}
	timeline = slices.DeleteFunc(timeline, func(m models.Milestone) bool { return !m.At.Before(lapse) })
	return append(timeline, models.Milestone{Name: models.OrderLapses, At: lapse, Passive: true,
		What: "the credential is revoked: the invoice is voided and the order cancelled"}), nil
}
