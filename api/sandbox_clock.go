package api

import (
	"context"
	"regexp"
	"strconv"
	"time"

	"tokendesk/api/gen"
	"tokendesk/internal/sandboxclock"
	"tokendesk/models"
)

// TimeMachine moves the time of a sandbox.
type TimeMachine interface {
	// Now is the sandbox's now, and how far it is ahead of real time.
	Now(ctx context.Context) (time.Time, time.Duration, error)
	// Advance moves lifecycles and the sandbox's now on. Faults: InvalidRequest, and those of the sandbox's clock.
	Advance(ctx context.Context, a sandboxclock.Advance) (sandboxclock.Report, error)
}

// GetSandboxClock shows the sandbox's now.
func (s *server) GetSandboxClock(ctx context.Context, _ gen.GetSandboxClockRequestObject) (gen.GetSandboxClockResponseObject, error) {
	if s.TimeMachine == nil {
		return nil, models.NotASandbox.New("")
	}
	now, ahead, err := s.TimeMachine.Now(ctx)
	return gen.GetSandboxClock200JSONResponse{Now: now, AheadSeconds: int64(ahead / time.Second)}, err
}

// AdvanceSandboxClock lets time pass. It goes on though the caller hangs up: half an advance is no use to anybody.
func (s *server) AdvanceSandboxClock(ctx context.Context, r gen.AdvanceSandboxClockRequestObject) (gen.AdvanceSandboxClockResponseObject, error) {
	if s.TimeMachine == nil {
		return nil, models.NotASandbox.New("")
	}
	b := r.Body
	if (b.By == nil) == (b.To == nil) {
		return nil, models.InvalidRequest.New("say how far, or until when: exactly one of by and to")
	}
	a := sandboxclock.Advance{WorkflowID: deref(b.WorkflowID), To: deref(b.To)}
	if b.By != nil {
		now, _, err := s.TimeMachine.Now(ctx)
		if err != nil {
			return nil, err
		}
		if a.By, err = durationFrom(now, *b.By); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callOf(ctx).op.timeout)
	defer cancel()
	report, err := s.TimeMachine.Advance(ctx, a)
	if err != nil {
		return nil, err
	}
	return gen.AdvanceSandboxClock200JSONResponse{Body: gen.AdvanceReport{From: report.From, To: report.To, Lifecycles: int64(report.Lifecycles),
		Ended: int64(report.Ended), Wakes: each(report.Wakes, func(w sandboxclock.Wake) gen.Wake { return gen.Wake{WorkflowID: w.WorkflowID, At: w.At} })}}, nil
}

var isoDuration = regexp.MustCompile(`^P(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?$`)

// durationFrom is how long an ISO 8601 duration is from a moment on: years, months, weeks and days go by the calendar.
func durationFrom(now time.Time, text string) (time.Duration, error) {
	parts := isoDuration.FindStringSubmatch(text)
	if parts == nil {
		return 0, models.InvalidRequest.New("it is no duration such as P30D, P1Y2M or PT36H").At("/by")
	}
	n := make([]int, len(parts))
	for i, part := range parts[1:] {
		n[i], _ = strconv.Atoi(part) // digits, or nothing
	}
	to := now.AddDate(n[0], n[1], 7*n[2]+n[3]).Add(time.Duration(n[4])*time.Hour + time.Duration(n[5])*time.Minute + time.Duration(n[6])*time.Second)
	if by := to.Sub(now); by > 0 {
		return by, nil
	}
	return 0, models.InvalidRequest.New("time moves forward: say how far").At("/by")
}
