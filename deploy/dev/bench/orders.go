package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"
	"tokendesk/api/gen"
	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack"
	"tokendesk/internal/app"
	"tokendesk/internal/demodata"
	"tokendesk/models"
)

const (
	orderCount  = 400
	noopCount   = 1500
	atOnce      = 32
	leastOrders = 0.10 // orders per no-op workflow
)

// orders measures how many orders a second go from placed to delivered, beside no-op workflows on the same engine: bought and
// paid over HTTP, shipped, and delivered by two signed webhooks of the carrier.
func orders(ctx context.Context, r *report) error {
	// The carrier delivers by itself, at once.
	auto := func(c *app.Config) {
		c.AutoDelivery = app.AutoDelivery{InTransitAfter: time.Millisecond, DeliveredAfter: 2 * time.Millisecond}
	}
	return withStack(ctx, auto, func(s *stack.Stack) error {
		var noops []float64
		var placed float64
		for _, m := range []func() error{
			func() error { return noop(ctx, s, &noops) },
			func() (err error) { placed, err = placedToDelivered(ctx, s); return err },
			func() error { return noop(ctx, s, &noops) },
		} {
			if err := m(); err != nil {
				return err
			}
		}
		baseline := (noops[0] + noops[1]) / 2
		r.add("no-op workflows", baseline, "1/s", 0)
		r.add("orders, placed to delivered", placed, "1/s", baseline)
		r.atLeast(leastOrders, "orders per no-op workflow", placed/baseline, "ratio", baseline)
		return nil
	})
}

// noop measures workflows that do nothing, started and awaited as many at once as orders are.
func noop(ctx context.Context, s *stack.Stack, rates *[]float64) error {
	engine, err := client.Dial(client.Options{HostPort: s.TemporalAddress(), Namespace: stack.Namespace})
	if err != nil {
		return err
	}
	defer engine.Close()
	const queue = "noop"
	w := worker.New(engine, queue, worker.Options{MaxConcurrentWorkflowTaskPollers: 8})
	w.RegisterWorkflowWithOptions(func(workflow.Context) error { return nil }, workflow.RegisterOptions{Name: queue})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	began := time.Now()
	var g errgroup.Group
	g.SetLimit(atOnce)
	for range noopCount {
		g.Go(func() error {
			run, err := engine.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: queue}, queue)
			if err != nil {
				return err
			}
			return run.Get(ctx, nil)
		})
	}
	err = g.Wait()
	*rates = append(*rates, noopCount/time.Since(began).Seconds())
	return err
}

func placedToDelivered(ctx context.Context, s *stack.Stack) (float64, error) {
	w := journey.NewWorld(s.APIURL(), s.Secrets())
	for range orderCount / 100 {
		if err := w.Stock(ctx, 100); err != nil {
			return 0, err
		}
	}
	buyer, err := w.Person(ctx)
	if err != nil {
		return 0, err
	}
	session, err := w.Login(ctx, buyer)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range orderCount {
		g.Go(func() error { return buy(ctx, w, buyer, session, fmt.Sprint(i)) })
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	if err := allDelivered(ctx, s.DatabaseURL()); err != nil {
		return 0, err
	}
	return orderCount / time.Since(began).Seconds(), nil
}

// buy places an order and has billing record the bank transfer that pays it.
func buy(ctx context.Context, w *journey.World, buyer journey.Person, session, key string) error {
	var o gen.Order
	err := w.Do(ctx, journey.Call{Method: http.MethodPost, Path: "/v1/orders", Bearer: session, Key: "bench-order-" + key, Body: map[string]any{
		"payment_method": models.PayByInvoice, "billing_address": buyer.Address, "shipping_address": buyer.Address,
		"disclaimer_version": demodata.DisclaimerNow, "lines": []map[string]any{{"product_sku": demodata.HardwareSKU}}}}, &o)
	if err != nil {
		return err
	}
	return w.Do(ctx, journey.Call{Method: http.MethodPost, Path: "/v1/payments", Bearer: w.Key(models.RoleBilling), Key: "bench-payment-" + key, Body: map[string]any{
		"source": models.SourceBankTransfer, "source_account": "US00-BENCH", "bank_reference": "bench-" + key, "amount": o.Invoice.Total,
		"received_at": o.CreatedAt, "invoice_number": o.Invoice.Number}}, nil)
}

func allDelivered(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for {
		var n int
		if err := conn.QueryRow(ctx, "select count(*) from shipments where status = 'delivered'").Scan(&n); err != nil || n >= orderCount {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
