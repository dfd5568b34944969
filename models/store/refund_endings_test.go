package store_test

import (
	"fmt"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// endings describes what a refund says that ends with it.
func (s shop) endings(r models.Refund) string {
	s.Helper()
	r, err := s.Refund(s.Context(), r.ID)
	storetest.Must(s, err)
	all, err := s.RefundEndings(s.Context(), r)
	storetest.Must(s, err)
	text := ""
	for _, e := range all {
		what, when := "the credential", "will end"
		if e.AuthenticatorID != "" {
			what = "its token"
		}
		if e.EndedAt != nil {
			when = "ended"
		}
		text += fmt.Sprintf("line %d: %s %s", e.Position, what, when)
	}
	return text
}

// ORD-5, MGT-4: a refund says what ends with it before it happens, and afterwards that it did; what it announces is what happens.
func TestRefundSaysWhatEnds(t *testing.T) {
	t.Parallel()
	const nothing = ""
	for name, c := range map[string]struct {
		prepare       func(t *testing.T, w renewing) (models.Order, string) // the order, and the serial that must come back
		before, after string
		phase         models.CredentialPhase
	}{
		"the purchase": {func(t *testing.T, w renewing) (models.Order, string) {
			return storetest.Order(t, w.Store, query[string](t, w.Store, "select number from orders")), w.device.Serial
		}, "line 1: the credential will end", "line 1: the credential ended", models.CredentialRevoked},
		"a replacement beside a live token": {func(t *testing.T, w renewing) (models.Order, string) {
			o, d := w.replaced(t, models.ReplaceLost, storetest.At)
			return o, d.Serial
		}, nothing, nothing, models.CredentialActive},
		"the last replacement under way": {func(t *testing.T, w renewing) (models.Order, string) {
			o, d := w.replaced(t, models.ReplaceLost, storetest.At)
			w.revokeToken(t, storetest.At)
			return o, d.Serial
		}, "line 1: the credential will end", "line 1: the credential ended", models.CredentialRevoked},
		"a replacement that was registered, the last token": {func(t *testing.T, w renewing) (models.Order, string) {
			o, d := w.replaced(t, models.ReplaceLost, storetest.At)
			w.revokeToken(t, storetest.At)
			storetest.Must(t, w.bind(t, d, storetest.At))
			return o, d.Serial
		}, "line 1: the credential will end", "line 1: the credential ended", models.CredentialRevoked},
		"a replacement that was registered, and is being replaced again": {func(t *testing.T, w renewing) (models.Order, string) {
			o, d := w.replaced(t, models.ReplaceLost, storetest.At)
			w.revokeToken(t, storetest.At)
			storetest.Must(t, w.bind(t, d, storetest.At))
			w.waiting(t)
			return o, d.Serial
		}, "line 1: its token will end", "line 1: its token ended", models.PendingRegistration},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRenewing(t)
			s := w.shop(t)
			o, serial := c.prepare(t, w)
			r := s.request(o)
			if got := s.endings(r); got != c.before {
				t.Errorf("announced: %q, want %q", got, c.before)
			}
			_, err := s.RecordReturn(t.Context(), serial, models.ReturnedOpened, atWarehouse, storetest.At)
			storetest.Must(t, err)
			s.advance(r, storetest.At.Add(time.Minute))
			s.wantStatus(r, models.RefundPaying)
			if got := s.endings(r); got != c.after {
				t.Errorf("afterwards: %q, want %q", got, c.after)
			}
			if now := w.again(t); now.Phase != c.phase {
				t.Errorf("the credential is %s, want %s", now.Phase, c.phase)
			}
		})
	}
}
