package store_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// world is a database into which anything may happen in any order.
type world struct {
	t     *testing.T
	st    *store.Store
	ring  *seal.Keyring
	buyer models.Account
	other models.Account
	at    time.Time
	n     int

	orders  []string
	before  map[string]string // what every thing's state was, to see that each moved along its table
	devices map[string]*storetest.Device
}

// TestAnythingInAnyOrder throws random events at orders, shipments and credentials; after each, what must always hold holds
// (ORD-3, ORD-4, ORD-5, LIC-1, LIC-4, SHP-1, SHP-2, SHP-3, LOG-3, LOG-4, SEC-1, REN-1, REN-4, MGT-4, MGT-5, MGT-6).
func TestAnythingInAnyOrder(t *testing.T) {
	t.Parallel()
	if flag.Lookup("rapid.checks").Value.String() == "100" { // the default; every check leaves its facts for the next to look through
		storetest.Must(t, flag.Set("rapid.checks", "30"))
	}
	storetest.Must(t, flag.Set("rapid.steps", "100"))
	var missing []string
	for round := range 10 { // chance alone may leave a kind of end unseen: then more is thrown, into a new house
		st, ring := storetest.New(t), storetest.Keyring(t)
		org := storetest.Organization(t, st)
		rapid.Check(t, func(r *rapid.T) {
			w := &world{t: t, st: st, ring: ring, at: storetest.At, before: map[string]string{}, devices: map[string]*storetest.Device{},
				buyer: storetest.Account(t, st, storetest.In(org), storetest.WithRoles(models.RoleSubscriber, models.RoleOrgAdmin)), other: storetest.Account(t, st, storetest.In(org))}
			w.begin(r)
			r.Repeat(map[string]func(*rapid.T){
				"": w.check, "time passes": w.timePasses, "stock arrives": w.stockArrives, "order": w.order, "pay": w.pay, "cancel": w.cancel,
				"fulfil": w.fulfil, "resend": w.resend, "pack": w.pack, "label": w.label, "carrier": w.carrier, "activate": w.activate,
				"register": w.register, "verify": w.verify, "go on": w.goOn, "go further": w.goOn, "go on still": w.goOn,
				"charge": w.charge, "refund": w.refund, "decide": w.decide, "send back": w.sendBack, "advance refund": w.advanceRefund, "give back": w.giveBack, "refund goes on": w.refundGoesOn, "refund goes further": w.refundGoesOn,
				"renew": w.renew, "replace": w.replace, "suspend": w.suspend, "re-enable": w.reenable, "revoke": w.revoke, "live on": w.liveOn, "live long": w.liveLong,
				"apply a payment": w.applyPayment, "pay out a rest": w.payOutRest, "use a credit": w.useCredit,
			})
		})
		here := unseen(t, st)
		missing = slices.DeleteFunc(here, func(what string) bool { return round > 0 && !slices.Contains(missing, what) })
		if len(missing) == 0 {
			return
		}
		t.Logf("chance led to no %s", missing)
	}
	t.Errorf("ten rounds led to no %s", missing)
}

