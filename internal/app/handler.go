package app

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"
	"tokendesk/activities"
	"tokendesk/api"
	"tokendesk/workflows"
)

// apiConfig is what the API is made of.
func (a *App) apiConfig() api.Config {
	c := api.Config{
		Store: a.store, Lifecycles: workflows.NewClient(a.engine), Keyring: a.keyring, AuditKeys: a.signer.Verifier, CheckpointFile: a.cfg.CheckpointFile,
		Clock: a.cfg.Clock, CodeClock: RealClock,
		Carrier: a.gateways.carrier, CarrierName: activities.CarrierSource, PaymentWebhooks: a.gateways.payments, MailWebhooks: a.gateways.mailEvents,
		Identity: a.gateways.identity,
		Seller:   a.cfg.Seller, Bank: a.cfg.Bank, Logger: slog.Default(), Registry: a.registry,
		Ready: []api.Check{{Name: "database", Test: a.store.Ping}, {Name: "engine", Test: a.engineAnswers}},
	}
	if a.cfg.Worker {
		c.Ready = append(c.Ready, api.Check{Name: "worker", Test: func(ctx context.Context) error { _, err := a.workerReady(ctx); return err }})
	}
	if a.gateways.pages != nil {
		c.Sandbox = a.gateways.pages
	}
	if m := a.TimeMachine(); m != nil {
		c.TimeMachine = m
	}
	return c
}

func (a *App) engineAnswers(ctx context.Context) error {
	_, err := a.engine.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}
