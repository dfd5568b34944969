// Package app puts Tokendesk together: the API, the worker, and in a sandbox the simulators. Command tokendesk and the
// development stack both start it; only they read an environment.
package app

import (
	"time"

	"tokendesk/internal/documents"
	"tokendesk/models"
	"tokendesk/worker"
)

// Config says what to run and what to run it on.
type Config struct {
	API    bool // serve the HTTP API
	Worker bool // run lifecycles, and deliver what the database owes

	DatabaseURL     string
	TemporalAddress string
	Namespace       string
	BuildID         string // which build of the worker this is; runs that stay on their build find it by that
	Promote         bool   // make a build current that never was; otherwise an operator does
	APIAddress      string // host:port; port 0 takes a free one
	MetricsAddress  string
	Agents          Agents

	KeyringFile    string // key-encryption keys of seeds and mailed license keys
	SigningKeyFile string // signs the audit trail's checkpoints
	CheckpointFile string // keeps them outside the database, where api and worker both reach it; empty: truncation cannot be checked
	CreateKeys     bool   // make missing key files; never in production

	Mail     Mail
	Payment  Payment
	Carrier  Carrier
	Proofing Proofing
	Meeting  Meeting
	Post     Post
	Seller   documents.Seller
	Bank     documents.Bank

	SiteURL        string       // where people reach the page /appointment, which mails link to; empty: a sandbox links to its own API, elsewhere mails bring codes
	Sandbox        bool         // simulators, a mailbox, and pages under /sandbox; refused with a real payment provider
	MailboxAddress string       // where the sandbox's mailbox listens; empty: Mail says where mail goes
	AutoDelivery   AutoDelivery // how quickly the sandbox's carrier delivers by itself

	Clock worker.Clock // the vendor's now; where nil, the sandbox's clock in a sandbox and the real one elsewhere
}

// Mail says how mail leaves.
type Mail struct {
	Host     string
	Port     int
	TLS      string // none, starttls or tls
	User     string
	Password models.Secret
	From     string // an address as in RFC 5322

	WebhookSecrets []models.Secret // all that are valid now; none: the mail provider is not believed (LIF-3)
}

// Payment says who takes card payments.
type Payment struct {
	StripeKey      models.Secret   // empty: the simulator, in a sandbox only
	StripeURL      string          // empty: Stripe
	WebhookSecrets []models.Secret // all that are valid now
}

// Carrier says who carries parcels.
type Carrier struct {
	URL            string // empty: the simulator, in a sandbox only
	Key            models.Secret
	WebhookSecrets []models.Secret
}

// Proofing says who checks identities in self-service (PRF-2).
type Proofing struct {
	URL            string // empty: the simulator, in a sandbox only
	Key            models.Secret
	WebhookSecrets []models.Secret // all that are valid now
}

// Meeting says where live video sessions are held (PRF-5): in rooms that are always there, or in rooms that an API makes.
type Meeting struct {
	Room string // https; may hold {agent}. Empty: URL says where
	URL  string // empty, and no Room: the simulator, in a sandbox only
	Key  models.Secret
}

// Post says who prints and posts letters (PRF-4).
type Post struct {
	URL string // empty: the simulator, in a sandbox only
	Key models.Secret
}

// AutoDelivery lets the sandbox's carrier move parcels by itself. Zero: only when told to.
type AutoDelivery struct {
	InTransitAfter time.Duration
	DeliveredAfter time.Duration
}
