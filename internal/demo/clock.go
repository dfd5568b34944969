package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokendesk/api/client"
	"tokendesk/models"
)

const standsStill = "Time cannot be moved on this stack, because its engine does not skip any, so this chapter is left out. On a stack that make run has started it takes some seconds."

// stands reports whether a chapter in which time passes cannot be told: the stack is asked to let a second pass.
func (p *play) stands(ctx context.Context, c chapter) (bool, error) {
	if !c.passes {
		return false, nil
	}
	second := "PT1S"
	_, err := client.Read[client.AdvanceReport](p.support.AdvanceSandboxClock(ctx, nil, client.ClockAdvance{By: &second}))
	if errors.Is(err, models.SandboxClockUnavailable) || errors.Is(err, models.NotASandbox) {
		return true, nil
	}
	return false, err
}

// date is the sandbox's now; zero where the stack has no clock to read.
func (p *play) date(ctx context.Context) (time.Time, error) {
	if p.undated {
		return time.Time{}, nil
	}
	clock, err := client.Read[client.SandboxClock](p.support.GetSandboxClock(ctx))
	if errors.Is(err, models.NotASandbox) {
		p.undated = true
		return time.Time{}, nil
	}
	return clock.Now, err
}

// until lets time pass for everybody, up to a moment.
func (p *play) until(ctx context.Context, at time.Time) (client.AdvanceReport, error) {
	report, err := client.Read[client.AdvanceReport](p.support.AdvanceSandboxClock(ctx, nil, client.ClockAdvance{To: &at}))
	if err != nil {
		return report, fmt.Errorf("let time pass until %s: %w", day(at), err)
	}
	return report, nil
}

// sight is what a person sees of her credential, and what a relying application is told of a fresh code of her token.
type sight struct {
	client.Credential
	answer client.Verification
}

// finds logs a person in, since sessions do not last for months, and sees that her credential is shown in a status and that the portal
// is told a result. What is due at a moment may take a moment to be done, and may end her sessions: support looks first.
func (p *play) finds(ctx context.Context, w *person, status models.DisplayedStatus, result models.VerificationResult) (s sight, err error) {
	_, err = await(ctx, fmt.Sprintf("credential %s to be %s", w.credential, status), func() (client.Credential, bool, error) {
		c, err := client.Read[client.Credential](p.support.GetCredential(ctx, w.credential))
		return c, c.Status == status, err
	})
	if err != nil {
		return s, err
	}
	if _, err = p.login(ctx, w); err != nil {
		return s, err
	}
	if s.Credential, err = client.Read[client.Credential](w.api.GetCredential(ctx, w.credential)); err != nil {
		return s, err
	}
	s.answer, err = p.ask(ctx, w, w.token.press())
	return s, all(err, same("what she is shown", s.Status, status), same("what the portal is told", s.answer.Result, result), same("whether the code is accepted", s.answer.Accepted, result == models.Accepted))
}
