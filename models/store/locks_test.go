package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// crossing are three people's credentials and two orders that name them crosswise: each renews what the other replaces the token of.
type crossing struct {
	*store.Store
	ring        *seal.Keyring
	at          time.Time
	credentials []models.Credential
	orders      []models.Order
}

// crossed places the orders, and where they are to be undone has them paid and fulfilled. No token is in stock: replacements wait.
func crossed(t *testing.T, st *store.Store, ring *seal.Keyring, fulfilled bool) crossing {
	t.Helper()
	org := storetest.Organization(t, st)
	admin := storetest.Account(t, st, storetest.In(org), storetest.WithRoles(models.RoleSubscriber, models.RoleOrgAdmin))
	x := crossing{Store: st, ring: ring}
	for range 3 {
		c, _ := storetest.Registered(t, st, ring, storetest.Account(t, st, storetest.In(org)), storetest.EventDevice, codeNow)
		x.credentials = append(x.credentials, c)
	}
	x.at = storetest.BeforeExpiry(x.credentials[0], 10)
	for i := range 2 {
		n := storetest.Renewal(admin.ID, models.PayByInvoice, x.credentials[i])
		n.Lines = append(n.Lines, storetest.Replacement(admin.ID, models.PayByInvoice, x.credentials[1-i], models.ReplaceLost).Lines...)
		if i == 0 {
			n.Lines = append(n.Lines, storetest.Renewal(admin.ID, models.PayByInvoice, x.credentials[2]).Lines...)
		}
		if fulfilled {
			x.orders = append(x.orders, storetest.FulfilledAt(t, st, ring, n, x.at))
		} else {
			x.orders = append(x.orders, storetest.PlacedAt(t, st, n, x.at))
		}
	}
	return x
}

func (x crossing) revoke(ctx context.Context, c models.Credential) error {
	return x.RevokeCredential(ctx, models.Revocation{CredentialID: c.ID, Reason: models.RevokeStolen, By: models.ByAdministrator}, x.ring, storetest.Hasher, models.Actor{ID: c.AccountID}, x.at)
}

func (x crossing) refund(ctx context.Context, o models.Order) error {
	_, err := x.RequestRefund(ctx, models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundMistake}, billing, x.at)
	return err
}

// pay pays an order and lets its lifecycle fulfil it.
func (x crossing) pay(ctx context.Context, o models.Order) error {
	i, err := x.InvoiceOfOrder(ctx, o.ID)
	if err != nil {
		return err
	}
	_, err = x.RecordPayment(ctx, models.NewPayment{Source: models.SourceBankTransfer, SourceAccount: "DE02", BankReference: o.Number,
		Amount: i.Due(), ReceivedAt: x.at, InvoiceNumber: i.Number}, billing, x.at)
	if err != nil {
		return err
	}
	return x.FulfilOrder(ctx, o.Number, x.ring, x.at)
}

// commands are everything that may happen to the credentials and the orders in one moment.
func (x crossing) commands(paid bool) (all []func(context.Context) error) {
	for _, c := range x.credentials {
		all = append(all, func(ctx context.Context) error { return x.revoke(ctx, c) })
	}
	for _, o := range x.orders {
		all = append(all, func(ctx context.Context) error { return x.refund(ctx, o) })
		if !paid {
			all = append(all, func(ctx context.Context) error { return x.pay(ctx, o) })
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// REN-4, ORD-5, MGT-4: credentials are revoked while the orders that name them are paid, fulfilled and refunded, all in one moment, crosswise:
// nobody waits for another for ever, every refusal is one that a caller understands, and the money adds up.
func TestLocksAreTakenInOneOrder(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	for round := range 40 {
		fulfilled := round%2 == 0
		x := crossed(t, st, ring, fulfilled)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for _, command := range x.commands(fulfilled) {
			wg.Go(func() {
				<-start
				understood(t, command(context.Background()))
			})
		}
		close(start)
		wg.Wait()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		for _, o := range x.orders { // what was still on its way arrives
			if storetest.Order(t, st, o.Number).Status == models.OrderPaid {
				storetest.Must(t, st.FulfilOrder(t.Context(), o.Number, ring, x.at))
			}
		}
		for _, c := range x.credentials {
			if now, _, err := st.Credential(t.Context(), c.ID); err != nil || now.Phase != models.CredentialRevoked {
				t.Errorf("a credential is %s (%v)", now.Phase, err)
			}
		}
	}
	bearsEverything(t, st)
}

// understood ends the test on what no caller could have expected: a deadlock first of all.
func understood(t *testing.T, err error) {
	t.Helper()
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "40P01" {
		t.Errorf("a deadlock: %v", err)
	} else if kind := models.KindOf(err); err != nil && (kind == models.Internal || kind == models.Unavailable) {
		t.Errorf("an error that nobody should meet: %v", err)
	}
}

// LIC-2, ORD-5: keys are used, resent and lapse while their order is refunded: of each key either a credential comes, which the refund ends,
// or none does.
func TestKeysAreUsedWhileTheirOrderIsRefunded(t *testing.T) {
	t.Parallel()
	s, seen := newShop(t), map[string]int{}
	for round := range 30 {
		o := s.fulfilled(storetest.TokenSKU, storetest.TokenSKU)
		keys := []models.Secret{storetest.KeyOf(t, s.Store, s.ring, o, 1), storetest.KeyOf(t, s.Store, s.ring, o, 2)}
		var wg sync.WaitGroup
		start := make(chan struct{})
		race := func(command func() error) {
			wg.Go(func() {
				<-start
				understood(t, command())
			})
		}
		ctx := context.Background()
		for i := range 2 {
			race(func() error {
				_, err := s.ActivateLicenseKey(ctx, store.Activation{Key: keys[i], AccountID: s.buyer.ID, Address: "192.0.2.1", LegalName: s.buyer.LegalName(), ProofingCountry: "US", TokenInHand: true}, storetest.At)
				return err
			})
			race(func() error {
				_, err := s.RequestRefund(ctx, models.RefundRequest{OrderNumber: o.Number, Positions: []int{2 - i}, Reason: models.RefundMistake}, billing, storetest.At)
				return err
			})
		}
		if round%3 == 0 {
			race(func() error { return s.ResendLicenseKey(ctx, o.Number, 1, s.ring, billing, storetest.At) })
			race(func() error { _, err := s.ExpireLicenseKeys(ctx, storetest.At.AddDate(2, 0, 0)); return err })
		}
		close(start)
		wg.Wait()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		s.wantOrder(o, models.OrderRefunded)
		seen[query[string](t, s.Store, "select count(*)::text from credentials c join order_lines l on l.id = c.order_line_id where l.order_id = $1", o.ID)]++
	}
	if len(seen) < 2 {
		t.Errorf("every round made %v credentials", seen)
	}
	bearsEverything(t, s.Store)
}
