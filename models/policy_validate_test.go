package models_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"tokendesk/models"
)

// LIF-1: a policy that would put the steps of a life out of order, or that cannot be, is refused with a pointer at what is wrong.
func TestPolicyValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*models.Policy)
		pointer string
	}{
		"the default policy": {func(*models.Policy) {}, ""},
		"other numbers in order": {func(p *models.Policy) {
			p.Life.GraceMonths, p.Life.SuspendBefore, p.Life.SuspensionDays, p.Life.Reminders = 6, 90, 61, []int{60, 7, 1}
		}, ""},
		"reminders before the suspension":         {func(p *models.Policy) { p.Life.SuspensionDays = 30 }, "/life/suspension_days"},
		"a zone spelt as a path":                  {func(p *models.Policy) { p.Zone = "././UTC" }, "/zone"},
		"an unknown zone":                         {func(p *models.Policy) { p.Zone = "Europe/Atlantis" }, "/zone"},
		"the machine's own zone":                  {func(p *models.Policy) { p.Zone = "Local" }, "/zone"},
		"no zone":                                 {func(p *models.Policy) { p.Zone = "" }, "/zone"},
		"business that never closes":              {func(p *models.Policy) { p.CloseOfDay = "25:00" }, "/close_of_business"},
		"negative days":                           {func(p *models.Policy) { p.Life.NoticeBefore = -1 }, "/life/notice_before"},
		"no grace":                                {func(p *models.Policy) { p.Life.GraceMonths = 0 }, "/life/grace_months"},
		"more years than four digits":             {func(p *models.Policy) { p.Life.GraceMonths = 100_000 }, "/life/grace_months"},
		"suspended before the term ends":          {func(p *models.Policy) { p.Life.GraceMonths = 2 }, "/life/suspend_before"},
		"a reminder on the day of the revocation": {func(p *models.Policy) { p.Life.Reminders = []int{30, 0} }, "/life/reminders/1"},
		"a reminder after the revocation":         {func(p *models.Policy) { p.Life.Reminders = []int{30, -3} }, "/life/reminders/1"},
		"reminders out of order":                  {func(p *models.Policy) { p.Life.Reminders = []int{3, 15} }, "/life/reminders/1"},
		"a reminder twice":                        {func(p *models.Policy) { p.Life.Reminders = []int{15, 15} }, "/life/reminders/1"},
		"a reminder before the term ends":         {func(p *models.Policy) { p.Life.Reminders = []int{400, 15} }, "/life/reminders/0"},
		"no reminder":                             {func(p *models.Policy) { p.Life.Reminders = nil }, "/life/reminders"},
		"a card refused before an invoice":        {func(p *models.Policy) { p.Life.LastRenewalBefore = 9 }, "/life/last_renewal_before"},
		"no last invoice within the grace":        {func(p *models.Policy) { p.Life.LastInvoiceBefore = 360 }, "/life/last_invoice_before"},
		"a reminder before the invoice":           {func(p *models.Policy) { p.Invoice.ReminderBefore = 31 }, "/invoice/reminder_before"},
		"void before the last reminder":           {func(p *models.Policy) { p.Invoice.VoidAfter = 3 }, "/invoice/reminder_after"},
		"a promise that ends before it begins":    {func(p *models.Policy) { p.Shipping.PromiseFrom = 6 }, "/shipping/promise_to"},
		"never missing":                           {func(p *models.Policy) { p.Shipping.MissingAfter = 0 }, "/shipping/missing_after"},
		"more tries than the standard allows":     {func(p *models.Policy) { p.OTP.LockAfter = 101 }, "/otp/lock_after"},
		"a stranger locks a person out":           {func(p *models.Policy) { p.Session.TriesPerUserAnywhere = 5 }, "/session/tries_per_user_anywhere"},
		"a negative limit":                        {func(p *models.Policy) { p.Refund.SecondPersonAbove = -1 }, "/refund/second_person_above"},
		"a reminder before the request":           {func(p *models.Policy) { p.Refund.ReturnReminder = 31 }, "/refund/return_reminder"},
		"a code that lapses at once":              {func(p *models.Policy) { p.Proofing.PostCodeDays = 0 }, "/proofing/post_code_days"},
		"a reminder before there is a code":       {func(p *models.Policy) { p.Proofing.PostCodeDays = 10 }, "/proofing/code_reminders/0"},
		"a reminder after its deadline":           {func(p *models.Policy) { p.Proofing.RegistrationReminders = []int{7, 7} }, "/proofing/registration_reminders/1"},
		"nudges out of order":                     {func(p *models.Policy) { p.Proofing.Nudges = []int{14, 3} }, "/proofing/nudges/1"},
		"an unknown rule of review":               {func(p *models.Policy) { p.Proofing.Review = "sometimes" }, "/proofing/review"},
		"slots that nobody may take":              {func(p *models.Policy) { p.Proofing.Appointment.NoticeHours = 24 * 30 }, "/proofing/appointment/notice_hours"},
	} {
		t.Run(name, func(t *testing.T) {
			p := models.DefaultPolicy()
			c.change(&p)
			err := p.Validate()
			if c.pointer == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if f := models.FaultOf(err); !errors.Is(err, models.PolicyInvalid) || f.Field != c.pointer || f.Detail == "" {
				t.Errorf("%v at %q, want %s", err, f.Field, c.pointer)
			}
		})
	}
}

// Everything that is wrong is said at once, and nothing that only follows from another mistake of the same part.
func TestPolicyValidateSaysEverything(t *testing.T) {
	p := models.DefaultPolicy()
	p.Zone, p.Life.GraceMonths, p.Life.ReviewDays = "Europe/Atlantis", 0, -1 // no grace, so that everything would come before the end of the term
	p.Invoice.ReminderBefore, p.Invoice.VoidAfter = 31, 3
	var got []string
	for _, f := range models.FaultsOf(fmt.Errorf("publish: %w", p.Validate())) {
		got = append(got, f.Field)
	}
	want := []string{"/invoice/reminder_after", "/invoice/reminder_before", "/life/grace_months", "/life/review_days", "/zone"}
	if !slices.Equal(got, want) {
		t.Errorf("wrong are %v, want %v", got, want)
	}
}