// unseen names the kinds of end that chance has not led to yet.
func unseen(t *testing.T, st *store.Store) (missing []string) {
	t.Helper()
	for what, query := range map[string]string{
		"fulfilled orders": `select count(*) from orders where status = 'fulfilled'`, "cancelled orders": `select count(*) from orders where status = 'cancelled'`,
		"delivered shipments": `select count(*) from shipments where status = 'delivered'`, "second parcels": `select count(*) from parcels where number > 1`,
		"refunded orders": `select count(*) from orders where status = 'refunded'`, "lapsed refunds": `select count(*) from refunds where status = 'lapsed'`,
		"refunds paid out": `select count(*) from payouts`, "refunds to cards": `select count(*) from refunds where card_refunded_at is not null`,
		"revoked credentials of refunded lines": `select count(*) from credentials where revoke_reason = 'refunded'`,
		"payments applied later":                `select count(*) from ledger_entries where kind = 'cash_applied'`, "credits used": `select count(*) from payments where source = 'customer_credit'`,
		"rests paid out": `select count(*) from unapplied_payouts`,
		"renewals":       `select count(*) from audit_events where kind = 'credential.renewed'`, "credited renewals": `select count(*) from refunds r join refund_lines l on l.refund_id = r.id join order_lines o on o.id = l.order_line_id where r.reason in ('renewal_too_late', 'cannot_be_fulfilled') and r.credited_at is not null and o.credential_id is not null and o.replacement_reason is null`,
		"replacements that registered":         `select count(*) from authenticators a join parcels p on p.serial = a.serial join shipments s on s.id = p.shipment_id join order_lines l on l.id = s.order_line_id where l.credential_id = a.credential_id`,
		"orders that lapsed with a credential": `select count(*) from orders where cancel_reason = 'credential_revoked'`,
		"revocations by time":                  `select count(*) from credentials where revoke_reason = 'time'`,
		"active credentials":                   `select count(*) from credentials where phase = 'active'`, "accepted codes": `select count(*) from audit_events where class = 'authentication' and outcome = 'success'`,
	} {
		var n int
		storetest.Must(t, st.Pool().QueryRow(t.Context(), query).Scan(&n))
		if n == 0 {
			missing = append(missing, what)
		}
	}
	return missing
}

// tolerated ends the check on anything that is not a fault a caller could have expected.
func tolerated(r *rapid.T, err error) {
	switch {
	case err == nil:
	case models.KindOf(err) == models.Internal, models.KindOf(err) == models.Unavailable:
		r.Fatalf("an error that nobody should meet: %v", err)
	}
}

// goOn does to an order what would happen to it next if all went well, so that chance does not have to find the whole way.
func (w *world) goOn(r *rapid.T) { w.goOnWith(r, w.one(r)) }

func (w *world) goOnWith(r *rapid.T, o models.Order) {
	ctx := context.Background()
	switch o.Status {
	case models.OrderDraft:
		tolerated(r, w.st.PlaceOrder(ctx, o.Number, w.at))
	case models.OrderPlaced:
		if !w.chargeFor(r, o) {
			storetest.Pay(w.t, w.st, o, o.TotalMinor, w.reference())
		}
	case models.OrderPaid:
		w.stockArrives(r)
		tolerated(r, w.st.FulfilOrder(ctx, o.Number, w.ring, w.at))
	case models.OrderFulfilled:
		all, err := w.st.ShipmentsOfOrder(ctx, o.ID)
		tolerated(r, err)
		if len(all) > 0 { // not refunded before it was fulfilled
			w.goOnShipping(r, all[0])
		}
	}
}

func (w *world) goOnShipping(r *rapid.T, sh models.Shipment) {
	switch sh.Status {
	case models.ShipmentRequested, models.ShipmentBackordered, models.ShipmentReshipping:
		_, err := w.st.PackShipment(context.Background(), sh.ID, w.at)
		tolerated(r, err)
	case models.ShipmentPacked:
		w.buyLabel(r, sh.ID)
	case models.ShipmentShipped, models.ShipmentInTransit, models.ShipmentException:
		if said := rapid.SampledFrom([]models.CarrierEventKind{models.CarrierDelivered, models.CarrierDelivered, models.CarrierLost, ""}).Draw(r, "said"); said != "" {
			w.carrierSays(r, fmt.Sprintf("%s-%d", sh.ID, sh.Parcel), said, w.reference(), 0)
		}
		w.activate(r)
	default:
		w.register(r)
	}
}

func (w *world) reference() string {
	w.n++
	return fmt.Sprintf("%s/%d", w.buyer.ID, w.n)
}

func (w *world) timePasses(r *rapid.T) {
	w.at = w.at.Add(time.Duration(rapid.IntRange(1, 40*24*60).Draw(r, "minutes")) * time.Minute)
}

func (w *world) stockArrives(*rapid.T) {
	storetest.Stock(w.t, w.st, w.ring, storetest.TokenModel, storetest.EventDevice, 1)
}

