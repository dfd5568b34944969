package models

import "time"

// CredentialAction is what a person can do with a credential.
type CredentialAction string

// The actions on a credential.
const (
	ActionApprove       CredentialAction = "approve"
	ActionProof         CredentialAction = "proof"
	ActionRegisterToken CredentialAction = "register_token"
	ActionResync        CredentialAction = "resync"
	ActionSuspend       CredentialAction = "suspend"
	ActionReenable      CredentialAction = "re_enable"
	ActionRenew         CredentialAction = "renew"
	ActionReplace       CredentialAction = "replace"
	ActionRevoke        CredentialAction = "revoke"
	ActionUpgrade       CredentialAction = "upgrade_proofing" // (PRF-10)
)

// Suspender says in whose name a suspension or revocation is commanded.
type Suspender string

// Who suspends.
const (
	BySubscriber    Suspender = "person"
	ByAdministrator Suspender = "administrator" // of the organization, or staff
)

// RevokeReason says why something was revoked; a code, so that no personal data enters the engine.
type RevokeReason string

// The reasons for a revocation.
const (
	RevokeStolen      RevokeReason = "stolen"
	RevokeLost        RevokeReason = "lost"
	RevokeDamaged     RevokeReason = "damaged"
	RevokeCompromised RevokeReason = "compromised"
	RevokeNotNeeded   RevokeReason = "no_longer_needed"
	RevokeOther       RevokeReason = "other"
	RevokeRefunded    RevokeReason = "refunded" // its line was credited (ORD-5)
	RevokeByTime      RevokeReason = "time"     // the lifecycle itself (LIF-1)
)

// Commanded reports whether a person may give the reason.
func (r RevokeReason) Commanded() bool {
	switch r {
	case RevokeStolen, RevokeLost, RevokeDamaged, RevokeCompromised, RevokeNotNeeded, RevokeOther:
		return true
	}
	return false
}

// Revocation asks to revoke an authenticator of a credential, or the whole credential.
type Revocation struct {
	CredentialID    string
	AuthenticatorID string // empty: the credential with everything bound to it
	Reason          RevokeReason
	By              Suspender
}

// ReplacementReason says why a token is replaced (MGT-6).
type ReplacementReason string

// The reasons for a replacement.
const (
	ReplaceErr         ReplacementReason = "err_display" // the display shows Err
	ReplaceUnreadable  ReplacementReason = "unreadable"
	ReplaceDeadBattery ReplacementReason = "dead_battery"
	ReplaceLost        ReplacementReason = "lost"
	ReplaceStolen      ReplacementReason = "stolen"
	ReplaceDamaged     ReplacementReason = "damaged"
)

// Warranted reports whether the warranty covers the reason.
func (r ReplacementReason) Warranted() bool {
	return r == ReplaceErr || r == ReplaceUnreadable || r == ReplaceDeadBattery
}

// Valid reports whether the reason is known.
func (r ReplacementReason) Valid() bool {
	return r.Warranted() || r == ReplaceLost || r == ReplaceStolen || r == ReplaceDamaged
}

// InWarranty reports whether a token bought at a moment is replaced free at another one (MGT-6).
func (p Policy) InWarranty(purchased, at time.Time) bool {
	return at.Before(StartOfDay(purchased, p.Tokens.WarrantyDays+1, p.Location()))
}

// Standing is what decides which actions on a credential are possible.
type Standing struct {
	Credential Credential
	Bound      []Authenticator
	Window     RenewalWindow
	Replacing  bool // a replacement is ordered and its token not registered yet
	Renewing   bool // an order that renews it is not done yet
	Elsewhere  bool // the person's live hardware token is bound to another credential (MGT-5)
	Proofing   bool // the proofing of its holder goes on
	Upgrading  bool // an order to have its holder proofed is not done yet
	LoggedIn   bool // whoever asks is its holder, in a session that was authenticated with it
	NeedsReset bool // its token was resynchronized with too many wrong pairs: support comes first (MGT-2)
}

// Displayed is the displayed status at a moment (MGT-1).
func (s Standing) Displayed(at time.Time) DisplayedStatus {
	return s.Credential.Displayed(AllLocked(s.Bound), at)
}

// Actions lists what somebody can do with a credential at a moment (MGT-1): the person, or an administrator. The API shows it as
// allowed_actions.
func (s Standing) Actions(by Suspender, at time.Time) []CredentialAction {
	c := s.Credential
	if c.Phase == CredentialRevoked {
		return nil
	}
	var out []CredentialAction
	may := func(a CredentialAction, when bool) {
		if when {
			out = append(out, a)
		}
	}
	admin, live := by == ByAdministrator, LiveToken(s.Bound)
	shown := s.Displayed(at)
	may(ActionApprove, c.Phase == PendingApproval && admin)
	usable := shown == ShownPendingActivation || shown == ShownActive || shown == ShownLocked
	may(ActionProof, usable && (c.Phase == PendingProofing || s.Proofing && c.Level == 2))
	may(ActionRegisterToken, usable && s.registers() && live == nil && !s.Elsewhere)
	may(ActionResync, live != nil && !s.NeedsReset && (shown == ShownActive || shown == ShownLocked))
	may(ActionSuspend, c.SuspendedAt == nil || admin && c.SuspendedBy != nil && *c.SuspendedBy == BySubscriber)
	may(ActionReenable, c.SuspendedAt != nil && (admin || *c.SuspendedBy == BySubscriber))
	may(ActionRenew, s.Window.Open(at) && !s.Renewing)
	may(ActionReplace, live != nil && !s.Replacing && at.Before(c.ExpiresAt))
	may(ActionUpgrade, s.LoggedIn && c.Level == 2 && shown == ShownActive && !s.Proofing && !s.Upgrading)
	may(ActionRevoke, true)
	return out
}

// registers reports whether the credential waits for a token: its first one, or the replacement of one that was revoked beside another
// authenticator (PRF-11).
func (s Standing) registers() bool {
	return s.Credential.Phase == PendingRegistration || s.Credential.Phase == CredentialActive && s.Replacing
}

// LiveToken returns the hardware token that is bound and not revoked, nil where there is none.
func LiveToken(bound []Authenticator) *Authenticator {
	for i := range bound {
		if bound[i].Kind == HardwareToken && bound[i].Status != AuthenticatorRevoked {
			return &bound[i]
		}
	}
	return nil
}

// ResetReason says why support resets an authenticator; a code, so that no personal data enters the engine.
type ResetReason string

// The reasons for a reset.
const (
	ResetTooManyTries ResetReason = "too_many_tries"
	ResetOutOfSync    ResetReason = "out_of_sync"
	ResetOther        ResetReason = "other"
)

// Valid reports whether the reason is known.
func (r ResetReason) Valid() bool {
	return r == ResetTooManyTries || r == ResetOutOfSync || r == ResetOther
}
