package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

// WebhookConfig says where a simulator pushes its events.
type WebhookConfig struct {
	URL     string           // without one nothing is pushed
	Secrets []models.Secret  // each signs; several during a rotation
	Header  string           // the header that carries the signature
	Now     func() time.Time // the sandbox's clock, by which webhooks are due; time.Now where nil
}

// Dispatcher delivers signed webhooks at least once, until the receiver answers 2xx, across restarts. Deliveries
// run side by side, so their order is not promised, as with the real services. What happens is due on the sandbox's clock;
// signatures, repeated tries and leases are in real time, as between real services.
type Dispatcher struct {
	store   *Store
	gateway Gateway
	config  WebhookConfig
	client  *http.Client
	wake    chan struct{}
}

const (
	postTimeout = 4 * time.Second
	lease       = 6 * time.Second // a claimed delivery of a killed process is another's after this
	idlePoll    = time.Second     // how soon work that another process recorded is seen
	batchSize   = 16
)

// NewDispatcher makes the dispatcher of one gateway.
func NewDispatcher(store *Store, gateway Gateway, config WebhookConfig) *Dispatcher {
	if config.Now == nil {
		config.Now = time.Now
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = batchSize // it talks to one host only
	return &Dispatcher{store: store, gateway: gateway, config: config,
		client: &http.Client{Timeout: postTimeout, Transport: transport}, wake: make(chan struct{}, 1)}
}

// Plan finds out how the next webhook about the subjects is to be disturbed, if at all.
func (d *Dispatcher) Plan(ctx context.Context, tx pgx.Tx, operation string, subjects ...string) (Order, error) {
	if d.config.URL == "" {
		return Order{}, nil
	}
	return Take(ctx, tx, d.gateway, operation, WebhookEffects, subjects...)
}

// Enqueue records a webhook among the writes of what it tells of, to be sent after the delay and as planned. The
// subject is what Withdraw finds it by. Call Wake once the transaction has committed.
func (d *Dispatcher) Enqueue(writes *pgx.Batch, plan Order, subject string, body []byte, delay time.Duration) {
	if d.config.URL == "" || plan.Effect == Swallow {
		return
	}
	held := plan.Effect == Reorder
	switch plan.Effect {
	case Late:
		delay += time.Duration(plan.Delay)
	case Reorder:
		delay += longestWait // nothing may ever overtake it
	}
	copies := 1
	if plan.Effect == Repeat {
		copies = 2
	}
	for range copies {
		// What was held back goes out after this one.
		writes.Queue(`WITH newest AS (
				INSERT INTO sandbox.webhooks (gateway, subject, body, due, held)
				VALUES ($1, $2, $3, $4, $5) RETURNING id, due)
			UPDATE sandbox.webhooks w SET held = false, overtaker = newest.id, due = newest.due FROM newest
			WHERE w.gateway = $1 AND w.held AND NOT w.delivered AND NOT $5`, d.gateway, subject, body, d.config.Now().Add(delay), held)
	}
}

// Withdraw forgets the webhooks about a subject that are not yet due: what they tell of will not happen.
func (d *Dispatcher) Withdraw(ctx context.Context, tx pgx.Tx, subject string) error {
	_, err := tx.Exec(ctx, `DELETE FROM sandbox.webhooks WHERE gateway = $1 AND subject = $2 AND NOT delivered
		AND attempts = 0 AND due > $3`, d.gateway, subject, d.config.Now())
	if err != nil {
		return fmt.Errorf("sandbox: withdraw webhooks: %w", err)
	}
	return nil
}

// Wake tells a running dispatcher that there is something new.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run delivers until the context ends, then waits for what is under way.
func (d *Dispatcher) Run(ctx context.Context) error {
	if d.config.URL == "" {
		<-ctx.Done()
		return nil
	}
	var under sync.WaitGroup
	defer under.Wait()
	slots := make(chan struct{}, batchSize)
	for ctx.Err() == nil {
		claimed, next, err := d.claim(ctx)
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "sandbox: webhooks cannot be read", "gateway", d.gateway, "error", err)
		}
		for _, w := range claimed {
			slots <- struct{}{}
			under.Go(func() {
				defer func() { <-slots }()
				d.deliver(ctx, w)
			})
		}
		if len(claimed) == batchSize {
			continue
		}
		select {
		case <-d.wake:
		case <-time.After(next):
		case <-ctx.Done():
		}
	}
	return nil
}

