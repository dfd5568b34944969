// Command tokendesk is the back office: the API, the worker, and what operators run by hand.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

type command struct {
	name, help string
	run        func(ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{"all", "serve the API and run lifecycles, in one process", func(ctx context.Context, _ []string) error { return serve(ctx, true, true) }},
		{"api", "serve the API", func(ctx context.Context, _ []string) error { return serve(ctx, true, false) }},
		{"worker", "run lifecycles, and deliver what the database owes", func(ctx context.Context, _ []string) error { return serve(ctx, false, true) }},
		{"migrate", "bring the database to the newest version, and the namespace its search attributes", migrate},
		{"import-tokens", "import a seed file (PSKC or CSV) into stock", importTokens},
		{"create-api-key", "make an API key for staff or a partner's application; it is printed once", createAPIKey},
		{"demo", "play the journey against a running stack", runDemo},
		{"mailbox", "receive mail for a sandbox", serveMailbox},
		{"healthcheck", "exit 0 when the API is ready", healthcheck},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tokendesk:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		usage(os.Stderr)
		return fmt.Errorf("name a command")
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:])
		}
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(os.Stdout)
		return nil
	}
	usage(os.Stderr)
	return fmt.Errorf("there is no command %q", args[0])
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: tokendesk COMMAND [FLAGS]")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-16s %s\n", c.name, c.help)
	}
}
