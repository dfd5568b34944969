package e2e

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"tokendesk/deploy/dev/stack"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/internal/demo"
)

// The demonstration can be played again on a sandbox whose clock it has moved by three years, and on one that was started anew: the clock
// stays ahead. Every step checks what it tells (LIF-1, LIF-2, LIF-4, REN-1, REN-2, MGT-1 to MGT-4, ORD-5).
func TestDemonstration(t *testing.T) {
	cfg := stacktest.Config(t)
	s := stacktest.Run(t, cfg)
	_, first := demonstrate(t, s)
	began, second := demonstrate(t, s)
	if began.Before(first) {
		t.Errorf("it was %v when the second began, and %v when the first ended", began, first)
	}
	must(t, s.Close())
	if began, _ = demonstrate(t, stacktest.Run(t, cfg)); began.Before(second) {
		t.Errorf("it was %v after the restart, and %v before", began, second)
	}
}

// demonstrate plays the demonstration and returns the sandbox's now at its first and last steps.
func demonstrate(t *testing.T, s *stack.Stack) (first, last time.Time) {
	t.Helper()
	var out bytes.Buffer
	began := time.Now()
	err := demo.Run(t.Context(), demo.Config{APIURL: s.APIURL(), AgentsURL: s.Record().AgentsURL, AgentsCA: s.Record().AgentsCA, Namespace: stack.Namespace, Secrets: s.Secrets(), Out: &out, JSON: true})
	t.Logf("the demonstration took %v", time.Since(began).Round(time.Millisecond))
	must(t, err)
	for lines := json.NewDecoder(&out); lines.More(); {
		var step struct {
			Name, Skipped string
			Date          time.Time
		}
		must(t, lines.Decode(&step))
		if step.Skipped != "" || step.Date.Before(last) {
			t.Errorf("step %q at %v, after %v; skipped: %q", step.Name, step.Date, last, step.Skipped)
		}
		if last = step.Date; first.IsZero() {
			first = last
		}
	}
	if last.Before(first.AddDate(3, 0, 0)) {
		t.Errorf("it lasted from %v to %v", first, last)
	}
	return first, last
}
