package models

import "time"

// DateChange is a change of state that comes at another moment under another policy.
type DateChange struct {
	Milestone MilestoneName // TermSuspended or CredentialRevokes; the end of a term is no matter of policy
	From, To  time.Time
}

// PolicyEffect is what another policy would do to one credential.
type PolicyEffect struct {
	Status  DisplayedStatus // at the moment, as things are
	Then    DisplayedStatus // at the moment, had the other policy always been in force
	Changes []DateChange
}

// EffectOf compares the dates of a credential's life under the policy that it was bought under with those under another one. ok reports that
// anything would change: what is shown at the moment, or the moment of a change that is still ahead under either policy.
func EffectOf(c Credential, f LifeFacts, pinned, other Policy, pinnedBank, otherBank BankDays, at time.Time) (e PolicyEffect, ok bool) {
	if c.Phase == CredentialRevoked {
		return e, false
	}
	now, then := DatesOf(f, pinned, pinnedBank), DatesOf(f, other, otherBank)
	now.Revocation, then.Revocation = now.End(f), then.End(f)
	e = PolicyEffect{Status: now.shown(c, at), Then: then.shown(c, at)}
	for _, d := range []DateChange{{TermSuspended, now.Suspension, then.Suspension}, {CredentialRevokes, now.Revocation, then.Revocation}} {
		if !d.From.Equal(d.To) && (d.From.After(at) || d.To.After(at) || e.Status != e.Then) {
			e.Changes = append(e.Changes, d)
		}
	}
	return e, len(e.Changes) > 0 || e.Status != e.Then
}

// shown is the displayed status that the dates alone lead to. Locks are not considered: no policy of dates changes them.
func (d LifeDates) shown(c Credential, at time.Time) DisplayedStatus {
	c.TermSuspendedAt = nil
	switch {
	case !at.Before(d.Revocation):
		return ShownRevoked
	case !at.Before(d.Suspension):
		return ShownSuspended
	}
	return c.Displayed(false, at)
}
