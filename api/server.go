// Package api is Tokendesk's HTTP interface. openapi.yaml comes first: the server is generated from it, requests are validated
// against it, and who may call what is read from it. Every error is a problem document (RFC 9457).
package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/payment"
	"tokendesk/api/gen"
	"tokendesk/internal/clientcert"
	"tokendesk/internal/documents"
	"tokendesk/internal/password"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Lifecycles reaches the workflow engine. Its calls carry ids only.
type Lifecycles interface {
	// PlaceOrder starts the lifecycle of a draft and waits until it is placed; for a placed order it does nothing.
	// Faults: what placing refuses; ServiceDown.
	PlaceOrder(ctx context.Context, number string) (models.OrderStatus, error)
	// CancelOrder cancels an unpaid order, once for each update id. Faults: StateForbids, NoSuchThing, ServiceDown.
	CancelOrder(ctx context.Context, number string, by models.Actor, reason models.CancelReason, updateID string) error

	// Commands on a credential, each once for each update id. Faults: what the store's method of the same name refuses; ServiceDown.
	SuspendCredential(ctx context.Context, id string, by models.Suspender, actor models.Actor, updateID string) error
	ReenableCredential(ctx context.Context, id string, by models.Suspender, actor models.Actor, updateID string) error
	RevokeCredential(ctx context.Context, r models.Revocation, actor models.Actor, updateID string) error
	ResetAuthenticator(ctx context.Context, credentialID, authenticatorID string, reason models.ResetReason, actor models.Actor, updateID string) error
}

// CarrierWebhooks reads what a carrier pushes. Faults: SignatureWrong, InvalidRequest.
type CarrierWebhooks interface {
	VerifyWebhook(header http.Header, body []byte, at time.Time) ([]carrier.Event, error)
}

// MailWebhooks reads what a mail provider pushes. Faults: SignatureWrong, InvalidRequest.
type MailWebhooks interface {
	VerifyWebhook(header http.Header, body []byte, at time.Time) ([]models.MailEvent, error)
}

// PaymentWebhooks reads what a card processor pushes. Faults: SignatureWrong, InvalidRequest.
type PaymentWebhooks interface {
	VerifyWebhook(header http.Header, body []byte, at time.Time) (payment.Event, error)
}

// Check is one thing that must work before the process can serve.
type Check struct {
	Name string
	Test func(ctx context.Context) error
}

// Config is what the API is made of.
type Config struct {
	Store          *store.Store
	Lifecycles     Lifecycles
	Keyring        *seal.Keyring
	AuditKeys      *seal.Verifier   // of the audit trail's checkpoints
	CheckpointFile string           // keeps them outside the database; empty: truncation cannot be checked
	Passwords      *password.Hasher // nil: the usual costs
	Clock          func() time.Time // the vendor's clock; may be virtual in the sandbox
	CodeClock      func() time.Time // real time, for one-time passwords, signatures and leases

	Carrier         CarrierWebhooks
	CarrierName     string // under which this carrier's events are kept; empty: "carrier"
	PaymentWebhooks PaymentWebhooks
	MailWebhooks    MailWebhooks // nil: no mail provider reports
	Identity        Identity
	Seller          documents.Seller
	Bank            documents.Bank

	Certificates   *clientcert.Gate // knows agents by their client certificates; set, this is their listener, and there is nothing else on it
	TimeMachine    TimeMachine      // nil: this is no sandbox
	Ready          []Check
	Sandbox        http.Handler // serves /sandbox/; nil: there is none
	TrustedProxies []string     // networks whose X-Forwarded-For is believed
	Logger         *slog.Logger // nil: the default
	Registry       prometheus.Registerer
}

type server struct {
	Config
	operations operations
	verify     *operation
	engine     *gin.Engine
	keys       keyCache
	metrics    metrics
	previews   chan struct{} // holds those that run
}

// New assembles the API.
func New(c Config) (http.Handler, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.CarrierName == "" {
		c.CarrierName = "carrier"
	}
	if c.Passwords == nil {
		c.Passwords = password.New(password.Baseline, 4)
	}
	s := &server{Config: c, previews: make(chan struct{}, maxPreviews)}
	var err error
	if s.operations, err = loadOperations(); err != nil {
		return nil, err
	}
	s.verify = s.operations.find(http.MethodPost, verificationPath)
	if s.metrics, err = newMetrics(c.Registry); err != nil {
		return nil, err
	}
	if s.engine, err = s.routes(); err != nil {
		return nil, err
	}
	return s, nil
}

// routes binds the specification's operations, and the pages beside them, to their handlers.
func (s *server) routes() (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.ContextWithFallback = true // or cancellation never reaches the database
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	if err := e.SetTrustedProxies(s.TrustedProxies); err != nil {
		return nil, fmt.Errorf("read the trusted proxies: %w", err)
	}
	e.NoRoute(func(c *gin.Context) { s.abort(c, models.NoSuchThing.New("there is no such path")) })
	e.NoMethod(func(c *gin.Context) { s.abort(c, models.MethodNotAllowed.New("")) })
	s.pages(e)

	api := part{e.Group("", s.authorize, s.check, s.once), s.serves}
	strict := gen.NewStrictHandlerWithOptions(s, []gen.StrictMiddlewareFunc{detach}, gen.StrictGinServerOptions{
		RequestErrorHandlerFunc:  func(c *gin.Context, err error) { s.abort(c, unbound(err)) },
		HandlerErrorFunc:         func(c *gin.Context, err error) { s.abort(c, err) },
		ResponseErrorHandlerFunc: func(c *gin.Context, err error) { s.abort(c, err) },
	})
	gen.RegisterHandlersWithOptions(api, strict, gen.GinServerOptions{
		ErrorHandler: func(c *gin.Context, err error, _ int) { s.abort(c, unbound(err)) },
	})
	api.POST(verificationPath, func(c *gin.Context) { s.createVerification(c.Writer, c.Request) })
	api.POST("/v1/token-imports", s.importTokens)
	api.POST("/v1/webhooks/carrier", s.receiveCarrierEvent)
	api.POST("/v1/webhooks/payments", s.receivePaymentEvent)
	api.POST("/v1/webhooks/mail", s.receiveMailEvent)
	api.POST("/v1/webhooks/proofing", s.receiveProofingEvent)
	api.POST("/v1/policies/:policy_version/what-if", s.previewPolicy)
	api.GET("/healthz", s.getHealth)
	api.GET("/readyz", s.getReadiness)
	return e, nil
}

// detach gives a handler a context that outlives the request. Gin uses its contexts again, and the database driver may look at one
// for a moment after the answer.
func detach(f gen.StrictHandlerFunc, _ string) gen.StrictHandlerFunc {
	return func(c *gin.Context, request any) (any, error) { return f(c.Copy(), request) }
}

// unbound is the fault of a value that fits the specification but not the program's types: a number with an exponent, say.
func unbound(error) error {
	return models.InvalidRequest.New("a value has a form that is not taken here")
}

// abort ends a request with the problem document of an error.
func (s *server) abort(c *gin.Context, err error) {
	c.Abort()
	if c.Writer.Written() { // the answer could not be written to its end
		s.Logger.LogAttrs(c.Request.Context(), slog.LevelWarn, "answer not finished", slog.String("error", causeOf(err)))
		return
	}
	s.refuse(c.Writer, c.Request, err)
}
