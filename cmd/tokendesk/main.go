// Command tokendesk is the back office: the API, the worker, and what operators run by hand.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // agents and persons name zones of their own; a slim image has none
)

type command struct {
	name, help string
	run        func(ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{"all", "serve the API and run lifecycles, in one process", alone(func(ctx context.Context) error { return serve(ctx, true, true) })},
		{"api", "serve the API", alone(func(ctx context.Context) error { return serve(ctx, true, false) })},
		{"worker", "run lifecycles, and deliver what the database owes", alone(func(ctx context.Context) error { return serve(ctx, false, true) })},
		{"migrate", "bring the database to the newest version, and the namespace its search attributes", alone(migrate)},
		{"import-tokens", "import a seed file (PSKC or CSV) into stock", importTokens},
		{"create-api-key", "make an API key for staff or a partner's application; it is printed once", createAPIKey},
		{"list-api-keys", "list the API keys, revoked ones included", listAPIKeys},
		{"revoke-api-key", "end an API key at once", revokeAPIKey},
		{"keyring", "list the keys that seal seeds, add one, promote one (list | add | promote ID)", keyring},
		{"builds", "list the builds of the worker that the engine knows, and what it sends to each", alone(listBuilds)},
		{"promote", "make a build of the worker current, or send it a share of the work", promote},
		{"move", "take what stays on a build whose workers are gone to the current one", move},
		{"version", "print the build id of this program", alone(version)},
		{"demo", "play the journey against a running stack", runDemo},
		{"load-demo", "fill a sandbox with a catalogue, people and API keys", loadDemo},
		{"mailbox", "receive mail for a sandbox", alone(serveMailbox)},
		{"healthcheck", "exit 0 when the API is ready, or with -worker the worker", healthcheck},
	}
}

// alone makes a command of something that takes no arguments.
func alone(run func(context.Context) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("this command takes no arguments, not even %q: settings come from the environment", args[0])
		}
		return run(ctx)
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "tokendesk:", strings.Join(strings.Fields(err.Error()), " ")) // one line, for a log
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
