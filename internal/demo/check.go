package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokendesk/models"
)

const (
	patience = 30 * time.Second // for anything that happens by itself
	pause    = 40 * time.Millisecond
)

// same is an error unless a fact is as the story tells it.
func same[T comparable](what string, got, want T) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%s should be %v, and is %v", what, want, got)
}

// holds is an error unless a sentence is true.
func holds(truth bool, sentence string, args ...any) error {
	if truth {
		return nil
	}
	return fmt.Errorf("it should be so that "+sentence, args...)
}

// all is the first of the errors: one reason is enough for a person.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// refusedAs is an error unless the API has refused a call, and for the right reason.
func refusedAs(fault *models.FaultType, err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("it should have been refused (%s), and was not", fault.Title)
	case errors.Is(err, fault):
		return nil
	}
	return fmt.Errorf("it should have been refused (%s), and something else came of it: %w", fault.Title, err)
}

// await looks until it finds what it looks for, or patience ends. A failing look ends it at once.
func await[T any](ctx context.Context, what string, look func() (found T, ok bool, err error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(pause)
	defer again.Stop()
	for {
		found, ok, err := look()
		if ok || err != nil {
			return found, err
		}
		select {
		case <-ctx.Done():
			return found, fmt.Errorf("waited %v for %s", patience, what)
		case <-again.C:
		}
	}
}
