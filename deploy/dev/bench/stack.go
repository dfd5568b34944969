package main

import (
	"context"
	"fmt"
	"os"

	"tokendesk/deploy/dev/stack"
	"tokendesk/internal/app"
)

// withStack runs f on a stack of its own, with PostgreSQL as durable as in production, and forgets it afterwards.
func withStack(ctx context.Context, change func(*app.Config), f func(*stack.Stack) error) error {
	return withConfig(ctx, func(c *stack.Config) { c.Product.Configure = change }, func(s *stack.Stack, _ string) error { return f(s) })
}

// withConfig is withStack for a configuration that f's parts must know of; f is told the state directory.
func withConfig(ctx context.Context, change func(*stack.Config), f func(s *stack.Stack, dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "tokendesk-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg := stack.Config{StateDir: dir, NoUI: true}
	change(&cfg)
	s, err := stack.Start(ctx, cfg)
	if err != nil {
		return fmt.Errorf("start a stack: %w", err)
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	return f(s, dir)
}
