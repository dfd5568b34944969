package main

import (
	"fmt"
	"time"

	"github.com/caarlos0/env/v11"
	"tokendesk/internal/app"
	"tokendesk/internal/documents"
	"tokendesk/models"
)

// environment is everything that the process reads from its environment. docs/configuration.md lists it.
type environment struct {
	DatabaseURL       string `env:"DATABASE_URL,required,notEmpty"`
	TemporalAddress   string `env:"TEMPORAL_ADDRESS" envDefault:"127.0.0.1:7233"`
	TemporalNamespace string `env:"TEMPORAL_NAMESPACE" envDefault:"tokendesk"`
	TemporalUI        string `env:"TEMPORAL_UI"`
	APIAddress        string `env:"TOKENDESK_API_ADDR" envDefault:"127.0.0.1:8080"`
	MetricsAddress    string `env:"TOKENDESK_METRICS_ADDR" envDefault:"127.0.0.1:9090"`
	KeyringFile       string `env:"TOKENDESK_KEYRING_FILE,required,notEmpty"`
	SigningKeyFile    string `env:"TOKENDESK_SIGNING_KEY_FILE,required,notEmpty"`
	Sandbox           bool   `env:"TOKENDESK_SANDBOX"`
	CreateKeys        bool   `env:"TOKENDESK_CREATE_KEYS"`

	SMTPHost       string `env:"TOKENDESK_SMTP_HOST" envDefault:"127.0.0.1"`
	SMTPPort       int    `env:"TOKENDESK_SMTP_PORT" envDefault:"25"`
	SMTPTLS        string `env:"TOKENDESK_SMTP_TLS" envDefault:"mandatory"`
	SMTPUser       string `env:"TOKENDESK_SMTP_USER"`
	SMTPPassword   string `env:"TOKENDESK_SMTP_PASSWORD,unset"`
	MailFrom       string `env:"TOKENDESK_MAIL_FROM" envDefault:"Tokendesk <no-reply@tokendesk.example>"`
	MailboxAddress string `env:"TOKENDESK_MAILBOX_ADDR"` // the sandbox's mailbox; empty: mail leaves by SMTP

	StripeKey            string   `env:"STRIPE_SECRET_KEY,unset"`
	StripeWebhookSecrets []string `env:"STRIPE_WEBHOOK_SECRET,unset" envSeparator:","` // all that are valid now

	CarrierURL            string   `env:"TOKENDESK_CARRIER_URL"`
	CarrierKey            string   `env:"TOKENDESK_CARRIER_KEY,unset"`
	CarrierWebhookSecrets []string `env:"TOKENDESK_CARRIER_WEBHOOK_SECRET,unset" envSeparator:","`

	InTransitAfter time.Duration `env:"TOKENDESK_SANDBOX_IN_TRANSIT_AFTER"`
	DeliveredAfter time.Duration `env:"TOKENDESK_SANDBOX_DELIVERED_AFTER"`

	SellerName     string `env:"TOKENDESK_SELLER_NAME" envDefault:"Tokendesk Inc."`
	SellerLine1    string `env:"TOKENDESK_SELLER_STREET" envDefault:"1 Vendor Plaza"`
	SellerCity     string `env:"TOKENDESK_SELLER_CITY" envDefault:"New York"`
	SellerRegion   string `env:"TOKENDESK_SELLER_REGION" envDefault:"NY"`
	SellerPostcode string `env:"TOKENDESK_SELLER_POSTCODE" envDefault:"10001"`
	SellerCountry  string `env:"TOKENDESK_SELLER_COUNTRY" envDefault:"US"`
	SellerEmail    string `env:"TOKENDESK_SELLER_EMAIL" envDefault:"billing@tokendesk.example"`
	BankName       string `env:"TOKENDESK_BANK_NAME" envDefault:"First Bank"`
	BankRouting    string `env:"TOKENDESK_BANK_ROUTING" envDefault:"021000021"`
	BankAccount    string `env:"TOKENDESK_BANK_ACCOUNT" envDefault:"000123456789"`
}

func readEnvironment() (environment, error) {
	e, err := env.ParseAs[environment]()
	if err != nil {
		return e, fmt.Errorf("read the environment: %w", err)
	}
	return e, nil
}

func secrets(texts []string) (out []models.Secret) {
	for _, t := range texts {
		if t != "" {
			out = append(out, models.Secret(t))
		}
	}
	return out
}

func (e environment) config(api, work bool) app.Config {
	return app.Config{
		API: api, Worker: work,
		DatabaseURL: e.DatabaseURL, TemporalAddress: e.TemporalAddress, Namespace: e.TemporalNamespace, TemporalUI: e.TemporalUI,
		APIAddress: e.APIAddress, MetricsAddress: e.MetricsAddress,
		KeyringFile: e.KeyringFile, SigningKeyFile: e.SigningKeyFile, CreateKeys: e.CreateKeys,
		Mail:    app.Mail{Host: e.SMTPHost, Port: e.SMTPPort, TLS: e.SMTPTLS, User: e.SMTPUser, Password: models.Secret(e.SMTPPassword), From: e.MailFrom},
		Payment: app.Payment{StripeKey: models.Secret(e.StripeKey), WebhookSecrets: secrets(e.StripeWebhookSecrets)},
		Carrier: app.Carrier{URL: e.CarrierURL, Key: models.Secret(e.CarrierKey), WebhookSecrets: secrets(e.CarrierWebhookSecrets)},
		Seller: documents.Seller{Name: e.SellerName, Email: e.SellerEmail, Address: models.Address{Name: e.SellerName, Line1: e.SellerLine1, City: e.SellerCity,
			Region: e.SellerRegion, PostalCode: e.SellerPostcode, Country: e.SellerCountry}},
		Bank:    documents.Bank{Holder: e.SellerName, Name: e.BankName, Routing: e.BankRouting, Account: e.BankAccount},
		Sandbox: e.Sandbox, MailboxAddress: e.MailboxAddress,
		AutoDelivery: app.AutoDelivery{InTransitAfter: e.InTransitAfter, DeliveredAfter: e.DeliveredAfter},
	}
}
