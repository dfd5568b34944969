package store_test

import (
	"testing"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// waiting orders a replacement at its price that waits for stock.
func (w renewing) waiting(t *testing.T) models.Order {
	t.Helper()
	return storetest.FulfilledAt(t, w.Store, w.ring, storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, models.ReplaceLost), storetest.At)
}

// MGT-4, MGT-6, ORD-5: the token was revoked because a replacement was under way; that one is refunded: nothing lives and nothing will, so
// the credential ends in the same transaction, and the person is told. No more than the line is credited.
func TestRefundOfLastReplacementRevokes(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]bool{"waits for stock": false, "was sent": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRenewing(t)
			s := w.shop(t)
			var o models.Order
			var d *storetest.Device
			if left {
				o, d = w.replaced(t, models.ReplaceLost, storetest.At)
			} else {
				o = w.waiting(t)
			}
			w.revokeToken(t, storetest.At)
			if c := w.again(t); c.Phase != models.PendingRegistration {
				t.Fatalf("the credential is %s", c.Phase)
			}
			r := s.request(o)
			if left {
				if c := w.again(t); c.Phase != models.PendingRegistration {
					t.Fatalf("while the token is out the credential is %s", c.Phase)
				}
				_, err := s.RecordReturn(t.Context(), d.Serial, models.ReturnedUnopened, atWarehouse, storetest.At)
				storetest.Must(t, err)
				s.advance(r, storetest.At)
			}
			s.wantStatus(r, models.RefundPaying)
			if c := w.again(t); c.Phase != models.CredentialRevoked || c.RevokeReason == nil || *c.RevokeReason != models.RevokeRefunded {
				t.Errorf("the credential is %s, %v", c.Phase, c.RevokeReason)
			}
			if n := query[int](t, w.Store, "select count(*) from notices where kind = 'revoked' and subject_ref = $1 and account_id = $2", w.credential.ID, w.person.ID); n != 1 {
				t.Errorf("the person was told %d times", n)
			}
			if n := query[int](t, w.Store, "select count(*) from credit_notes"); n != 1 {
				t.Errorf("%d credit notes", n)
			}
			s.wantBalances(map[string]int64{"refunds_payable": -o.TotalMinor})
		})
	}
}

// MGT-4, ORD-5: a replacement that has not left is credited once when its credential ends, however that ends, and is not packed any more; one
// that has left is neither waited for nor credited.
func TestEndOfCredentialCreditsReplacement(t *testing.T) {
	t.Parallel()
	end := map[string]func(*testing.T, renewing, shop){
		"by command": func(t *testing.T, w renewing, _ shop) { w.revoke(t, storetest.At) },
		"by time": func(t *testing.T, w renewing, _ shop) {
			if _, err := w.AdvanceCredential(t.Context(), w.credential.ID, w.eve(t)); err != nil {
				t.Fatal(err)
			}
		},
		"by the refund of the purchase": func(t *testing.T, w renewing, s shop) {
			_, err := s.RecordReturn(t.Context(), w.device.Serial, models.ReturnedOpened, atWarehouse, storetest.At)
			storetest.Must(t, err)
			bought, err := w.OrderOfLine(t.Context(), w.credential.OrderLineID)
			storetest.Must(t, err)
			s.wantStatus(s.request(storetest.Order(t, w.Store, bought.Number)), models.RefundPaying)
		},
	}
	for name, how := range end {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRenewing(t)
			s := w.shop(t)
			o := w.waiting(t)
			how(t, w, s)
			if c := w.again(t); c.Phase != models.CredentialRevoked {
				t.Fatalf("the credential is %s", c.Phase)
			}
			if got := query[string](t, w.Store, "select reason || ' ' || total_minor from refunds where order_id = $1", o.ID); got != "cannot_be_fulfilled 2500" {
				t.Errorf("refund: %s", got)
			}
			s.wantOrder(o, models.OrderRefunded)
			if got := query[string](t, w.Store, "select status from shipments where order_line_id = $1", o.Lines[0].ID); got != "cancelled" {
				t.Errorf("the shipment is %s", got)
			}
		})
	}
	t.Run("it has left", func(t *testing.T) {
		t.Parallel()
		w := newRenewing(t)
		s := w.shop(t)
		o, d := w.replaced(t, models.ReplaceLost, storetest.At)
		w.revoke(t, storetest.At)
		s.wantOrder(o, models.OrderFulfilled)
		wantFault(t, w.bind(t, d, storetest.At), models.ActionNotPossible)
	})
}

