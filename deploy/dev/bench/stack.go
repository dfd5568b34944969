package main

import (
	"context"
	"fmt"
	"os"

	"tokendesk/deploy/dev/stack"
	"tokendesk/internal/app"
)

// withStack runs f on a stack of its own, with PostgreSQL as durable as in production, and forgets it afterwards.
func withStack(ctx context.Context, change func(*app.Config), f func(*stack.Stack) error) (err error) {
	dir, err := os.MkdirTemp("", "tokendesk-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := stack.Start(ctx, stack.Config{StateDir: dir, NoUI: true, Product: stack.ProductOptions{Configure: change}})
	if err != nil {
		return fmt.Errorf("start a stack: %w", err)
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	return f(s)
}
