// Package smtp sends mail over SMTP.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	gomail "github.com/wneessen/go-mail"

	"tokendesk/activities/gateway/mail"
	"tokendesk/models"
)

// TLS says how a connection is protected.
type TLS string

// The ways to protect a connection.
const (
	Mandatory     TLS = "mandatory"     // STARTTLS, or no mail; the default
	Implicit      TLS = "implicit"      // TLS from the first byte (RFC 8314 §3.3), usually on port 465
	Opportunistic TLS = "opportunistic" // STARTTLS where the server offers it
	Plain         TLS = "none"          // for a server on this machine
)

// Auth is a mechanism to log in to the server.
type Auth string

// The mechanisms. A password never travels without TLS, except to this machine.
const (
	AuthPlain   Auth = "plain" // the default where there is a user
	AuthLogin   Auth = "login"
	AuthCRAMMD5 Auth = "cram-md5"
)

// Config of a Sender.
type Config struct {
	Host     string
	Port     int
	TLS      TLS
	Trust    *tls.Config // certificates other than the system's; may be nil
	User     string      // without one nobody logs in
	Password models.Secret
	Auth     Auth
	Hello    string        // our name in EHLO; the machine's where empty
	Timeout  time.Duration // of connecting, and of one delivery; 8 seconds where zero
	Idle     int           // connections kept open between mails; 8 where zero
}

// Sender sends mails to one server. It is safe for concurrent use.
type Sender struct {
	config Config
	idle   chan *connection
}

var policies = map[TLS]gomail.Option{
	"":            gomail.WithTLSPolicy(gomail.TLSMandatory),
	Mandatory:     gomail.WithTLSPolicy(gomail.TLSMandatory),
	Implicit:      gomail.WithSSL(),
	Opportunistic: gomail.WithTLSPolicy(gomail.TLSOpportunistic),
	Plain:         gomail.WithTLSPolicy(gomail.NoTLS),
}

var mechanisms = map[Auth]gomail.SMTPAuthType{
	"":          gomail.SMTPAuthPlain,
	AuthPlain:   gomail.SMTPAuthPlain,
	AuthLogin:   gomail.SMTPAuthLogin,
	AuthCRAMMD5: gomail.SMTPAuthCramMD5,
}

// New makes a sender. It does not connect yet.
func New(config Config) (*Sender, error) {
	if config.Timeout == 0 {
		config.Timeout = 8 * time.Second
	}
	if config.Idle == 0 {
		config.Idle = 8
	}
	if _, ok := policies[config.TLS]; !ok {
		return nil, fmt.Errorf("smtp: no such TLS policy: %q", config.TLS)
	}
	if _, ok := mechanisms[config.Auth]; !ok {
		return nil, fmt.Errorf("smtp: no such authentication: %q", config.Auth)
	}
	s := &Sender{config: config, idle: make(chan *connection, config.Idle)}
	if _, err := s.newConnection(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the idle connections. A Sender may be used again afterwards.
func (s *Sender) Close() {
	for {
		select {
		case c := <-s.idle:
			c.close()
		default:
			return
		}
	}
}

// Send delivers one mail to the server. See package mail for its faults.
func (s *Sender) Send(ctx context.Context, m mail.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	message, err := compose(m)
	if err != nil {
		return err
	}
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	unwatch := context.AfterFunc(ctx, c.cut)
	err = c.client.SendWithSMTPClient(c.session, message)
	if !unwatch() {
		c.close()
		if !message.IsDelivered() {
			return models.ServiceDown.Because(fmt.Errorf("smtp: send: %w", ctx.Err()))
		}
		return nil
	}
	if message.IsDelivered() { // whatever went wrong after the server took it
		s.keep(c, err == nil)
		return nil
	}
	fault, answered := classify(err)
	s.keep(c, answered && c.session.Reset() == nil)
	return fault
}

// connect takes an idle connection that is still alive, or makes a new one.
func (s *Sender) connect(ctx context.Context) (*connection, error) {
	for {
		select {
		case c := <-s.idle:
			if c.alive(s.config.Timeout) {
				return c, nil
			}
			c.close()
			continue
		default:
		}
		c, err := s.newConnection()
		if err != nil {
			return nil, models.ServiceDown.Because(err)
		}
		if err := c.dial(ctx); err != nil {
			return nil, models.ServiceDown.Because(err)
		}
		return c, nil
	}
}

// keep puts a connection back that is in a known state, and closes others.
func (s *Sender) keep(c *connection, healthy bool) {
	if !healthy {
		c.close()
		return
	}
	select {
	case s.idle <- c:
	default:
		c.close()
	}
}

// classify gives an SMTP failure its meaning (RFC 5321 §4.2.1), and says whether the server did answer. Its text stays
// out: servers like to quote the address.
func classify(err error) (fault error, answered bool) {
	var e *gomail.SendError
	if !errors.As(err, &e) {
		return models.ServiceDown.Because(errors.New("smtp: the mail was not accepted")), false
	}
	cause := fmt.Errorf("smtp: %s: %w", e.Reason, mail.NewReply(e.ErrorCode(), e.EnhancedStatusCode()))
	answered = e.ErrorCode() != 0 && e.ErrorCode() != 421
	if refusedForGood(e) {
		return mail.Undeliverable.Because(cause), answered
	}
	return models.ServiceDown.Because(cause), answered
}

// refusedForGood tells what is wrong with this mail from what is wrong with our set-up: a server that does not let
// us in, or does not know our sender, will after someone has put that right.
func refusedForGood(e *gomail.SendError) bool {
	code := e.ErrorCode()
	if code < 500 {
		return false
	}
	const authRequired, authFailed, tooBig = 530, 535, 552
	switch e.Reason {
	case gomail.ErrSMTPMailFrom:
		return code == tooBig
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose, gomail.ErrWriteContent:
		return code != authRequired && code != authFailed
	default:
		return false
	}
}

// address is the server's.
func (c Config) address() string { return net.JoinHostPort(c.Host, fmt.Sprint(c.Port)) }
