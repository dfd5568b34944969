package models

import "time"

// MaxFailures is how many failures in a row an authenticator survives at the very most, whatever the policy says
// (LOG-4; NIST SP 800-63B section 5.2.2).
const MaxFailures = 100

// FailuresToLock is after how many failures in a row the authenticator locks: from 1 to MaxFailures.
func (p OTPPolicy) FailuresToLock() int { return min(max(p.LockAfter, 1), MaxFailures) }

// Unusable says why a credential cannot be used to log in at a moment, whoever asks and whatever the code is (LOG-5).
// ok reports that nothing stands against it. Whether an authenticator is locked is not considered.
func (c Credential) Unusable(at time.Time) (reason VerificationResult, ok bool) {
	switch c.Displayed(false, at) {
	case ShownActive:
		return "", true
	case ShownSuspended:
		return ResultSuspended, false
	case ShownExpired:
		return ResultExpired, false
	case ShownPendingApproval:
		return ResultPendingApproval, false
	case ShownPendingActivation:
		return ResultPending, false
	}
	return ResultRevoked, false
}

// Next names the holder's next step after a refusal (LOG-8), in words that a relying application may show. There is none for a
// wrong code, which tells nothing of what it was tried on, nor for an accepted one.
func (r VerificationResult) Next() string {
	switch r {
	case ResultLocked:
		return "resynchronise the token: log in to Tokendesk with your password and enter two consecutive codes"
	case ResultSuspended:
		return "re-enable the credential if you suspended it yourself, otherwise ask your administrator to"
	case ResultExpired:
		return "renew the credential"
	case ResultPendingApproval:
		return "wait until the credential is approved"
	case ResultPending:
		return "complete the activation: log in to Tokendesk and register the token"
	case ResultRevoked, ResultNotAccepted:
		return "contact support"
	}
	return ""
}

// WhyUnproven is why a credential's code is not accepted, as its holder is told (LOG-8).
func WhyUnproven(c Credential, reason VerificationResult) *Fault {
	switch reason {
	case ResultLocked:
		return TokenLocked.New("")
	case ResultSuspended, ResultExpired:
		switch {
		case c.SuspendedBy != nil && *c.SuspendedBy == ByAdministrator:
			return SuspendedByAdministrator.New("")
		case c.SuspendedBy != nil:
			return SuspendedByHolder.New("")
		case c.TermSuspendedAt != nil:
			return SuspendedByTime.New("")
		}
		return CredentialIsExpired.New("")
	case ResultPendingApproval:
		return CredentialNotApproved.New("")
	case ResultPending:
		if c.Phase == PendingProofing {
			return CredentialNotProofed.New("")
		}
		return CredentialNotRegistered.New("")
	}
	if c.Phase == CredentialRevoked {
		return CredentialIsRevoked.New("")
	}
	return NoLiveToken.New("")
}
