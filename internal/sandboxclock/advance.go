package sandboxclock

import (
	"slices"
	"time"

	"tokendesk/models"
)

// Advance asks for time to move on. One of By and To is given.
type Advance struct {
	WorkflowID string        // one lifecycle, as order/SO-10042; empty: all that are running, in order of due dates
	By         time.Duration // from the sandbox's now
	To         time.Time     // an absolute moment
}

// Longest is how far one advance may go: ten years.
const Longest = 10 * 366 * 24 * time.Hour

// target is the moment to arrive at. Fault: InvalidRequest.
func (a Advance) target(now time.Time) (time.Time, error) {
	to := a.To.UTC().Truncate(time.Microsecond)
	switch {
	case a.By != 0 && !a.To.IsZero():
		return to, models.InvalidRequest.New("say how far, or until when, not both").At("/to")
	case a.By < 0 || a.By == 0 && a.To.IsZero():
		return to, models.InvalidRequest.New("time moves forward: say how far").At("/by")
	case a.By > 0:
		to = now.Add(a.By).Truncate(time.Microsecond)
	case to.Before(now):
		return to, models.InvalidRequest.New("the moment has passed: time never goes back").At("/to")
	}
	if to.Sub(now) > Longest {
		return to, models.InvalidRequest.New("at most ten years at once")
	}
	return to, nil
}

// Report says what an advance did, also one that did not arrive.
type Report struct {
	From, To   time.Time // the sandbox's now before and after
	Lifecycles int       // how many were taken along
	Ended      int       // how many of them came to their end on the way
	Wakes      []Wake    // in order of time
}

// Wake is a moment at which a lifecycle had something due.
type Wake struct {
	WorkflowID string
	At         time.Time // on the sandbox's clock
}

func (r *Report) woke(workflowID string, at ...time.Time) {
	for _, moment := range at {
		r.Wakes = append(r.Wakes, Wake{workflowID, moment})
	}
}

func (r *Report) sort() {
	slices.SortStableFunc(r.Wakes, func(a, b Wake) int { return a.At.Compare(b.At) })
}
