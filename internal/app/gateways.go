package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"tokendesk/activities"
	"tokendesk/activities/gateway/carrier/rest"
	carriersim "tokendesk/activities/gateway/carrier/simulator"
	"tokendesk/activities/gateway/mail/events"
	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/activities/gateway/mail/smtp"
	"tokendesk/activities/gateway/meeting"
	paymentsim "tokendesk/activities/gateway/payment/simulator"
	"tokendesk/activities/gateway/payment/stripe"
	"tokendesk/activities/gateway/post"
	"tokendesk/activities/gateway/proofing"
	proofingrest "tokendesk/activities/gateway/proofing/rest"
	proofingsim "tokendesk/activities/gateway/proofing/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/api"
)

// gateways are the outside services, real or simulated.
type gateways struct {
	payments interface {
		activities.Payments
		activities.RefundPayments
		api.PaymentWebhooks
	}
	carrier interface {
		activities.Carrier
		api.CarrierWebhooks
	}
	identity   proofing.Provider
	meetings   meeting.Provider
	post       post.Provider
	mail       *smtp.Sender
	mailEvents *events.Webhook
	sandbox    *sandbox.Store
	pages      *http.ServeMux // under /sandbox; nil outside a sandbox
}

func (g gateways) close() {
	if g.mail != nil {
		g.mail.Close()
	}
	if g.sandbox != nil {
		g.sandbox.Close()
	}
}

// openGateways connects to the real providers, or starts simulators where the sandbox has none configured.
func (a *App) openGateways(ctx context.Context) (err error) {
	if a.cfg.Sandbox {
		if a.cfg.Payment.StripeKey != "" && a.cfg.Payment.StripeURL == "" {
			return errors.New("a sandbox must not take real money: unset the Stripe key, or the sandbox")
		}
		if a.gateways.sandbox, err = sandbox.Open(ctx, a.cfg.DatabaseURL); err != nil {
			return err
		}
		a.gateways.pages = http.NewServeMux()
	}
	for _, open := range []func(context.Context) error{a.openPayments, a.openCarrier, a.openProofing, a.openMeetings, a.openPost, a.openMail} {
		if err := open(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) openPayments(ctx context.Context) error {
	cfg := a.cfg.Payment
	if cfg.StripeKey != "" {
		a.gateways.payments = stripe.New(stripe.Config{APIKey: cfg.StripeKey, URL: cfg.StripeURL, WebhookSecrets: cfg.WebhookSecrets})
		return nil
	}
	if !a.cfg.Sandbox {
		return errors.New("no payment provider is configured: set the Stripe key, or the sandbox")
	}
	s, err := paymentsim.New(ctx, a.gateways.sandbox, paymentsim.Config{WebhookURL: a.webhookURL("payments"), WebhookSecrets: cfg.WebhookSecrets, Now: a.cfg.Clock})
	if err != nil {
		return fmt.Errorf("start the payment simulator: %w", err)
	}
	a.gateways.payments = s
	a.simulate(ctx, "/sandbox/payments/", s)
	return nil
}

func (a *App) openCarrier(ctx context.Context) error {
	cfg := a.cfg.Carrier
	if cfg.URL != "" {
		a.gateways.carrier = rest.New(rest.Config{URL: cfg.URL, APIKey: cfg.Key, From: a.cfg.Seller.Address, WebhookSecrets: cfg.WebhookSecrets})
		return nil
	}
	if !a.cfg.Sandbox {
		return errors.New("no carrier is configured: set its URL, or the sandbox")
	}
	auto := a.cfg.AutoDelivery
	s, err := carriersim.New(ctx, a.gateways.sandbox, carriersim.Config{WebhookURL: a.webhookURL("carrier"), WebhookSecrets: cfg.WebhookSecrets,
		PublicURL: a.apiURL, Automatic: auto.DeliveredAfter > 0, InTransitAfter: auto.InTransitAfter, DeliveredAfter: auto.DeliveredAfter, Now: a.cfg.Clock})
	if err != nil {
		return fmt.Errorf("start the carrier simulator: %w", err)
	}
	a.gateways.carrier = s
	a.simulate(ctx, "/sandbox/carrier/", s)
	return nil
}

func (a *App) openProofing(ctx context.Context) error {
	cfg := a.cfg.Proofing
	if cfg.URL != "" {
		a.gateways.identity = proofingrest.New(proofingrest.Config{URL: cfg.URL, APIKey: cfg.Key, WebhookSecrets: cfg.WebhookSecrets})
		return nil
	}
	if !a.cfg.Sandbox {
		return errors.New("no identity provider is configured: set its URL, or the sandbox")
	}
	s, err := proofingsim.New(ctx, a.gateways.sandbox, proofingsim.Config{WebhookURL: a.webhookURL("proofing"), WebhookSecrets: cfg.WebhookSecrets,
		Keyring: a.keyring, Now: a.cfg.Clock})
	if err != nil {
		return fmt.Errorf("start the simulated identity provider: %w", err)
	}
	a.gateways.identity = s
	a.simulate(ctx, proofingsim.Path, s)
	return nil
}

func (a *App) openMail(ctx context.Context) (err error) {
	cfg := smtp.Config{Host: a.cfg.Mail.Host, Port: a.cfg.Mail.Port, TLS: smtp.TLS(a.cfg.Mail.TLS), User: a.cfg.Mail.User, Password: a.cfg.Mail.Password}
	if a.cfg.Sandbox {
		box, err := mailbox.New(ctx, a.gateways.sandbox, mailbox.Config{WebhookURL: a.webhookURL("mail"), WebhookSecrets: a.cfg.Mail.WebhookSecrets, Now: a.cfg.Clock})
		if err != nil {
			return fmt.Errorf("open the mailbox: %w", err)
		}
		a.gateways.pages.Handle(mailbox.Path, box.Handler())
		a.simulate(ctx, mailbox.Path+"/", box)
		if a.cfg.MailboxAddress != "" { // otherwise another process receives the mail
			if cfg.Host, cfg.Port, err = a.receiveMail(ctx, box); err != nil {
				return err
			}
			cfg.TLS = smtp.Plain
		}
	}
	a.gateways.mailEvents = events.New(a.cfg.Mail.WebhookSecrets)
	a.gateways.mail, err = smtp.New(cfg)
	return err
}

func (a *App) receiveMail(ctx context.Context, box *mailbox.Mailbox) (host string, port int, err error) {
	l, err := listen(ctx, a.cfg.MailboxAddress)
	if err != nil {
		return "", 0, err
	}
	a.run(ctx, func(ctx context.Context) { report("mailbox", box.Serve(ctx, l)) })
	host, text, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}

type simulator interface {
	Handler() http.Handler
	Run(context.Context) error
	Wake()
}

// simulate shows a simulator's pages and lets it push its webhooks, in the process that serves the API.
func (a *App) simulate(ctx context.Context, path string, s simulator) {
	a.gateways.pages.Handle(path, s.Handler())
	if a.cfg.API {
		a.time.wakes = append(a.time.wakes, s.Wake)
		a.run(ctx, func(ctx context.Context) { report(path, s.Run(ctx)) })
	}
}

// webhookURL is where a simulator pushes its webhooks. A process without the API has the path only: what it records there, the
// process with the API delivers.
func (a *App) webhookURL(from string) string { return a.apiURL + "/v1/webhooks/" + from }