type delivery struct {
	id       int64
	body     []byte
	attempts int
}

// claim takes what is due, and says how long to wait for the rest.
func (d *Dispatcher) claim(ctx context.Context) ([]delivery, time.Duration, error) {
	var claimed []delivery
	var next *time.Duration
	var both pgx.Batch
	now := d.config.Now()
	both.Queue(`UPDATE sandbox.webhooks SET attempts = attempts + 1, leased_until = clock_timestamp() + $2
		WHERE id IN (SELECT w.id FROM sandbox.webhooks w
			WHERE w.gateway = $1 AND NOT w.delivered AND w.due <= $4 AND coalesce(w.leased_until <= clock_timestamp(), true)
			  AND NOT EXISTS (SELECT FROM sandbox.webhooks o WHERE o.id = w.overtaker AND NOT o.delivered)
			ORDER BY w.id LIMIT $3 FOR UPDATE SKIP LOCKED)
		RETURNING id, body, attempts`, d.gateway, lease, batchSize, now).Query(func(rows pgx.Rows) (err error) {
		claimed, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (w delivery, err error) {
			return w, row.Scan(&w.id, &w.body, &w.attempts)
		})
		return err
	})
	both.Queue(`SELECT min(wait) FROM (SELECT greatest(due - $2, leased_until - clock_timestamp()) AS wait FROM sandbox.webhooks
		WHERE gateway = $1 AND NOT delivered) open WHERE wait > interval '0'`, d.gateway, now).QueryRow(func(row pgx.Row) error {
		return row.Scan(&next)
	})
	if err := d.store.Pool.SendBatch(ctx, &both).Close(); err != nil || next == nil {
		return claimed, idlePoll, err
	}
	return claimed, min(max(*next, time.Millisecond), idlePoll), nil
}

// deliver posts once. The outcome is recorded even when the process is told to stop meanwhile.
func (d *Dispatcher) deliver(ctx context.Context, w delivery) {
	err := d.post(ctx, w.body)
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), postTimeout)
	defer cancel()
	if err == nil {
		err = d.delivered(record, w)
	} else {
		back := min(100*time.Millisecond<<min(w.attempts, 6), 5*time.Second)
		slog.DebugContext(ctx, "sandbox: webhook not taken, trying again", "gateway", d.gateway, "webhook", w.id, "in", back, "error", err)
		_, err = d.store.Pool.Exec(record, `UPDATE sandbox.webhooks SET leased_until = clock_timestamp() + $2 WHERE id = $1`, w.id, back)
	}
	if err != nil {
		slog.WarnContext(ctx, "sandbox: a delivery cannot be recorded", "gateway", d.gateway, "webhook", w.id, "error", err)
	}
}

// delivered records it, and wakes the dispatcher where another webhook waited to be overtaken by this one.
func (d *Dispatcher) delivered(ctx context.Context, w delivery) error {
	var overtook bool
	err := d.store.Pool.QueryRow(ctx, `UPDATE sandbox.webhooks SET delivered = true WHERE id = $1
		RETURNING EXISTS (SELECT FROM sandbox.webhooks o WHERE o.gateway = $2 AND NOT o.delivered AND o.overtaker = $1)`,
		w.id, d.gateway).Scan(&overtook)
	if overtook {
		d.Wake()
	}
	return err
}

func (d *Dispatcher) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.config.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(d.config.Header, webhook.Sign(d.config.Secrets, body, time.Now()))
	response, err := d.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, maxBody) // so that the connection is used again
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the receiver answered %d", response.StatusCode)
	}
	return nil
}
