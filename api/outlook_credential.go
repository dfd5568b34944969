package api

import (
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
)

// credentialOutlook says whose turn it is with a credential. awaited is the shipment of the token that is to be registered, if there is one.
func credentialOutlook(st models.Standing, awaited *models.Shipment, at time.Time) outlook {
	c := st.Credential
	switch st.Displayed(at) {
	case models.ShownPendingApproval:
		return outlook{gen.WaitingOnStaff, "the approval by the organization's administrator"}
	case models.ShownPendingActivation:
		if c.Phase == models.PendingProofing {
			return outlook{gen.WaitingOnHolder, "the proofing of the holder's identity"}
		}
		if awaited != nil && !models.ShipmentMachine.Ends(awaited.Status) {
			o := shipmentOutlook(*awaited)
			return outlook{o.on, "the token that is to be registered, shipment " + awaited.ID + ": " + o.what}
		}
		return outlook{gen.WaitingOnHolder, "the registration of an authenticator: the serial number of the token and two consecutive codes"}
	case models.ShownActive:
		return outlook{gen.WaitingOnTime, "nothing: the credential is in use"}
	case models.ShownLocked:
		if st.NeedsReset {
			return outlook{gen.WaitingOnStaff, "support to reset the token, which was resynchronized with too many wrong codes"}
		}
		return outlook{gen.WaitingOnHolder, "the token to be resynchronized: it is locked after too many wrong codes"}
	case models.ShownSuspended:
		return suspendedOutlook(st, at)
	case models.ShownExpired:
		return overOutlook(st, at, "the renewal: the term has ended")
	}
	return outlook{gen.WaitingOnNobody, "nothing more happens: the credential is revoked for good"}
}

// suspendedOutlook is about a suspension by command, by time, or by both: then nothing but a renewal helps first.
func suspendedOutlook(st models.Standing, at time.Time) outlook {
	c, over := st.Credential, !at.Before(st.Credential.ExpiresAt)
	admin := c.SuspendedBy != nil && *c.SuspendedBy == models.ByAdministrator
	switch {
	case c.ReviewSince != nil:
		return outlook{gen.WaitingOnStaff, "a person's review: no reminder of the revocation could be delivered"}
	case over && admin:
		return overOutlook(st, at, "the renewal, since the term has ended, and an administrator to re-enable the credential")
	case over && c.SuspendedBy != nil:
		return overOutlook(st, at, "the renewal, since the term has ended, and the credential to be re-enabled")
	case admin:
		return outlook{gen.WaitingOnAdministrator, "the credential to be re-enabled by an administrator"}
	case c.SuspendedBy != nil:
		return outlook{gen.WaitingOnHolder, "the credential to be re-enabled"}
	}
	return overOutlook(st, at, "the renewal: the term has ended, and the revocation comes close")
}

// overOutlook is about a term that has ended: the holder renews as long as that is possible.
func overOutlook(st models.Standing, at time.Time, what string) outlook {
	if !st.Window.Open(at) {
		return outlook{gen.WaitingOnTime, "the revocation: the last moment to renew has passed"}
	}
	return outlook{gen.WaitingOnHolder, what}
}
