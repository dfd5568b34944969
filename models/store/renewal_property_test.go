package store_test

import (
	"context"
	"time"

	"pgregory.net/rapid"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// renewalInvariants are queries that find what no renewal, replacement or revocation may ever lead to.
var renewalInvariants = map[string]string{
	"a paid renewal neither in effect nor given back": `select l.id from order_lines l join orders o on o.id = l.order_id join products p on p.sku = l.product_sku where p.kind = 'renewal' and o.status in ('fulfilled', 'refunded')
		and not exists (select from audit_events e where e.kind = 'credential.renewed' and e.detail->>'order_line' = l.id) and not exists (select from refund_lines f where f.order_line_id = l.id and f.undone_at is not null)`,
	"a renewal both in effect and given back": `select l.id from order_lines l join credentials c on c.id = l.credential_id join audit_events e on e.kind = 'credential.renewed' and e.detail->>'order_line' = l.id
		where c.phase <> 'revoked' and exists (select from refund_lines f where f.order_line_id = l.id and f.undone_at is not null)
		and not exists (select from audit_events e where e.kind = 'credential.renewal_taken_back' and e.detail->>'order_line' = l.id)`,
	"a renewal that took effect twice, or unpaid": `select e.detail->>'order_line' from audit_events e join order_lines l on l.id = e.detail->>'order_line' join orders o on o.id = l.order_id where e.kind = 'credential.renewed' group by e.detail->>'order_line' having count(*) > 1 or bool_or(o.paid_at is null)`,
	"a term that is not what was bought":          `select c.id from credentials c where abs(extract(epoch from c.expires_at - (c.purchased_at + interval '1 year' * (1 + (select coalesce(sum(case e.kind when 'credential.renewed' then 1 else -1 end), 0) from audit_events e where e.kind in ('credential.renewed', 'credential.renewal_taken_back') and e.credential_id = c.id))))) > 2 * 86400`,
	"two open renewals of a credential":           `select l.credential_id from order_lines l join orders o on o.id = l.order_id join products p on p.sku = l.product_sku where p.kind = 'renewal' and o.status in ('draft', 'placed', 'payment_declined', 'paid') group by l.credential_id having count(*) > 1`,
	"two replacements under way": `select l.credential_id from order_lines l join orders o on o.id = l.order_id where l.replacement_reason is not null and o.status in ('draft', 'placed', 'payment_declined', 'paid', 'fulfilled')
		and not exists (select from refund_lines f where f.order_line_id = l.id and f.undone_at is not null)
		and not exists (select from shipments s where s.order_line_id = l.id and s.status in ('cancelled', 'given_up'))
		and not exists (select from shipments s join parcels p on p.shipment_id = s.id join authenticators a on a.serial = p.serial where s.order_line_id = l.id)
		group by l.credential_id having count(*) > 1`,
	"an unpaid order that nothing is left of": `select o.id from orders o where o.status in ('placed', 'payment_declined') and not exists (select from charges h where h.order_id = o.id and h.status in ('intended', 'authorized'))
		and not exists (select from order_lines l left join credentials c on c.id = l.credential_id where l.order_id = o.id and c.phase is distinct from 'revoked')`,
	"a revoked credential with a live token":     `select c.id from credentials c join authenticators a on a.credential_id = c.id where c.phase = 'revoked' and a.status <> 'revoked'`,
	"a free replacement that no warranty covers": `select l.id from order_lines l where l.price_minor = 0 and l.replacement_reason not in ('err_display', 'unreadable', 'dead_battery')`,
	"an order that costs nothing and waits":      `select id from orders where total_minor = 0 and status in ('placed', 'payment_declined')`,
}

// begin lets most worlds begin with somebody who has a credential.
func (w *world) begin(r *rapid.T) {
	if rapid.IntRange(0, 3).Draw(r, "begins without") == 0 {
		return
	}
	w.stockForAll(r)
	c, device := storetest.Registered(w.t, w.st, w.ring, w.buyer, storetest.EventDevice, w.at)
	o, err := w.st.OrderOfLine(context.Background(), c.OrderLineID)
	tolerated(r, err)
	w.orders, w.devices[device.Serial] = append(w.orders, o.Number), device
}

// stockForAll brings a token for everybody who waits for one: whoever waits longer is served first.
func (w *world) stockForAll(r *rapid.T) {
	var waiting int
	if err := w.st.Pool().QueryRow(context.Background(), "select count(*) from shipments where status in ('requested', 'backordered', 'reshipping')").Scan(&waiting); err != nil {
		r.Fatal(err)
	}
	storetest.Stock(w.t, w.st, w.ring, storetest.TokenModel, storetest.EventDevice, waiting)
}

// forCredential drafts an order about a credential, and mostly goes a part of its way. It returns how far it came.
func (w *world) forCredential(r *rapid.T, n models.NewOrder, steps ...int) models.Order {
	o, err := w.st.DraftOrder(context.Background(), n, w.at)
	tolerated(r, err)
	if err != nil {
		return o
	}
	w.orders = append(w.orders, o.Number)
	for range rapid.SampledFrom(steps).Draw(r, "steps") {
		all, err := w.st.ShipmentsOfOrder(context.Background(), o.ID)
		tolerated(r, err)
		if len(all) > 0 && all[0].Status == models.ShipmentShipped {
			break
		}
		w.goOnWith(r, o)
		if o, err = w.st.OrderByNumber(context.Background(), o.Number); err != nil {
			r.Fatal(err)
		}
	}
	return o
}

// renew orders a renewal, mostly after waiting until it opens, sometimes together with something else.
func (w *world) renew(r *rapid.T) {
	c := w.credential(r)
	st, err := w.st.Standing(context.Background(), c.ID, w.at)
	tolerated(r, err)
	if w.at.Before(st.Window.Opens) && rapid.IntRange(0, 3).Draw(r, "waits") != 0 {
		w.at = st.Window.Opens
	}
	n := storetest.Renewal(w.buyer.ID, rapid.SampledFrom([]models.PaymentMethod{models.PayByInvoice, models.PayByInvoice, models.PayByCard}).Draw(r, "method"), c)
	if rapid.IntRange(0, 4).Draw(r, "more") == 0 {
		n.Lines = append(n.Lines, models.NewOrderLine{ProductSKU: storetest.TokenSKU})
	}
	o := w.forCredential(r, n, 0, 1, 1, 2, 4, 4)
	if o.Status == models.OrderPlaced && rapid.SampledFrom([]bool{true, false, false}).Draw(r, "and is revoked") {
		tolerated(r, w.st.RevokeCredential(context.Background(), models.Revocation{CredentialID: c.ID, Reason: models.RevokeNotNeeded, By: suspender(r)}, w.ring, storetest.Hasher, models.Actor{ID: w.buyer.ID}, w.at))
	}
}

// replace orders another token; where it arrives, the old one is mostly revoked, and it is registered.
func (w *world) replace(r *rapid.T) {
	ctx, c := context.Background(), w.credential(r)
	reason := rapid.SampledFrom([]models.ReplacementReason{models.ReplaceErr, models.ReplaceDeadBattery, models.ReplaceLost, models.ReplaceDamaged}).Draw(r, "reason")
	w.stockForAll(r)
	o := w.forCredential(r, storetest.Replacement(w.buyer.ID, models.PayByInvoice, c, reason), 0, 2, 4, 8, 8, 8)
	all, err := w.st.ShipmentsOfOrder(ctx, o.ID)
	if err != nil || len(all) == 0 || rapid.SampledFrom([]bool{true, false, false}).Draw(r, "is left alone") {
		return
	}
	_, parcels, err := w.st.Shipment(ctx, all[0].ID)
	tolerated(r, err)
	_, bound, err := w.st.Credential(ctx, c.ID)
	tolerated(r, err)
	if live := models.LiveToken(bound); live != nil && len(parcels) > 0 {
		tolerated(r, w.st.RevokeCredential(ctx, models.Revocation{CredentialID: c.ID, AuthenticatorID: live.ID, Reason: models.RevokeDamaged, By: models.BySubscriber}, w.ring, storetest.Hasher, models.Actor{ID: w.buyer.ID}, w.at))
		w.registerAs(r, c, parcels[len(parcels)-1].Serial)
	}
}

func suspender(r *rapid.T) models.Suspender {
	return rapid.SampledFrom([]models.Suspender{models.BySubscriber, models.ByAdministrator}).Draw(r, "by")
}

func (w *world) suspend(r *rapid.T) {
	tolerated(r, w.st.SuspendCredential(context.Background(), w.credential(r).ID, suspender(r), models.Actor{ID: w.buyer.ID}, w.at))
}

func (w *world) reenable(r *rapid.T) {
	tolerated(r, w.st.ReenableCredential(context.Background(), w.credential(r).ID, suspender(r), models.Actor{ID: w.buyer.ID}, w.at))
}

// revoke ends a token, mostly, and now and then a whole credential.
func (w *world) revoke(r *rapid.T) {
	c := w.credential(r)
	_, bound, err := w.st.Credential(context.Background(), c.ID)
	tolerated(r, err)
	q := models.Revocation{CredentialID: c.ID, Reason: models.RevokeDamaged, By: suspender(r)}
	st, err := w.st.Standing(context.Background(), c.ID, w.at)
	tolerated(r, err)
	var unpaid bool
	err = w.st.Pool().QueryRow(context.Background(), `select exists (select from order_lines l join orders o on o.id = l.order_id where l.credential_id = $1 and o.status = 'placed')`, c.ID).Scan(&unpaid)
	tolerated(r, err)
	if live := models.LiveToken(bound); live != nil && st.Replacing {
		q.AuthenticatorID = live.ID
	} else if !unpaid && rapid.SampledFrom([]bool{true, true, true, false}).Draw(r, "spared") {
		r.SkipNow()
	}
	tolerated(r, w.st.RevokeCredential(context.Background(), q, w.ring, storetest.Hasher, models.Actor{ID: w.buyer.ID}, w.at))
}

// liveOn lets the lifecycle of a credential look, mostly when its next milestone is due. Its mails arrive, mostly.
func (w *world) liveOn(r *rapid.T) {
	c := w.credential(r)
	timeline, err := w.st.CredentialTimeline(context.Background(), c, w.at)
	tolerated(r, err)
	if next, ok := timeline.Next(w.at); ok && rapid.IntRange(0, 3).Draw(r, "waits") != 0 {
		w.at = next.At
	}
	w.advance(r, c)
}

// liveLong is a credential that nobody renews: everything happens to it in its time, up to some milestone.
func (w *world) liveLong(r *rapid.T) {
	c := w.credential(r)
	if rapid.IntRange(0, 2).Draw(r, "not now") != 0 {
		r.SkipNow()
	}
	for range rapid.IntRange(1, 9).Draw(r, "milestones") {
		timeline, err := w.st.CredentialTimeline(context.Background(), c, w.at)
		tolerated(r, err)
		next, ok := timeline.Next(w.at)
		if !ok {
			return
		}
		w.at = next.At
		w.advance(r, c)
	}
}

func (w *world) advance(r *rapid.T, c models.Credential) {
	ctx := context.Background()
	_, err := w.st.AdvanceCredential(ctx, c.ID, w.at)
	tolerated(r, err)
	if rapid.IntRange(0, 5).Draw(r, "mails get lost") == 0 {
		return
	}
	all, err := w.st.NoticesAbout(ctx, c.ID, store.Page{Limit: 200})
	tolerated(r, err)
	for _, n := range all {
		if n.Status == models.NoticePending {
			tolerated(r, w.st.NoticeSent(ctx, n.ID, w.at.Add(time.Second)))
		}
	}
}
