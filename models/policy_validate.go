package models

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Bounds of a policy's numbers: generous ones, within which every date that follows can be written down (RFC 3339 has four digits for the year).
const (
	mostDays   = 3650
	mostMonths = 120
	mostCount  = 100_000
	shortMonth = 28 // days
)

// Validate says everything that is wrong with a policy; nil: nothing. How numbers go together is looked at in a part whose numbers are
// possible by themselves. Faults: PolicyInvalid, joined, each pointing at its member.
func (p Policy) Validate() error {
	w := &wrongs{}
	p.checkClock(w)
	p.checkBounds(w)
	for part, check := range map[string]func(*wrongs){
		"/life": p.checkLife, "/invoice": p.checkInvoice, "/shipping": p.checkShipping, "/session": p.checkSession, "/refund": p.checkRefund,
		"/proofing": p.checkProofing,
	} {
		if !w.in(part) {
			check(w)
		}
	}
	return w.joined()
}

// wrongs are the faults of a policy.
type wrongs struct{ found []*Fault }

func (w *wrongs) at(pointer, format string, args ...any) {
	w.found = append(w.found, PolicyInvalid.New(format, args...).At(pointer))
}

// in reports whether a part has a fault.
func (w *wrongs) in(part string) bool {
	return slices.ContainsFunc(w.found, func(f *Fault) bool { return strings.HasPrefix(f.Field, part+"/") })
}

func (w *wrongs) joined() error {
	slices.SortStableFunc(w.found, func(a, b *Fault) int { return strings.Compare(a.Field, b.Field) })
	errs := make([]error, len(w.found))
	for i, f := range w.found {
		errs[i] = f
	}
	return errors.Join(errs...)
}

func (p Policy) checkClock(w *wrongs) {
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "" || p.Zone == "Local" || p.Zone != path.Clean(p.Zone) {
		w.at("/zone", "there is no such time zone")
	}
	if _, err := time.Parse("15:04", p.CloseOfDay); err != nil {
		w.at("/close_of_business", "it is no time of day such as 17:00")
	}
}

// bound is one number and what it may be.
type bound struct {
	pointer     string
	value       int
	least, most int
}

func (p Policy) checkBounds(w *wrongs) {
	l, r, s := p.Life, p.Refund, p.Session
	bounds := []bound{
		{"/otp/hotp_look_ahead", p.OTP.HOTPLookAhead, 0, mostCount}, {"/otp/hotp_resync", p.OTP.HOTPResync, 1, mostCount},
		{"/otp/totp_window", p.OTP.TOTPWindow, 0, mostCount}, {"/otp/totp_resync", p.OTP.TOTPResync, 1, mostCount}, {"/otp/lock_after", p.OTP.LockAfter, 1, 100},
		{"/license_key/tries_per_account", p.LicenseKey.TriesPerAccount, 1, mostCount}, {"/license_key/tries_per_address", p.LicenseKey.TriesPerAddress, 1, mostCount},
		{"/license_key/lifetime_months", p.LicenseKey.LifetimeMonths, 1, mostMonths}, {"/license_key/promise_hours", p.LicenseKey.PromiseHours, 1, mostDays},
		{"/invoice/due_days", p.Invoice.DueDays, 1, mostDays}, {"/invoice/reminder_before", p.Invoice.ReminderBefore, 0, mostDays},
		{"/invoice/reminder_after", p.Invoice.ReminderAfter, 0, mostDays}, {"/invoice/void_after", p.Invoice.VoidAfter, 0, mostDays},
		{"/shipping/promise_from", p.Shipping.PromiseFrom, 0, mostDays}, {"/shipping/promise_to", p.Shipping.PromiseTo, 1, mostDays},
		{"/shipping/missing_after", p.Shipping.MissingAfter, 1, mostDays},
		{"/session/idle_minutes", s.IdleMinutes, 1, mostCount}, {"/session/absolute_hours", s.AbsoluteHours, 1, mostDays},
		{"/session/tries_per_user", s.TriesPerUser, 1, 100}, {"/session/tries_per_address", s.TriesPerAddress, 1, mostCount},
		{"/session/tries_per_user_anywhere", s.TriesPerUserAnywhere, 1, 100}, {"/session/temporary_password_hours", s.TemporaryPasswordHours, 1, mostDays},
		{"/session/recovery_minutes", s.RecoveryMinutes, 1, mostCount}, {"/session/recovery_mails", s.RecoveryMails, 1, mostCount},
		{"/life/notice_before", l.NoticeBefore, 0, mostDays}, {"/life/grace_months", l.GraceMonths, 1, mostMonths},
		{"/life/suspend_before", l.SuspendBefore, 0, mostDays}, {"/life/last_invoice_before", l.LastInvoiceBefore, 0, mostDays},
		{"/life/last_renewal_before", l.LastRenewalBefore, 0, mostDays}, {"/life/suspension_days", l.SuspensionDays, 1, mostDays},
		{"/life/review_days", l.ReviewDays, 0, mostDays},
		{"/tokens/warranty_days", p.Tokens.WarrantyDays, 0, mostDays}, {"/tokens/old_years", p.Tokens.OldYears, 1, mostMonths},
		{"/refund/self_service_days", r.SelfServiceDays, 0, mostDays}, {"/refund/decision_days", r.DecisionDays, 0, mostDays},
		{"/refund/return_days", r.ReturnDays, 1, mostDays}, {"/refund/return_reminder", r.ReturnReminder, 0, mostDays},
		{"/refund/payout_days", r.PayoutDays, 0, mostDays},
	}
	for i, days := range l.Reminders {
		bounds = append(bounds, bound{fmt.Sprintf("/life/reminders/%d", i), days, 1, mostDays})
	}
	for _, b := range append(bounds, p.Proofing.proofingBounds()...) {
		if b.value < b.least || b.value > b.most {
			w.at(b.pointer, "it must be from %d to %d", b.least, b.most)
		}
	}
	if r.SecondPersonAbove < 0 {
		w.at("/refund/second_person_above", "it must not be negative")
	}
}

