package models

import (
	"fmt"
	"path"
	"time"
)

// Bounds of a policy's numbers: generous ones, within which every date that follows can be written down (RFC 3339 has four digits for the year).
const (
	mostDays   = 3650
	mostMonths = 120
	mostCount  = 100_000
	shortMonth = 28 // days
)

// Validate says what is wrong with a policy, one thing at a time; nil: nothing. The fault points at the member.
// Fault: PolicyInvalid.
func (p Policy) Validate() error {
	for _, check := range []func() error{p.validClock, p.validBounds, p.validLife, p.validInvoice, p.validLimits} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func wrongPolicy(pointer, format string, args ...any) error {
	return PolicyInvalid.New(format, args...).At(pointer)
}

func (p Policy) validClock() error {
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "" || p.Zone == "Local" || p.Zone != path.Clean(p.Zone) {
		return wrongPolicy("/zone", "there is no such time zone")
	}
	if _, err := time.Parse("15:04", p.CloseOfDay); err != nil {
		return wrongPolicy("/close_of_business", "it is no time of day such as 17:00")
	}
	return nil
}

// bound is one number and what it may be.
type bound struct {
	pointer     string
	value       int
	least, most int
}

func (p Policy) validBounds() error {
	l, r, s := p.Life, p.Refund, p.Session
	bounds := []bound{
		{"/otp/hotp_look_ahead", p.OTP.HOTPLookAhead, 0, mostCount}, {"/otp/hotp_resync", p.OTP.HOTPResync, 1, mostCount},
		{"/otp/totp_window", p.OTP.TOTPWindow, 0, mostCount}, {"/otp/totp_resync", p.OTP.TOTPResync, 1, mostCount}, {"/otp/lock_after", p.OTP.LockAfter, 1, 100},
		{"/license_key/tries_per_account", p.LicenseKey.TriesPerAccount, 1, mostCount}, {"/license_key/tries_per_address", p.LicenseKey.TriesPerAddress, 1, mostCount},
		{"/license_key/lifetime_months", p.LicenseKey.LifetimeMonths, 1, mostMonths}, {"/license_key/promise_hours", p.LicenseKey.PromiseHours, 1, mostDays},
		{"/invoice/due_days", p.Invoice.DueDays, 1, mostDays}, {"/invoice/reminder_before", p.Invoice.ReminderBefore, 0, mostDays},
		{"/invoice/reminder_after", p.Invoice.ReminderAfter, 0, mostDays}, {"/invoice/void_after", p.Invoice.VoidAfter, 0, mostDays},
		{"/shipping/promise_from", p.Shipping.PromiseFrom, 0, mostDays}, {"/shipping/promise_to", p.Shipping.PromiseTo, 1, mostDays},
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
	for _, b := range bounds {
		if b.value < b.least || b.value > b.most {
			return wrongPolicy(b.pointer, "it must be from %d to %d", b.least, b.most)
		}
	}
	return nil
}

// validLife keeps the steps of a credential's life in their order: the end of the term, the suspension, the reminders, the last invoice,
// the last renewal, the revocation (LIF-1).
func (p Policy) validLife() error {
	l := p.Life
	grace := l.GraceMonths*shortMonth - 1 // days that surely lie between the end of the term and the revocation
	switch {
	case l.SuspendBefore > grace:
		return wrongPolicy("/life/suspend_before", "the suspension would come before the end of the term: at most %d days fit", grace)
	case l.LastInvoiceBefore > grace:
		return wrongPolicy("/life/last_invoice_before", "the last invoice would come before the end of the term")
	case l.LastRenewalBefore > l.LastInvoiceBefore:
		return wrongPolicy("/life/last_renewal_before", "a card is taken at least as long as an invoice")
	case len(l.Reminders) == 0:
		return wrongPolicy("/life/reminders", "nobody is revoked without a reminder")
	case l.Reminders[0] > grace:
		return wrongPolicy("/life/reminders/0", "the reminder would come before the end of the term")
	}
	if l.SuspensionDays <= l.Reminders[0] {
		return wrongPolicy("/life/suspension_days", "the first reminder would come before the suspension: at least %d days", l.Reminders[0]+1)
	}
	for i := 1; i < len(l.Reminders); i++ {
		if l.Reminders[i] >= l.Reminders[i-1] {
			return wrongPolicy(fmt.Sprintf("/life/reminders/%d", i), "reminders come closer and closer to the revocation: each number is smaller than the one before")
		}
	}
	return nil
}

func (p Policy) validInvoice() error {
	switch i := p.Invoice; {
	case i.ReminderBefore > i.DueDays:
		return wrongPolicy("/invoice/reminder_before", "the reminder would come before the invoice")
	case i.ReminderAfter > i.VoidAfter:
		return wrongPolicy("/invoice/reminder_after", "the invoice would be void before its last reminder")
	}
	return nil
}

func (p Policy) validLimits() error {
	switch {
	case p.Shipping.PromiseFrom > p.Shipping.PromiseTo:
		return wrongPolicy("/shipping/promise_to", "the promise would end before it begins")
	case p.Session.TriesPerUserAnywhere < p.Session.TriesPerUser:
		return wrongPolicy("/session/tries_per_user_anywhere", "a stranger would lock the person out")
	case p.Refund.SecondPersonAbove < 0:
		return wrongPolicy("/refund/second_person_above", "it must not be negative")
	case p.Refund.ReturnReminder > p.Refund.ReturnDays:
		return wrongPolicy("/refund/return_reminder", "the reminder would come before the request")
	}
	return nil
}