func (w *world) order(r *rapid.T) {
	skus := rapid.SliceOfN(rapid.SampledFrom([]string{storetest.TokenSKU, storetest.ProofedTokenSKU}), 1, 2).Draw(r, "lines")
	method := rapid.SampledFrom([]models.PaymentMethod{models.PayByInvoice, models.PayByInvoice, models.PayByCard}).Draw(r, "method")
	o, err := w.st.DraftOrder(context.Background(), storetest.NewOrder(w.buyer.ID, method, skus...), w.at)
	if err != nil {
		r.Fatal(err)
	}
	if rapid.Bool().Draw(r, "placed") {
		tolerated(r, w.st.PlaceOrder(context.Background(), o.Number, w.at))
	}
	w.orders = append(w.orders, o.Number)
}

// one picks an order, or skips the step where there is none.
func (w *world) one(r *rapid.T) models.Order {
	if len(w.orders) == 0 {
		r.SkipNow()
	}
	o, err := w.st.OrderByNumber(context.Background(), rapid.SampledFrom(w.orders).Draw(r, "order"))
	if err != nil {
		r.Fatal(err)
	}
	return o
}

func (w *world) pay(r *rapid.T) {
	o := w.one(r)
	i, err := w.st.InvoiceOfOrder(context.Background(), o.ID)
	if err != nil {
		r.SkipNow() // a draft has no invoice
	}
	reference := rapid.SampledFrom([]string{"same", w.reference()}).Draw(r, "reference")
	amount := rapid.SampledFrom([]int64{i.TotalMinor, 1000, i.TotalMinor + 500, max(i.Due().Minor, 1)}).Draw(r, "amount")
	_, err = w.st.RecordPayment(context.Background(), models.NewPayment{Source: models.SourceBankTransfer, SourceAccount: w.buyer.ID, BankReference: reference,
		Amount: models.Money{Minor: amount, Currency: models.USD}, ReceivedAt: w.at, InvoiceNumber: i.Number}, models.Actor{ID: "billing"}, w.at)
	tolerated(r, err)
}

func (w *world) cancel(r *rapid.T) {
	reason := rapid.SampledFrom([]models.CancelReason{models.CancelMistake, models.CancelUnpaid}).Draw(r, "reason")
	tolerated(r, w.st.CancelOrder(context.Background(), w.one(r).Number, "test", reason, w.at))
}

func (w *world) fulfil(r *rapid.T) {
	o := w.one(r)
	if o.Status == models.OrderDraft || o.Status == models.OrderPlaced || o.Status == models.OrderCancelled {
		if err := w.st.FulfilOrder(context.Background(), o.Number, w.ring, w.at); err == nil {
			r.Fatalf("an order that is %s was fulfilled", o.Status)
		}
		return
	}
	tolerated(r, w.st.FulfilOrder(context.Background(), o.Number, w.ring, w.at))
}

func (w *world) resend(r *rapid.T) {
	tolerated(r, w.st.ResendLicenseKey(context.Background(), w.one(r).Number, 1, w.ring, models.Actor{ID: "support"}, w.at))
}

func (w *world) shipment(r *rapid.T) models.Shipment {
	all, err := w.st.ShipmentsOfOrder(context.Background(), w.one(r).ID)
	if err != nil || len(all) == 0 {
		r.SkipNow()
	}
	return rapid.SampledFrom(all).Draw(r, "shipment")
}

func (w *world) pack(r *rapid.T) {
	_, err := w.st.PackShipment(context.Background(), w.shipment(r).ID, w.at)
	tolerated(r, err)
}

func (w *world) label(r *rapid.T) { w.buyLabel(r, w.shipment(r).ID) }

func (w *world) buyLabel(r *rapid.T, shipmentID string) {
	intent, err := w.st.IntendLabel(context.Background(), shipmentID, w.at)
	tolerated(r, err)
	if err != nil || intent.Duty != store.BuyLabel {
		return
	}
	number := fmt.Sprintf("%s-%d", intent.Shipment.ID, intent.Parcel.Number)
	_, _, err = w.st.RecordLabel(context.Background(), intent, store.Label{Carrier: "test", TrackingNumber: number, Ref: number,
		PromisedBy: w.at.AddDate(0, 0, 7), LateFrom: w.at.AddDate(0, 0, 8)}, w.at)
	tolerated(r, err)
}

