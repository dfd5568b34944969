package main

import (
	"time"

	"tokendesk/internal/app"
	"tokendesk/internal/documents"
	"tokendesk/models"
)

// environment is everything that the process reads from its environment; docs/configuration.md lists it. A field with a
// sandbox tag takes that value in a sandbox. Outside one it has to be set: nothing invented may reach a customer.
type environment struct {
	DatabaseURL           string   `env:"DATABASE_URL,required,notEmpty"`
	TemporalAddress       string   `env:"TEMPORAL_ADDRESS" envDefault:"127.0.0.1:7233"`
	TemporalNamespace     string   `env:"TEMPORAL_NAMESPACE" envDefault:"tokendesk"`
	BuildID               string   `env:"TOKENDESK_BUILD_ID"`
	Promote               bool     `env:"TOKENDESK_PROMOTE" envDefault:"true"`
	APIAddress            string   `env:"TOKENDESK_API_ADDR" envDefault:"127.0.0.1:8080"`
	MetricsAddress        string   `env:"TOKENDESK_METRICS_ADDR" envDefault:"127.0.0.1:9090"`
	AgentsAddress         string   `env:"TOKENDESK_AGENTS_ADDR"` // empty: agents are not served here
	AgentsCertificateFile string   `env:"TOKENDESK_AGENTS_CERT_FILE"`
	AgentsKeyFile         string   `env:"TOKENDESK_AGENTS_KEY_FILE"`
	AgentsCAFile          string   `env:"TOKENDESK_AGENTS_CA_FILE"`
	AgentsCRLFile         string   `env:"TOKENDESK_AGENTS_CRL_FILE"`
	AgentsPolicies        []string `env:"TOKENDESK_AGENTS_POLICY_OIDS" envSeparator:","`

	KeyringFile    string `env:"TOKENDESK_KEYRING_FILE,required,notEmpty"`
	SigningKeyFile string `env:"TOKENDESK_SIGNING_KEY_FILE,required,notEmpty"`
	CheckpointFile string `env:"TOKENDESK_CHECKPOINT_FILE"`
	CreateKeys     bool   `env:"TOKENDESK_CREATE_KEYS" envDefault:"false"`
	Sandbox        bool   `env:"TOKENDESK_SANDBOX" envDefault:"false"`

	SMTPHost       string `env:"TOKENDESK_SMTP_HOST" envDefault:"127.0.0.1"`
	SMTPPort       int    `env:"TOKENDESK_SMTP_PORT" envDefault:"25"`
	SMTPTLS        string `env:"TOKENDESK_SMTP_TLS" envDefault:"mandatory"`
	SMTPUser       string `env:"TOKENDESK_SMTP_USER"`
	SMTPPassword   string `env:"TOKENDESK_SMTP_PASSWORD,unset"`
	MailFrom       string `env:"TOKENDESK_MAIL_FROM" sandbox:"Tokendesk <no-reply@tokendesk.example>"`
	SiteURL        string `env:"TOKENDESK_SITE_URL"`     // where people reach /appointment; empty: mails bring codes to enter, outside a sandbox
	MailboxAddress string `env:"TOKENDESK_MAILBOX_ADDR"` // the sandbox's mailbox; empty: mail leaves by SMTP

	MailWebhookSecrets []string `env:"TOKENDESK_MAIL_WEBHOOK_SECRET,unset" envSeparator:","` // all that are valid now

	StripeKey            string   `env:"STRIPE_SECRET_KEY,unset" sandbox:""`
	StripeWebhookSecrets []string `env:"STRIPE_WEBHOOK_SECRET,unset" envSeparator:"," sandbox:""` // all that are valid now

	CarrierURL            string   `env:"TOKENDESK_CARRIER_URL" sandbox:""`
	CarrierKey            string   `env:"TOKENDESK_CARRIER_KEY,unset"`
	CarrierWebhookSecrets []string `env:"TOKENDESK_CARRIER_WEBHOOK_SECRET,unset" envSeparator:"," sandbox:""`

	ProofingURL            string   `env:"TOKENDESK_PROOFING_URL" sandbox:""`
	ProofingKey            string   `env:"TOKENDESK_PROOFING_KEY,unset"`
	ProofingWebhookSecrets []string `env:"TOKENDESK_PROOFING_WEBHOOK_SECRET,unset" envSeparator:"," sandbox:""`

	MeetingRoom string `env:"TOKENDESK_MEETING_ROOM"` // outside a sandbox this or the URL is set
	MeetingURL  string `env:"TOKENDESK_MEETING_URL"`
	MeetingKey  string `env:"TOKENDESK_MEETING_KEY,unset"`

	PostURL string `env:"TOKENDESK_POST_URL" sandbox:""`
	PostKey string `env:"TOKENDESK_POST_KEY,unset"`

	InTransitAfter time.Duration `env:"TOKENDESK_SANDBOX_IN_TRANSIT_AFTER"`
	DeliveredAfter time.Duration `env:"TOKENDESK_SANDBOX_DELIVERED_AFTER"`

	SellerName     string `env:"TOKENDESK_SELLER_NAME" sandbox:"Tokendesk Inc."`
	SellerStreet   string `env:"TOKENDESK_SELLER_STREET" sandbox:"1 Vendor Plaza"`
	SellerCity     string `env:"TOKENDESK_SELLER_CITY" sandbox:"New York"`
	SellerRegion   string `env:"TOKENDESK_SELLER_REGION"` // where addresses have one
	SellerPostcode string `env:"TOKENDESK_SELLER_POSTCODE" sandbox:"10001"`
	SellerCountry  string `env:"TOKENDESK_SELLER_COUNTRY" sandbox:"US"`
	SellerEmail    string `env:"TOKENDESK_SELLER_EMAIL" sandbox:"billing@tokendesk.example"`
	BankName       string `env:"TOKENDESK_BANK_NAME" sandbox:"First Bank"`
	BankRouting    string `env:"TOKENDESK_BANK_ROUTING" sandbox:"021000021"`
	BankAccount    string `env:"TOKENDESK_BANK_ACCOUNT" sandbox:"000123456789"`
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
		DatabaseURL: e.DatabaseURL, TemporalAddress: e.TemporalAddress, Namespace: e.TemporalNamespace,
		Promote: e.Promote, APIAddress: e.APIAddress, MetricsAddress: e.MetricsAddress,
		Agents: app.Agents{Address: e.AgentsAddress, CertificateFile: e.AgentsCertificateFile, KeyFile: e.AgentsKeyFile, CAFile: e.AgentsCAFile, CRLFile: e.AgentsCRLFile,
			Policies: e.AgentsPolicies},
		KeyringFile: e.KeyringFile, SigningKeyFile: e.SigningKeyFile, CheckpointFile: e.CheckpointFile, CreateKeys: e.CreateKeys,
		Mail: app.Mail{Host: e.SMTPHost, Port: e.SMTPPort, TLS: e.SMTPTLS, User: e.SMTPUser, Password: models.Secret(e.SMTPPassword), From: e.MailFrom,
			WebhookSecrets: secrets(e.MailWebhookSecrets)},
		Payment:  app.Payment{StripeKey: models.Secret(e.StripeKey), WebhookSecrets: secrets(e.StripeWebhookSecrets)},
		Carrier:  app.Carrier{URL: e.CarrierURL, Key: models.Secret(e.CarrierKey), WebhookSecrets: secrets(e.CarrierWebhookSecrets)},
		Proofing: app.Proofing{URL: e.ProofingURL, Key: models.Secret(e.ProofingKey), WebhookSecrets: secrets(e.ProofingWebhookSecrets)},
		Meeting:  app.Meeting{Room: e.MeetingRoom, URL: e.MeetingURL, Key: models.Secret(e.MeetingKey)},
		Post:     app.Post{URL: e.PostURL, Key: models.Secret(e.PostKey)},
		Seller: documents.Seller{Name: e.SellerName, Email: e.SellerEmail, Address: models.Address{Name: e.SellerName, Line1: e.SellerStreet, City: e.SellerCity,
			Region: e.SellerRegion, PostalCode: e.SellerPostcode, Country: e.SellerCountry}},
		Bank:    documents.Bank{Holder: e.SellerName, Name: e.BankName, Routing: e.BankRouting, Account: e.BankAccount},
		Sandbox: e.Sandbox, SiteURL: e.SiteURL, MailboxAddress: e.MailboxAddress,
		AutoDelivery: app.AutoDelivery{InTransitAfter: e.InTransitAfter, DeliveredAfter: e.DeliveredAfter},
	}
}
