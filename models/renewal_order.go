package models

// CancelRevoked is the reason of the lifecycle itself: everything that was ordered is for credentials that are revoked meanwhile.
const CancelRevoked CancelReason = "credential_revoked"

// Lapse reports whether it is the lifecycle that gives the order up, and nobody's command.
func (r CancelReason) Lapse() bool { return r == CancelUnpaid || r == CancelRevoked }

// OrderLapses is when an unpaid order becomes pointless, because everything in it is for credentials that are revoked then.
const OrderLapses MilestoneName = "order_lapses"

// Credentials are those that lines of the order are to change.
func (n NewOrder) Credentials() (ids []string) {
	for _, line := range n.Lines {
		if line.CredentialID != "" {
			ids = append(ids, line.CredentialID)
		}
	}
	return ids
}

// Fits says why a product that changes a credential cannot be bought for this one, in plain words; empty: it can. bought is the
// product that the credential was bought as.
func (p Product) Fits(c Credential, bought Product) string {
	switch {
	case p.BaseKind == nil || *p.BaseKind != c.Kind:
		return "the product is for another kind of credential"
	case p.Kind == Renewal && p.Proofing && !bought.Proofing:
		return "the product renews credentials with identity proofing"
	case p.Kind == Renewal && !p.Proofing && bought.Proofing:
		return "the product renews credentials without identity proofing"
	}
	return ""
}