// MGT-4, ORD-5, SHP-2: a replacement that had left when its credential was revoked, and is lost or comes back after, is not sent again: it is credited
// as one that had not left, once, whoever says that it will not arrive. A free one costs nothing, and is not sent again either.
func TestReplacementLostAfterRevocation(t *testing.T) {
	t.Parallel()
	later := storetest.At.AddDate(0, 2, 0)
	for name, lost := range map[string]func(*testing.T, renewing, *storetest.Device, string){
		"the carrier reports it lost": func(t *testing.T, w renewing, _ *storetest.Device, id string) {
			for range 2 {
				report(t, w.Store, "TRACK-"+id, models.CarrierLost, 48)
			}
		},
		"the carrier returns it": func(t *testing.T, w renewing, _ *storetest.Device, id string) {
			report(t, w.Store, "TRACK-"+id, models.CarrierReturned, 48)
		},
		"the warehouse has it back": func(t *testing.T, w renewing, d *storetest.Device, _ string) {
			_, err := w.RecordReturn(t.Context(), d.Serial, models.ReturnedUnopened, atWarehouse, later)
			storetest.Must(t, err)
		},
		"support declares it lost": func(t *testing.T, w renewing, _ *storetest.Device, id string) {
			_, err := w.MarkOverdue(t.Context(), id, later)
			storetest.Must(t, err)
			storetest.Must(t, w.DeclareLost(t.Context(), id, "no trace", atSupport, later))
		},
	} {
		for _, reason := range []models.ReplacementReason{models.ReplaceLost, models.ReplaceErr} {
			t.Run(name+", replaced as "+string(reason), func(t *testing.T) {
				t.Parallel()
				w := newRenewing(t)
				s := w.shop(t)
				o, d := w.replaced(t, reason, storetest.At)
				storetest.Stock(t, w.Store, w.ring, storetest.TokenModel, storetest.EventDevice, 1) // which must stay there
				id := query[string](t, w.Store, "select id from shipments where order_line_id = $1", o.Lines[0].ID)
				w.revoke(t, storetest.At)
				lost(t, w, d, id)
				sh, err := w.PackShipment(t.Context(), id, later)
				storetest.Must(t, err)
				if sh.Status != models.ShipmentGivenUp || sh.Parcel != 1 || sh.LateSince != nil || sh.MissingSince != nil {
					t.Errorf("shipment %+v", sh)
				}
				if got := query[string](t, w.Store, "select status from tokens where serial = $1", d.Serial); got != "retired" {
					t.Errorf("the token is %s", got)
				}
				s.wantOrder(o, models.OrderRefunded)
				s.wantBalances(map[string]int64{"refunds_payable": -o.TotalMinor})
				if n := query[int](t, w.Store, "select count(*) from credit_notes"); n != 1 {
					t.Errorf("%d credit notes", n)
				}
			})
		}
	}
}

// SHP-2: a first token that was lost after its credential was revoked is not sent again either; a person decides about the money.
func TestFirstTokenLostAfterRevocation(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	storetest.Stock(t, w.Store, w.ring, storetest.TokenModel, storetest.EventDevice, 2)
	o := storetest.FulfilledOrder(t, w.Store, w.ring, w.person.ID)
	storetest.Shipped(t, w.Store, o, 1)
	id := query[string](t, w.Store, "select id from shipments where order_line_id = $1", o.Lines[0].ID)
	c := storetest.Activated(t, w.Store, w.ring, w.person, o, 1) // though the token is not in hand
	storetest.Must(t, w.RevokeCredential(t.Context(), models.Revocation{CredentialID: c.ID, Reason: models.RevokeStolen, By: models.BySubscriber}, w.ring, storetest.Hasher,
		models.Actor{ID: w.person.ID}, storetest.At))
	report(t, w.Store, "TRACK-"+id, models.CarrierLost, 48)
	if got := query[string](t, w.Store, "select status from shipments where id = $1", id); got != "given_up" {
		t.Errorf("the shipment is %s", got)
	}
	if n := query[int](t, w.Store, "select count(*) from support_cases where dedupe_key = 'given-up/' || $1", id); n != 1 {
		t.Errorf("%d cases", n)
	}
}

