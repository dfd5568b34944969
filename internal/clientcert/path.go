package clientcert

import (
	"crypto/x509"
	"encoding/asn1"
	"time"
)

// Object identifiers of RFC 5280, sections 4.2.1.4 and 5.2.
var (
	anyPolicy      = asn1.ObjectIdentifier{2, 5, 29, 32, 0}
	authorityKeyID = asn1.ObjectIdentifier{2, 5, 29, 35}
	crlNumber      = asn1.ObjectIdentifier{2, 5, 29, 20}
)

const skew = 5 * time.Minute // at most, between our clock and an authority's

// assertedBy reports whether a policy holds along a path: the agent's certificate names it, and every authority below the trusted one
// names it or any. Policy mappings are not followed: the allow-list names what the certificates say.
func assertedBy(policy x509.OID, path []*x509.Certificate) bool {
	for i, c := range path {
		if !names(c, policy) && (i == 0 || !namesAny(c)) {
			return false
		}
	}
	return len(path) > 0
}

func names(c *x509.Certificate, policy x509.OID) bool {
	for _, p := range c.Policies {
		if p.Equal(policy) {
			return true
		}
	}
	return false
}

func namesAny(c *x509.Certificate) bool {
	for _, p := range c.Policies {
		if p.EqualASN1OID(anyPolicy) {
			return true
		}
	}
	return false
}

// notRevoked looks a certificate up in its issuer's newest list. Without a fresh list nobody knows, so nobody enters.
func notRevoked(c, issuer *x509.Certificate, lists []*x509.RevocationList, at time.Time) error {
	list := newest(issuer, lists)
	switch {
	case list == nil:
		return refuse("there is no revocation list of its authority")
	case list.NextUpdate.IsZero() || !at.Before(list.NextUpdate) || at.Add(skew).Before(list.ThisUpdate):
		return refuse("the revocation list of its authority is stale")
	}
	for _, e := range list.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
			return refuse("it is revoked")
		}
	}
	return nil
}

// newest is the latest list that an authority has signed; nil: none.
func newest(issuer *x509.Certificate, lists []*x509.RevocationList) (found *x509.RevocationList) {
	for _, l := range lists {
		if string(l.RawIssuer) != string(issuer.RawSubject) || l.CheckSignatureFrom(issuer) != nil {
			continue
		}
		if found == nil || l.ThisUpdate.After(found.ThisUpdate) {
			found = l
		}
	}
	return found
}

// complete reports whether a list speaks of all certificates of its authority. What is critical and not known here may limit it
// (RFC 5280, sections 5.2 and 5.3).
func complete(l *x509.RevocationList) bool {
	for _, e := range l.Extensions {
		if e.Critical && !e.Id.Equal(authorityKeyID) && !e.Id.Equal(crlNumber) {
			return false
		}
	}
	for _, entry := range l.RevokedCertificateEntries {
		for _, e := range entry.Extensions {
			if e.Critical {
				return false
			}
		}
	}
	return true
}

func pool(certificates []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certificates {
		p.AddCert(c)
	}
	return p
}
