package devca

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// Pair is where a certificate and its key are, both in PEM.
type Pair struct{ CertificateFile, KeyFile string }

func pairAt(base string) Pair { return Pair{base + ".pem", base + "-key.pem"} }

// Server keeps a certificate for the server under these names and addresses.
func (ca *CA) Server(hosts []string, at time.Time) (Pair, error) {
	return ca.keep("server", Template{Hosts: hosts, Uses: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: at.Add(-time.Hour), NotAfter: at.AddDate(0, 0, certificateDays)}, at)
}

// Agent keeps a certificate for an agent. One that was revoked or ends soon is replaced.
func (ca *CA) Agent(agentID string, at time.Time) (Pair, error) {
	return ca.keep(agentPath(agentID), AgentTemplate(agentID, at), at)
}

func agentPath(agentID string) string { return filepath.Join("agents", filepath.Base(agentID)) }

func (ca *CA) keep(name string, t Template, at time.Time) (Pair, error) {
	pair := pairAt(ca.path(name))
	old, err := tls.LoadX509KeyPair(pair.CertificateFile, pair.KeyFile)
	if err == nil && old.Leaf.NotAfter.After(at.Add(renewBefore)) && old.Leaf.CheckSignatureFrom(ca.Certificate) == nil {
		revoked, err := ca.revoked()
		if _, ended := revoked[old.Leaf.SerialNumber.Text(16)]; err != nil || !ended {
			return pair, err
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pair, fmt.Errorf("devca: open a certificate: %w", err)
	}
	issued, err := ca.Issue(t)
	if err != nil {
		return pair, err
	}
	return pair, savePair(ca.path(name), issued.Certificate, issued.PrivateKey.(crypto.Signer))
}

// RevokeAgent revokes the certificate that is kept for an agent, and signs the list anew.
func (ca *CA) RevokeAgent(agentID string, at time.Time) error {
	pair := pairAt(ca.path(agentPath(agentID)))
	c, err := tls.LoadX509KeyPair(pair.CertificateFile, pair.KeyFile)
	if err != nil {
		return fmt.Errorf("devca: open the agent's certificate: %w", err)
	}
	return ca.Revoke(c.Leaf.SerialNumber, at)
}

// Revoke puts a certificate on the list, and signs it anew.
func (ca *CA) Revoke(serial *big.Int, at time.Time) error {
	all, err := ca.revoked()
	if err != nil {
		return err
	}
	all[serial.Text(16)] = at
	content, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("devca: write the revocations: %w", err)
	}
	if err := save(ca.path("revoked.json"), content); err != nil {
		return err
	}
	_, err = ca.SignList(at)
	return err
}

// revoked are the serial numbers, in hexadecimal, with when they were revoked.
func (ca *CA) revoked() (map[string]time.Time, error) {
	all := map[string]time.Time{}
	content, err := os.ReadFile(ca.path("revoked.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("devca: read the revocations: %w", err)
	}
	return all, nil
}

// SignList signs the revocation list of this moment and returns its file. It is good for some weeks, from when on nobody enters.
func (ca *CA) SignList(at time.Time) (string, error) {
	file := ca.path("crl.pem")
	all, err := ca.revoked()
	if err != nil {
		return file, err
	}
	list := &x509.RevocationList{Number: big.NewInt(at.UnixMilli()), ThisUpdate: at, NextUpdate: at.AddDate(0, 0, listDays)}
	for text, since := range all {
		serial, ok := new(big.Int).SetString(text, 16)
		if !ok {
			return file, fmt.Errorf("devca: %q is no serial number", text)
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: since})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.Certificate, ca.key)
	if err != nil {
		return file, fmt.Errorf("devca: sign the revocation list: %w", err)
	}
	return file, save(file, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func savePair(base string, chain [][]byte, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("devca: write a key: %w", err)
	}
	var text []byte
	for _, c := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	pair := pairAt(base)
	if err := save(pair.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return err
	}
	return save(pair.CertificateFile, text)
}

// save replaces a file as a whole, so that nobody reads half of it.
func save(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("devca: make a directory: %w", err)
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return fmt.Errorf("devca: write a file: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("devca: write a file: %w", err)
	}
	return nil
}
