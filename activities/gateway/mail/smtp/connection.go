package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	gosmtp "github.com/wneessen/go-mail/smtp"

	"tokendesk/activities/gateway/mail"
	"tokendesk/models"
)

// connection is one conversation with the server, used by one mail at a time.
type connection struct {
	client  *gomail.Client
	session *gosmtp.Client

	mu   sync.Mutex
	wire net.Conn
}

func (s *Sender) newConnection() (*connection, error) {
	config := s.config
	c := &connection{}
	trust := &tls.Config{}
	if config.Trust != nil {
		trust = config.Trust.Clone()
	}
	if trust.ServerName == "" {
		trust.ServerName = config.Host
	}
	trust.MinVersion = max(trust.MinVersion, tls.VersionTLS12)
	options := []gomail.Option{
		policies[config.TLS],
		gomail.WithPort(config.Port), gomail.WithTimeout(config.Timeout), gomail.WithTLSConfig(trust),
		gomail.WithoutRset(), gomail.WithoutNoop(), // alive asks, and a failed mail is reset anyway
		gomail.WithDialContextFunc(func(ctx context.Context, network, _ string) (net.Conn, error) {
			var wire net.Conn
			var err error
			if config.TLS == Implicit {
				wire, err = (&tls.Dialer{Config: trust}).DialContext(ctx, network, config.address())
			} else {
				wire, err = (&net.Dialer{}).DialContext(ctx, network, config.address())
			}
			if err != nil {
				return nil, err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.wire = wire
			return wire, nil
		}),
	}
	if config.Hello != "" {
		options = append(options, gomail.WithHELO(config.Hello))
	}
	if config.User != "" {
		options = append(options, gomail.WithSMTPAuth(mechanisms[config.Auth]),
			gomail.WithUsername(config.User), gomail.WithPassword(config.Password.Reveal()))
	}
	var err error
	if c.client, err = gomail.NewClient(config.Host, options...); err != nil {
		return nil, fmt.Errorf("smtp: configuration: %w", err)
	}
	return c, nil
}

func (c *connection) dial(ctx context.Context) error {
	unwatch := context.AfterFunc(ctx, c.cut) // greeting and TLS know only a timeout
	defer unwatch()
	session, err := c.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		c.cut()
		return fmt.Errorf("smtp: connect to %s: %w", c.client.ServerAddr(), err)
	}
	c.session = session
	return nil
}

// alive asks the server whether it still listens: it may have closed an idle connection.
func (c *connection) alive(timeout time.Duration) bool {
	return c.session.UpdateDeadline(timeout) == nil && c.session.Noop() == nil
}

// cut ends a conversation in its middle.
func (c *connection) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wire != nil {
		_ = c.wire.Close() // nothing is lost: the mail will be sent again
	}
}

func (c *connection) close() {
	_ = c.session.UpdateDeadline(time.Second)
	_ = c.session.Quit() // out of courtesy
	c.cut()
}

// compose makes the MIME message (RFC 5322, RFC 2045). Check has already refused what must not get into headers.
func compose(m mail.Message) (*gomail.Msg, error) {
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return nil, err
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil {
		return nil, err
	}
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	message.FromMailAddress(from)
	message.ToMailAddress(to)
	message.Subject(m.Subject)
	message.SetMessageIDWithValue(m.MessageID)
	message.SetDateWithValue(m.Date)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers, please
	message.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		message.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	for _, a := range m.Alternatives {
		message.AddAlternativeString(gomail.ContentType(a.ContentType), a.Content)
	}
	for _, a := range m.Attachments {
		err := message.AttachReader(a.Name, bytes.NewReader(a.Content), gomail.WithFileContentType(gomail.ContentType(a.ContentType)))
		if err != nil {
			return nil, models.InternalFault.Because(fmt.Errorf("smtp: attach a file: %w", err))
		}
	}
	return message, nil
}
