package models

import "time"

// RenewalWindow says when and to what a credential can be renewed (REN-1).
type RenewalWindow struct {
	Opens       time.Time
	LastInvoice time.Time // until then, exclusively, an invoice can be asked for
	LastRenewal time.Time // until then, exclusively, a card is taken
	NewExpiry   time.Time // one term from the old expiry, never from the payment
}

// RenewalOf computes the window of a credential that is not revoked. While a revocation waits for a person's review, renewal by
// card stays open (LIF-3).
func RenewalOf(f LifeFacts, p Policy, bank BankDays, termMonths int) RenewalWindow {
	d := DatesOf(f, p, bank)
	w := RenewalWindow{Opens: d.Notice, LastInvoice: d.LastInvoice, LastRenewal: d.LastRenewal, NewExpiry: TermEnd(f.ExpiresAt, termMonths, p.Location()).UTC()}
	if f.Undelivered {
		w.LastRenewal = d.Reviewed
	}
	return w
}

// Refuse says what stands against renewing at a moment, paid in this way; nil: nothing.
// Faults: RenewalNotOpen, RenewalByCardOnly, RenewalTooLate.
func (w RenewalWindow) Refuse(method PaymentMethod, at time.Time) *Fault {
	switch {
	case at.Before(w.Opens):
		return RenewalNotOpen.New("renewal opens on %s", w.Opens.Format("2 January 2006"))
	case !at.Before(w.LastRenewal):
		return RenewalTooLate.New("renewal closed on %s", w.LastRenewal.Format("2 January 2006 at 15:04 MST"))
	case method == PayByInvoice && !at.Before(w.LastInvoice):
		return RenewalByCardOnly.New("an invoice could not be paid before the revocation")
	}
	return nil
}

// Open reports whether the credential can be renewed at the moment in any way.
func (w RenewalWindow) Open(at time.Time) bool { return w.Refuse(PayByCard, at) == nil }