// checkLife keeps the steps of a credential's life in their order: the end of the term, the suspension, the reminders, the last invoice,
// the last renewal, the revocation (LIF-1).
func (p Policy) checkLife(w *wrongs) {
	l := p.Life
	grace := l.GraceMonths*shortMonth - 1 // days that surely lie between the end of the term and the revocation
	if l.SuspendBefore > grace {
		w.at("/life/suspend_before", "the suspension would come before the end of the term: at most %d days fit", grace)
	}
	if l.LastInvoiceBefore > grace {
		w.at("/life/last_invoice_before", "the last invoice would come before the end of the term")
	}
	if l.LastRenewalBefore > l.LastInvoiceBefore {
		w.at("/life/last_renewal_before", "a card is taken at least as long as an invoice")
	}
	if len(l.Reminders) == 0 {
		w.at("/life/reminders", "nobody is revoked without a reminder")
		return
	}
	if l.Reminders[0] > grace {
		w.at("/life/reminders/0", "the reminder would come before the end of the term")
	}
	if l.SuspensionDays <= l.Reminders[0] {
		w.at("/life/suspension_days", "the first reminder would come before the suspension: at least %d days", l.Reminders[0]+1)
	}
	for i := 1; i < len(l.Reminders); i++ {
		if l.Reminders[i] >= l.Reminders[i-1] {
			w.at(fmt.Sprintf("/life/reminders/%d", i), "reminders come closer and closer to the revocation: each number is smaller than the one before")
		}
	}
}

func (p Policy) checkInvoice(w *wrongs) {
	if p.Invoice.ReminderBefore > p.Invoice.DueDays {
		w.at("/invoice/reminder_before", "the reminder would come before the invoice")
	}
	if p.Invoice.ReminderAfter > p.Invoice.VoidAfter {
		w.at("/invoice/reminder_after", "the invoice would be void before its last reminder")
	}
}

func (p Policy) checkShipping(w *wrongs) {
	if p.Shipping.PromiseFrom > p.Shipping.PromiseTo {
		w.at("/shipping/promise_to", "the promise would end before it begins")
	}
}

func (p Policy) checkSession(w *wrongs) {
	if p.Session.TriesPerUserAnywhere < p.Session.TriesPerUser {
		w.at("/session/tries_per_user_anywhere", "a stranger would lock the person out")
	}
}

func (p Policy) checkRefund(w *wrongs) {
	if p.Refund.ReturnReminder > p.Refund.ReturnDays {
		w.at("/refund/return_reminder", "the reminder would come before the request")
	}
}
