// Package devca is a certificate authority for development and for tests: it issues certificates to proofing agents and to the
// server, and signs the list of those that are revoked (PRF-8). Its key lies beside its certificates; nothing that matters may
// trust it.
package devca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"tokendesk/internal/clientcert"
)

// Policy is the certificate policy that agents' certificates are issued under, in the arc for documentation (RFC 5612).
const Policy = "1.3.6.1.4.1.32473.2.1"

// How long what is issued here is good.
const (
	authorityYears  = 10
	certificateDays = 365
	listDays        = 30
	renewBefore     = 30 * 24 * time.Hour
)

// CA is an authority whose files are in a directory.
type CA struct {
	Dir         string
	Certificate *x509.Certificate
	key         crypto.Signer
}

// Open opens the authority of a directory, and makes one where there is none.
func Open(dir string, at time.Time) (*CA, error) {
	ca := &CA{Dir: dir}
	pair, err := tls.LoadX509KeyPair(ca.path("ca.pem"), ca.path("ca-key.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return ca, ca.create(at)
	}
	if err != nil {
		return nil, fmt.Errorf("devca: open the authority: %w", err)
	}
	ca.Certificate, ca.key = pair.Leaf, pair.PrivateKey.(crypto.Signer)
	return ca, nil
}

func (ca *CA) path(name string) string { return filepath.Join(ca.Dir, name) }

// CAFile is where the authority's certificate is.
func (ca *CA) CAFile() string { return ca.path("ca.pem") }

func (ca *CA) create(at time.Time) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: newSerial(), Subject: pkix.Name{CommonName: "Tokendesk development CA"}, NotBefore: at.Add(-time.Hour),
		NotAfter: at.AddDate(authorityYears, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("devca: sign the authority's certificate: %w", err)
	}
	if ca.Certificate, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("devca: read the authority's certificate: %w", err)
	}
	ca.key = key
	return savePair(ca.path("ca"), [][]byte{der}, key)
}

// Template says what a certificate is to say.
type Template struct {
	AgentIDs            []string // usually one
	Policies            []string
	Uses                []x509.ExtKeyUsage
	Hosts               []string // names and addresses, of a server
	CA                  bool     // of an authority below this one
	NotBefore, NotAfter time.Time
}

// AgentTemplate is what an agent's certificate says.
func AgentTemplate(agentID string, at time.Time) Template {
	return Template{AgentIDs: []string{agentID}, Policies: []string{Policy}, Uses: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore: at.Add(-time.Hour), NotAfter: at.AddDate(0, 0, certificateDays)}
}

// Issue makes a key and a certificate for it, whatever the template says: tests ask for wrong ones too.
func (ca *CA) Issue(t Template) (tls.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	c := &x509.Certificate{SerialNumber: newSerial(), Subject: pkix.Name{CommonName: "Tokendesk development"}, NotBefore: t.NotBefore, NotAfter: t.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: t.Uses, BasicConstraintsValid: true}
	if t.CA {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		c.Subject.CommonName += " " + c.SerialNumber.Text(16)
	}
	for _, id := range t.AgentIDs {
		c.URIs = append(c.URIs, &url.URL{Scheme: "urn", Opaque: clientcert.URI[len("urn:"):] + id})
	}
	for _, text := range t.Policies {
		oid, err := x509.ParseOID(text)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("devca: policy %q: %w", text, err)
		}
		c.Policies = append(c.Policies, oid)
	}
	for _, host := range t.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca.Certificate, key.Public(), ca.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("devca: sign a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// Below is an authority that this one vouches for, under policies. It keeps its files in a directory of its own.
func (ca *CA) Below(dir string, policies []string, at time.Time) (*CA, error) {
	issued, err := ca.Issue(Template{CA: true, Policies: policies, NotBefore: at.Add(-time.Hour), NotAfter: at.AddDate(authorityYears, 0, 0)})
	if err != nil {
		return nil, err
	}
	return &CA{Dir: dir, Certificate: issued.Leaf, key: issued.PrivateKey.(crypto.Signer)}, nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("devca: make a key: %w", err)
	}
	return key, nil
}

func newSerial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	b[0] &= 0x7f    // positive, and at most 20 octets (RFC 5280, section 4.1.2.2)
	return new(big.Int).SetBytes(b[:])
}
