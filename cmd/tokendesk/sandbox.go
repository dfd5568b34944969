package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"

	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/demodata"
	"tokendesk/internal/password"
	"tokendesk/internal/sandboxclock"
	"tokendesk/models/store"
)

var errNoSandbox = errors.New("this command is for a sandbox only: TOKENDESK_SANDBOX is not true")

// loadDemo fills a migrated sandbox with what the demonstration plays with. Repeating it changes nothing.
func loadDemo(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("load-demo", flag.ContinueOnError)
	file := f.String("secrets", "", "file for the logins and API keys of the demo people; made once, then read")
	if err := parse(f, args); err != nil {
		return err
	}
	if *file == "" {
		return errors.New("-secrets is missing: the file for the logins and API keys of the demo people")
	}
	e, err := readEnvironment()
	if err != nil {
		return err
	}
	if !e.Sandbox {
		return errNoSandbox
	}
	st, err := store.Open(ctx, e.DatabaseURL)
	if err != nil {
		return err
	}
	defer st.Close()
	at, err := vendorNow(ctx, st, e)
	if err != nil {
		return err
	}
	if _, err := demodata.Load(ctx, st, password.New(password.Baseline, 1), *file, at); err != nil {
		return err
	}
	fmt.Println("the demo's logins and API keys are in", *file)
	return nil
}

// serveMailbox receives mail on its own, for a sandbox of several processes.
func serveMailbox(ctx context.Context) error {
	e, err := readEnvironment()
	switch {
	case err != nil:
		return err
	case !e.Sandbox:
		return errNoSandbox
	case e.MailboxAddress == "":
		return errors.New("set TOKENDESK_MAILBOX_ADDR, where mail is to be received")
	}
	st, err := sandbox.Open(ctx, e.DatabaseURL)
	if err != nil {
		return err
	}
	defer st.Close()
	clock, err := sandboxclock.Open(ctx, st.Pool)
	if err != nil {
		return err
	}
	go clock.Run(ctx)
	box, err := mailbox.New(ctx, st, mailbox.Config{Now: clock.Now,
		WebhookURL: "/v1/webhooks/mail", WebhookSecrets: secrets(e.MailWebhookSecrets)}) // the API's process pushes
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", e.MailboxAddress)
	if err != nil {
		return err
	}
	return box.Serve(ctx, l)
}
