package smtp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/activities/gateway/mail/mailtest"
	"tokendesk/activities/gateway/mail/smtp"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
	"tokendesk/models"
)

// ORD-6, OPS-2: over plain SMTP, as in development.
func TestContractPlain(t *testing.T) {
	mailtest.Run(t, func(t *testing.T) mailtest.Subject {
		return open(t, mailbox.Config{}, smtp.Config{TLS: smtp.Plain})
	})
}

// ORD-6, OPS-2: with STARTTLS and a login, as in production.
func TestContractMandatoryTLSAndLogin(t *testing.T) {
	certificate, trust := certificates(t)
	mailtest.Run(t, func(t *testing.T) mailtest.Subject {
		return open(t,
			mailbox.Config{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}, User: "tokendesk", Password: "right"},
			smtp.Config{TLS: smtp.Mandatory, Trust: trust, User: "tokendesk", Password: "right"})
	})
}

// ORD-6, OPS-2: with TLS from the first byte.
func TestContractImplicitTLS(t *testing.T) {
	certificate, trust := certificates(t)
	mailtest.Run(t, func(t *testing.T) mailtest.Subject {
		store := newStore(t)
		box := newMailbox(t, store, mailbox.Config{})
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
		if err != nil {
			t.Fatal(err)
		}
		port := serve(t, box, listener)
		return subject(t, store, box, smtp.Config{TLS: smtp.Implicit, Trust: trust, Port: port})
	})
}

// A set-up that is wrong never loses a mail, and never gives a password away.
func TestSetUpTrouble(t *testing.T) {
	certificate, trust := certificates(t)
	secured := mailbox.Config{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}, User: "tokendesk", Password: "right"}
	cases := []struct {
		name   string
		server mailbox.Config
		client smtp.Config
	}{
		{"wrong password", secured, smtp.Config{TLS: smtp.Mandatory, Trust: trust, User: "tokendesk", Password: "wr0ng"}},
		{"no login", secured, smtp.Config{TLS: smtp.Mandatory, Trust: trust}},
		{"untrusted certificate", secured, smtp.Config{TLS: smtp.Mandatory, User: "tokendesk", Password: "wr0ng"}},
		{"no STARTTLS there", mailbox.Config{}, smtp.Config{TLS: smtp.Mandatory}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, c.server, c.client)
			err := s.Sender.Send(t.Context(), mailtest.Example("m1"))
			if !errors.Is(err, models.ServiceDown) {
				t.Fatalf("want unavailable, got %v", err)
			}
			if strings.Contains(err.Error(), "wr0ng") {
				t.Fatalf("the error holds the password: %v", err)
			}
		})
	}
}

// A server that went away while a connection was idle costs no mail.
func TestServerComesBack(t *testing.T) {
	store := newStore(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	first := newMailbox(t, store, mailbox.Config{})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- first.Serve(ctx, listener) }()
	s := subject(t, store, first, smtp.Config{TLS: smtp.Plain, Port: listener.Addr().(*net.TCPAddr).Port})
	if err := s.Sender.Send(t.Context(), mailtest.Example("m1")); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := s.Sender.Send(t.Context(), mailtest.Example("m2")); !errors.Is(err, models.ServiceDown) {
		t.Fatalf("want unavailable, got %v", err)
	}
	listener, err = net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, newMailbox(t, store, mailbox.Config{}), listener)
	if err := s.Sender.Send(t.Context(), mailtest.Example("m2")); err != nil {
		t.Fatal(err)
	}
	mails, err := first.List(t.Context(), mailbox.Filter{})
	if err != nil || len(mails) != 2 {
		t.Fatalf("want two mails, got %d, %v", len(mails), err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, config := range map[string]smtp.Config{
		"policy":    {Host: "127.0.0.1", Port: 25, TLS: "perhaps"},
		"mechanism": {Host: "127.0.0.1", Port: 25, Auth: "whisper"},
		"port":      {Host: "127.0.0.1", Port: 70_000},
		"host":      {Port: 25},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := smtp.New(config); err == nil {
				t.Fatal("accepted")
			}
		})
	}
}

func newStore(t *testing.T) *sandbox.Store {
	t.Helper()
	store, err := sandbox.Open(t.Context(), testpg.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func newMailbox(t *testing.T, store *sandbox.Store, config mailbox.Config) *mailbox.Mailbox {
	t.Helper()
	box, err := mailbox.New(t.Context(), store, config)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// serve runs the mailbox until the test ends, and returns its port.
func serve(t *testing.T, box *mailbox.Mailbox, listener net.Listener) int {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- box.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return listener.Addr().(*net.TCPAddr).Port
}

func open(t *testing.T, server mailbox.Config, client smtp.Config) mailtest.Subject {
	t.Helper()
	store := newStore(t)
	box := newMailbox(t, store, server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client.Port = serve(t, box, listener)
	return subject(t, store, box, client)
}

func subject(t *testing.T, store *sandbox.Store, box *mailbox.Mailbox, client smtp.Config) mailtest.Subject {
	t.Helper()
	client.Host = "127.0.0.1"
	sender, err := smtp.New(client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	return mailtest.Subject{Sender: sender, Mailbox: box, Disturb: func(t *testing.T, order sandbox.Order) {
		t.Helper()
		if _, err := store.Give(t.Context(), sandbox.Mailbox, order); err != nil {
			t.Fatal(err)
		}
	}}
}

// certificates makes a server's certificate for 127.0.0.1, and a client's trust in it.
func certificates(t *testing.T) (tls.Certificate, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, &tls.Config{RootCAs: pool}
}