var carrierKinds = []models.CarrierEventKind{models.CarrierLabel, models.CarrierInTransit, models.CarrierException, models.CarrierDelivered, models.CarrierLost, models.CarrierReturned}

func (w *world) carrier(r *rapid.T) {
	_, parcels, err := w.st.Shipment(context.Background(), w.shipment(r).ID)
	if err != nil || len(parcels) == 0 {
		r.SkipNow()
	}
	p := rapid.SampledFrom(parcels).Draw(r, "parcel")
	if p.TrackingNumber == nil {
		r.SkipNow()
	}
	id := rapid.SampledFrom([]string{"repeat/" + *p.TrackingNumber, w.reference()}).Draw(r, "id")
	w.carrierSays(r, *p.TrackingNumber, rapid.SampledFrom(carrierKinds).Draw(r, "kind"), id, rapid.IntRange(0, 72).Draw(r, "hours ago"))
}

func (w *world) carrierSays(r *rapid.T, tracking string, kind models.CarrierEventKind, id string, hoursAgo int) {
	_, err := w.st.RecordCarrierEvent(context.Background(), models.CarrierEvent{Carrier: "test", TrackingNumber: tracking, ID: id, Kind: kind,
		OccurredAt: w.at.Add(-time.Duration(hoursAgo) * time.Hour)}, w.at)
	tolerated(r, err)
}

func (w *world) activate(r *rapid.T) {
	o := w.one(r)
	keys, err := w.st.LicenseKeys(context.Background(), o.ID)
	if err != nil || !slices.ContainsFunc(keys, func(k models.LicenseKey) bool { return k.Status == models.KeyIssued && k.OrderLineID == o.Lines[0].ID }) {
		r.SkipNow()
	}
	who := rapid.SampledFrom([]models.Account{w.buyer, w.other}).Draw(r, "who")
	_, err = w.st.ActivateLicenseKey(context.Background(), store.Activation{Key: storetest.KeyOf(w.t, w.st, w.ring, o, 1), AccountID: who.ID, Address: "192.0.2.1",
		LegalName: who.LegalName(), ProofingCountry: "US", TokenInHand: true}, w.at)
	tolerated(r, err)
}

func (w *world) credential(r *rapid.T) models.Credential {
	var all []models.Credential
	for _, a := range []models.Account{w.buyer, w.other} {
		some, err := w.st.CredentialsOfAccount(context.Background(), a.ID)
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		r.SkipNow()
	}
	return rapid.SampledFrom(all).Draw(r, "credential")
}

func (w *world) register(r *rapid.T) {
	c := w.credential(r)
	var serial string
	if err := w.st.Pool().QueryRow(context.Background(), `select p.serial from parcels p join shipments s on s.id = p.shipment_id join order_lines l on l.id = s.order_line_id
		where l.id = $1 or l.credential_id = $2 order by s.id desc, p.number desc limit 1`, c.OrderLineID, c.ID).Scan(&serial); err != nil {
		r.SkipNow()
	}
	w.registerAs(r, c, serial)
}

func (w *world) registerAs(r *rapid.T, c models.Credential, serial string) {
	d := w.device(serial)
	first, second := d.Pair(w.at)
	if rapid.IntRange(0, 3).Draw(r, "wrong codes") == 0 {
		first, second = second, first
	}
	_, err := w.st.RegisterHardwareToken(context.Background(), store.Registration{CredentialID: c.ID, AccountID: c.AccountID, Serial: serial, First: first, Second: second}, w.ring, w.at, w.at)
	tolerated(r, err)
}

func (w *world) device(serial string) *storetest.Device {
	if w.devices[serial] == nil {
		w.devices[serial] = &storetest.Device{Serial: serial, Params: storetest.EventDevice}
	}
	return w.devices[serial]
}

