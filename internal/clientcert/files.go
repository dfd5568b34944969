package clientcert

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// followed is what was read from files, read again whenever one of them changes. What cannot be read leaves the value that was: a
// revocation list then grows stale by itself.
type followed[T any] struct {
	paths []string
	read  func(contents [][]byte) (T, error)

	mu     sync.Mutex
	stamps []os.FileInfo // as they were then
	value  T
}

func follow[T any](read func([][]byte) (T, error), paths ...string) (*followed[T], error) {
	f := &followed[T]{paths: paths, read: read}
	stamps, err := f.look()
	if err != nil {
		return nil, err
	}
	return f, f.load(stamps)
}

func (f *followed[T]) look() (stamps []os.FileInfo, err error) {
	for _, path := range f.paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("clientcert: %w", err)
		}
		stamps = append(stamps, info)
	}
	return stamps, nil
}

func (f *followed[T]) load(stamps []os.FileInfo) error {
	contents := make([][]byte, len(f.paths))
	for i, path := range f.paths {
		var err error
		if contents[i], err = os.ReadFile(path); err != nil {
			return fmt.Errorf("clientcert: %w", err)
		}
	}
	value, err := f.read(contents)
	if err != nil {
		return fmt.Errorf("clientcert: %s: %w", f.paths[0], err)
	}
	f.value, f.stamps = value, stamps
	return nil
}

// current is the newest value that could be read.
func (f *followed[T]) current() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamps, err := f.look()
	if err == nil && !same(stamps, f.stamps) {
		err = f.load(stamps)
	}
	if err != nil {
		slog.Error("a changed file cannot be read; the old one stands", "error", err)
	}
	return f.value
}

// same reports whether no file was changed, or replaced by another one.
func same(a, b []os.FileInfo) bool {
	for i := range a {
		if !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}

func readCertificates(contents [][]byte) (all []*x509.Certificate, err error) {
	for _, der := range blocks(contents[0], "CERTIFICATE") {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		if !c.IsCA {
			return nil, errors.New("one of its certificates is not an authority's")
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("it has no certificate in PEM")
	}
	return all, nil
}

func readRevocations(contents [][]byte) (all []*x509.RevocationList, err error) {
	lists := blocks(contents[0], "X509 CRL")
	if len(lists) == 0 {
		lists = [][]byte{contents[0]}
	}
	for _, der := range lists {
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, err
		}
		if !complete(l) {
			return nil, errors.New("one of its lists is not a whole one: a delta, or one of some certificates only")
		}
		all = append(all, l)
	}
	return all, nil
}

func blocks(content []byte, kind string) (all [][]byte) {
	for {
		var b *pem.Block
		if b, content = pem.Decode(content); b == nil {
			return all
		}
		if b.Type == kind {
			all = append(all, b.Bytes)
		}
	}
}

// KeyPair is the server's own certificate. Its files are read again when they change.
type KeyPair struct{ pair *followed[*tls.Certificate] }

// OpenKeyPair reads a certificate with its chain and its private key, both in PEM.
func OpenKeyPair(certificateFile, keyFile string) (*KeyPair, error) {
	pair, err := follow(func(contents [][]byte) (*tls.Certificate, error) {
		c, err := tls.X509KeyPair(contents[0], contents[1])
		return &c, err
	}, certificateFile, keyFile)
	return &KeyPair{pair}, err
}

// Certificate is the pair as it is now.
func (k *KeyPair) Certificate() *tls.Certificate { return k.pair.current() }
