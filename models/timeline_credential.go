package models

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// The milestones of a credential (LIF-1). E is the end of its term, R the day of its revocation.
const (
	ExpiryNotice       MilestoneName = "expiry_notice"        // E − 30: renewal opens
	CredentialExpires  MilestoneName = "credential_expires"   // E
	TermSuspended      MilestoneName = "credential_suspended" // R − 60
	RevocationReminder MilestoneName = "revocation_reminder"  // − 30, − 15, − 3
	LastInvoice        MilestoneName = "last_invoice"         // R − 5
	LastRenewal        MilestoneName = "last_renewal"         // R − 1
	RevocationReview   MilestoneName = "revocation_review"    // a person looks, since no reminder arrived (LIF-3)
	CredentialRevokes  MilestoneName = "credential_revoked"   // R
)

// BankDays knows the vendor's bank calendar: when business closes on a day, or on the business day before it.
type BankDays interface {
	CloseOfBusiness(day time.Time) time.Time
}

// LifeFacts is what the life of a credential depends on, besides the policy that it was bought under.
type LifeFacts struct {
	Phase       CredentialPhase
	ExpiresAt   time.Time  // E
	SuspendedAt *time.Time // by a person or an administrator; bounded by the policy's days (LIF-2)
	Undelivered bool       // reminders of the coming revocation were due, and none could be delivered (LIF-3)
	Performed   []string   // keys of the milestones that were performed
}

// LifeDates are the dates that a term and a suspension lead to.
type LifeDates struct {
	Notice      time.Time // E − 30, start of day
	Expiry      time.Time // E
	Suspension  time.Time // R − 60, start of day
	LastInvoice time.Time // end of the fifth day before the last, of R where nothing is earlier
	LastRenewal time.Time // the day before the last, close of business
	Revocation  time.Time // end of R, or of the last day of a suspension by command if that is earlier
	Reviewed    time.Time // the revocation at the latest, where it waits for a person
}

// DatesOf computes the dates of a credential's life in the vendor's zone and calendar (LIF-1, LIF-2).
func DatesOf(f LifeFacts, p Policy, bank BankDays) LifeDates {
	zone := p.Location()
	r := TermEnd(f.ExpiresAt, p.Life.GraceMonths, zone)
	last := StartOfDay(r, 0, zone) // the day whose end brings the revocation
	if f.SuspendedAt != nil {
		if bound := StartOfDay(*f.SuspendedAt, p.Life.SuspensionDays, zone); bound.Before(last) {
			last = bound
		}
	}
	return LifeDates{
		Notice: StartOfDay(f.ExpiresAt, -p.Life.NoticeBefore, zone), Expiry: f.ExpiresAt.In(zone),
		Suspension:  StartOfDay(r, -p.Life.SuspendBefore, zone),
		LastInvoice: StartOfDay(last, 1-p.Life.LastInvoiceBefore, zone), // whichever revocation is near: a renewal must come before it (REN-4)
		LastRenewal: bank.CloseOfBusiness(StartOfDay(last, -p.Life.LastRenewalBefore, zone)),
		Revocation:  StartOfDay(last, 1, zone), Reviewed: StartOfDay(last, 1+p.Life.ReviewDays, zone),
	}
}

// Opens reports whether renewal opens at all before it closes: a suspension by command may lead to the revocation sooner (LIF-2).
func (d LifeDates) Opens() bool { return d.Notice.Before(d.LastRenewal) }

// End is the moment of the revocation, in view of a review (LIF-3).
func (d LifeDates) End(f LifeFacts) time.Time {
	if f.Undelivered {
		return d.Reviewed
	}
	return d.Revocation
}

// CredentialTimeline is what time does to a credential: what is due and not performed yet, and what is still ahead at the moment.
// It is the one place that knows these rules (LIF-1): the lifecycle sleeps on it, the API shows it, the what-if tool runs it against
// another policy. A revoked credential has none.
func CredentialTimeline(f LifeFacts, p Policy, bank BankDays, at time.Time) Timeline {
	if f.Phase == CredentialRevoked {
		return nil
	}
	zone, d := p.Location(), DatesOf(f, p, bank)
	end := d.Revocation
	notice := "an expiry notice is mailed, and renewal opens"
	if !d.Opens() {
		notice = "an expiry notice is mailed"
	}
	t := Timeline{
		milestone(ExpiryNotice, d.Notice, f.ExpiresAt, notice),
		milestone(CredentialExpires, d.Expiry, f.ExpiresAt, "the credential expires: it cannot be used to log in until it is renewed"),
		milestone(TermSuspended, d.Suspension, f.ExpiresAt, "the credential is suspended"),
		{Name: LastInvoice, At: d.LastInvoice, What: "from now on it can be renewed by card only", Passive: true},
		{Name: LastRenewal, At: d.LastRenewal, What: "the last moment to renew", Passive: true},
	}
	for _, days := range p.Life.Reminders {
		m := milestone(RevocationReminder, StartOfDay(end, -1-days, zone), end, fmt.Sprintf("a reminder is mailed: the credential will be revoked in %d days", days))
		m.Key += fmt.Sprintf("/%d", days)
		t = append(t, m)
	}
	if f.Undelivered {
		t = append(t, milestone(RevocationReview, end, end, "no reminder could be delivered: the revocation waits for a person's review"))
		end = d.End(f)
	}
	t = append(t, milestone(CredentialRevokes, end, d.Revocation, "the credential is revoked, for good"))
	t = slices.DeleteFunc(t, func(m Milestone) bool {
		return m.At.After(end) || m.Passive && (!m.At.After(at) || !d.Opens() || m.At.Before(d.Notice)) || slices.Contains(f.Performed, m.Key)
	})
	slices.SortStableFunc(t, func(a, b Milestone) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(lifeOrder[a.Name], lifeOrder[b.Name]))
	})
	return t
}

// lifeOrder is the order of milestones that fall on one moment.
var lifeOrder = map[MilestoneName]int{ExpiryNotice: 0, CredentialExpires: 1, TermSuspended: 2, RevocationReminder: 3, LastInvoice: 4,
	LastRenewal: 5, RevocationReview: 6, CredentialRevokes: 7}

// milestone is one that belongs to a date: the end of a term, or a revocation.
func milestone(name MilestoneName, at, of time.Time, what string) Milestone {
	return Milestone{Name: name, At: at, What: what, Key: string(name) + "/" + of.UTC().Format(time.RFC3339)}
}

// Performable returns what is to be performed at or before the moment.
func (t Timeline) Performable(at time.Time) Timeline {
	return slices.DeleteFunc(slices.Clone(t.Due(at)), func(m Milestone) bool { return m.Passive })
}

// NextPerformed returns the first milestone after the moment at which something is performed.
func (t Timeline) NextPerformed(after time.Time) (Milestone, bool) {
	for _, m := range t {
		if m.At.After(after) && !m.Passive {
			return m, true
		}
	}
	return Milestone{}, false
}