// verify presses the token and types the code twice: at most the first is accepted.
func (w *world) verify(r *rapid.T) {
	c := w.credential(r)
	_, authenticators, err := w.st.Credential(context.Background(), c.ID)
	if err != nil || len(authenticators) == 0 {
		r.SkipNow()
	}
	d := w.device(*authenticators[len(authenticators)-1].Serial)
	code := d.Press(w.at)
	if rapid.Bool().Draw(r, "wrong") {
		code = d.Code(d.Next + 5000)
	}
	for try := range 2 {
		v, err := w.st.Verify(context.Background(), store.VerificationRequest{CredentialID: c.ID, Code: code}, w.ring, w.at, w.at)
		tolerated(r, err)
		if v.Result == models.Accepted && (try > 0 || !w.at.Before(c.ExpiresAt) || c.Phase != models.CredentialActive || c.SuspendedAt != nil || c.TermSuspendedAt != nil) {
			r.Fatalf("accepted at try %d, phase %s, expiry %s, now %s", try+1, c.Phase, c.ExpiresAt, w.at)
		}
	}
}

// invariants are queries that find what must never be.
var invariants = map[string]string{
	"a license key without full payment":         `select k.id from license_keys k join order_lines l on l.id = k.order_line_id join invoices i on i.order_id = l.order_id where i.status <> 'paid' or i.paid_minor <> i.total_minor`,
	"a key of an order that was not fulfilled":   `select k.id from license_keys k join order_lines l on l.id = k.order_line_id join orders o on o.id = l.order_id where o.fulfilled_at is null`,
	"a fulfilled line without exactly one key":   `select l.id from order_lines l join orders o on o.id = l.order_id where o.status = 'fulfilled' and l.credential_id is null and not exists (select from refund_lines f where f.order_line_id = l.id and f.undone_at is not null) and (select count(*) from license_keys k where k.order_line_id = l.id and k.status in ('issued', 'used')) <> 1`,
	"a fulfilled line without its shipment":      `select l.id from order_lines l join orders o on o.id = l.order_id join products p on p.sku = l.product_sku where o.status = 'fulfilled' and p.token_model is not null and not exists (select from refund_lines f where f.order_line_id = l.id and f.undone_at is not null) and not exists (select 1 from shipments s where s.order_line_id = l.id)`,
	"a shipment before payment":                  `select s.id from shipments s join order_lines l on l.id = s.order_line_id join orders o on o.id = l.order_id where o.fulfilled_at is null`,
	"an invoice that its allocations do not pay": `select i.id from invoices i where i.status <> 'void' and i.paid_minor <> (select coalesce(sum(amount_minor), 0) from allocations a where a.invoice_id = i.id)`,
	"a paid order with an unpaid invoice":        `select o.id from orders o join invoices i on i.order_id = o.id where (o.status in ('paid', 'fulfilled', 'refunded')) <> (i.status = 'paid')`,
	"a cancelled order with an open invoice":     `select o.id from orders o join invoices i on i.order_id = o.id where o.status = 'cancelled' and i.status <> 'void'`,
	"a ledger entry that does not balance":       `select entry_id::text from ledger_postings group by entry_id having sum(amount_minor) <> 0`,
	"receivables that are not the open invoices": `select 'receivable' where (select coalesce(sum(amount_minor), 0) from ledger_postings where account = 'receivable') <> (select coalesce(sum(total_minor - paid_minor), 0) from invoices where status = 'open')`,
	"a serial in two parcels":                    `select serial from parcels where outcome is distinct from 'cancelled' group by serial having count(*) > 1`,
	"a token in a parcel that is still in stock": `select t.serial from tokens t join parcels p on p.serial = t.serial where t.status = 'in_stock' and coalesce(p.outcome, '') <> 'cancelled'`,
	"a bound token without its authenticator":    `select t.serial from tokens t where t.status = 'bound' and not exists (select 1 from authenticators a where a.serial = t.serial)`,
	"an authenticator of a token not shipped":    `select a.id from authenticators a join tokens t on t.serial = a.serial where a.status <> 'revoked' and t.status <> 'bound'`,
	"a token registered on another line":         `select a.id from authenticators a join credentials c on c.id = a.credential_id where not exists (select 1 from parcels p join shipments s on s.id = p.shipment_id join order_lines l on l.id = s.order_line_id where p.serial = a.serial and (l.id = c.order_line_id or l.credential_id = c.id))`,
	"a credential whose key is not used by it":   `select c.id from credentials c join license_keys k on k.id = c.license_key_id where k.status <> 'used' or k.used_by <> c.account_id`,
	"an active credential nobody can log in to":  `select c.id from credentials c where (c.phase = 'active') <> exists (select 1 from authenticators a where a.credential_id = c.id and a.status <> 'revoked')`,
	"two live tokens of one person":              `select account_id from authenticators where revoked_at is null group by account_id having count(*) > 1`,
	"a failure count above the limit":            `select id from authenticators where failures > 10 or status <> 'revoked' and (failures = 10) <> (status = 'locked')`,
	"a thing that changed without being audited": `select o.number from orders o where o.status not in ('draft', 'refused') and not exists (select 1 from audit_events e where e.subject_ref = o.number and e.kind = 'order.placed')`,
}