// MGT-4, ORD-5, SHP-2: a replacement is lost in the moment in which its credential is revoked: it is not sent again, and credited once.
func TestReplacementLostWhileRevoked(t *testing.T) {
	t.Parallel()
	for range 4 {
		w := newRenewing(t)
		o, _ := w.replaced(t, models.ReplaceLost, storetest.At)
		id := query[string](t, w.Store, "select id from shipments where order_line_id = $1", o.Lines[0].ID)
		got := atOnce(2, func(i int) error {
			if i == 0 {
				_, err := w.RecordCarrierEvent(t.Context(), storetest.CarrierEvent("TRACK-"+id, models.CarrierLost, storetest.At), storetest.At)
				return err
			}
			return w.RevokeCredential(t.Context(), models.Revocation{CredentialID: w.credential.ID, Reason: models.RevokeStolen, By: models.BySubscriber}, w.ring, storetest.Hasher,
				models.Actor{ID: w.person.ID}, storetest.At)
		})
		status := query[string](t, w.Store, "select status from shipments where id = $1", id)
		if n := query[int](t, w.Store, "select count(*) from credit_notes"); got[""] != 2 || n != 1 || status != "given_up" && status != "cancelled" {
			t.Errorf("%v: the shipment is %s, %d credit notes", got, status, n)
		}
	}
}

// MGT-4, ORD-5: a replacement that waits in a refund when its credential is revoked is credited once.
func TestRefundedReplacementIsCreditedOnce(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	s := w.shop(t)
	o := w.waiting(t)
	_, err := s.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundMistake}, models.Actor{ID: o.BuyerID},
		storetest.At.AddDate(0, 0, 60)) // so late that a second person decides
	storetest.Must(t, err)
	w.revoke(t, storetest.At.AddDate(0, 0, 61))
	if got := query[string](t, w.Store, "select string_agg(status || ' ' || reason, ', ' order by requested_at) from refunds where order_id = $1", o.ID); got != "withdrawn ordered_by_mistake, paying cannot_be_fulfilled" {
		t.Errorf("refunds: %s", got)
	}
	s.wantBalances(map[string]int64{"refunds_payable": -2500})
}

// ORD-5, MGT-4: a replacement and a renewal of one credential are refunded together, and the credential ends over it: each is credited once.
func TestRefundOfReplacementAndRenewal(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	s := w.shop(t)
	at := storetest.BeforeExpiry(w.credential, 10)
	n := storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, models.ReplaceLost)
	n.Lines = append(n.Lines, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential).Lines...)
	o := storetest.FulfilledAt(t, w.Store, w.ring, n, at)
	w.revokeToken(t, at)
	r, err := s.requestAt(o, at)
	storetest.Must(t, err)
	if s.wantStatus(r, models.RefundPaying); r.TotalMinor != o.TotalMinor {
		t.Errorf("credited %s of %s", r.Total(), o.Total())
	}
	s.wantOrder(o, models.OrderRefunded)
	s.wantBalances(map[string]int64{"refunds_payable": -o.TotalMinor})
	if c := w.again(t); c.Phase != models.CredentialRevoked {
		t.Errorf("the credential is %s", c.Phase)
	}
}

// ORD-5: a term that had begun when its credential was revoked is not refunded; one that had not is credited already.
func TestBegunTermOfRevokedCredential(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"begun": true, "not begun": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRenewing(t)
			s := w.shop(t)
			o := storetest.FulfilledAt(t, w.Store, w.ring, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), storetest.BeforeExpiry(w.credential, 20))
			at, want := storetest.BeforeExpiry(w.credential, 1), models.NothingToRefund
			if begun {
				at, want = w.credential.ExpiresAt.AddDate(0, 10, 0), models.LineNotRefundable
			}
			w.revoke(t, at)
			_, err := s.requestAt(o, w.credential.ExpiresAt.AddDate(0, 11, 0))
			wantFault(t, err, want)
		})
	}
}

// ORD-5, REN-1: taking a renewal back restores the day on which the term ended, also where the years differ by the 29th of February.
func TestRenewalTakenBackAroundLeapDay(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	s := w.shop(t)
	zone := models.DefaultPolicy().Location()
	for _, day := range []string{"2028-02-28", "2028-02-29", "2028-03-01"} {
		if _, err := w.Pool().Exec(t.Context(), "update credentials set expires_at = ($1 || ' 23:59:59.999999')::timestamp at time zone $2 where id = $3", day, zone.String(), w.credential.ID); err != nil {
			t.Fatal(err)
		}
		before := w.again(t)
		o := storetest.FulfilledAt(t, w.Store, w.ring, storetest.Renewal(w.person.ID, models.PayByInvoice, before), storetest.BeforeExpiry(before, 20))
		_, err := s.requestAt(o, storetest.BeforeExpiry(before, 10))
		storetest.Must(t, err)
		if c := w.again(t); !c.ExpiresAt.Equal(before.ExpiresAt) {
			t.Errorf("%s became %s", before.ExpiresAt.In(zone), c.ExpiresAt.In(zone))
		}
	}
}