func (w *world) check(r *rapid.T) {
	w.never(r, invariants)
	w.never(r, refundInvariants)
	w.never(r, renewalInvariants)
	w.never(r, unappliedInvariants)
	moved(r, w, models.OrderMachine, "orders", "id", "status")
	moved(r, w, models.RefundMachine, "refunds", "id", "status")
	moved(r, w, models.InvoiceMachine, "invoices", "id", "status")
	moved(r, w, models.LicenseKeyMachine, "license_keys", "id", "status")
	moved(r, w, models.TokenMachine, "tokens", "serial", "status")
	moved(r, w, models.ShipmentMachine, "shipments", "id", "status")
	moved(r, w, models.CredentialMachine, "credentials", "id", "phase")
	moved(r, w, models.AuthenticatorMachine, "authenticators", "id", "status")
}

// never ends the check where one of the queries finds what must not be.
func (w *world) never(r *rapid.T, queries map[string]string) {
	what, err := broken(context.Background(), w.st, queries)
	if err != nil {
		r.Fatal(err)
	}
	if what != "" {
		r.Fatalf("there is %s", what)
	}
}

// broken says which of the queries finds what must not be, and what it is; empty: none.
func broken(ctx context.Context, st *store.Store, queries map[string]string) (string, error) {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(queries)) {
		all = append(all, "select '"+strings.ReplaceAll(what, "'", "''")+"', min(x::text) from ("+queries[what]+") q(x)")
	}
	var what, found string
	err := st.Pool().QueryRow(ctx, "select w, x from ("+strings.Join(all, " union all ")+") f(w, x) where x is not null limit 1").Scan(&what, &found)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return what + ": " + found, err
}

// bearsEverything checks that nothing has led to what must never be.
func bearsEverything(t *testing.T, st *store.Store) {
	t.Helper()
	for _, queries := range []map[string]string{invariants, refundInvariants, renewalInvariants, unappliedInvariants} {
		if what, err := broken(t.Context(), st, queries); err != nil || what != "" {
			t.Errorf("there is %s (%v)", what, err)
		}
	}
}

// moved checks that everything stands where its table allows it to have come since the last look.
func moved[S, E ~string](r *rapid.T, w *world, m models.Machine[S, E], table, key, column string) {
	rows, err := w.st.Pool().Query(context.Background(), fmt.Sprintf("select %s, %s from %s", key, column, table))
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, now string
		if err := rows.Scan(&id, &now); err != nil {
			r.Fatal(err)
		}
		was, seen := w.before[id]
		if seen && was != now && !reachable(m, S(was), S(now)) {
			r.Fatalf("%s %s went from %s to %s", m.Name, id, was, now)
		}
		w.before[id] = now
	}
}

func reachable[S, E ~string](m models.Machine[S, E], from, to S) bool {
	seen := []S{from}
	for i := 0; i < len(seen); i++ {
		for _, t := range m.Transitions {
			if slices.Contains(t.From, seen[i]) && !slices.Contains(seen, t.To) {
				seen = append(seen, t.To)
			}
		}
	}
	return slices.Contains(seen, to)
}
