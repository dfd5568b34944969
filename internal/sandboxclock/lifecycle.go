package sandboxclock

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"tokendesk/models"
)

// near is how close to a moment a lifecycle's own now must be to count as there. What is nearer comes by itself.
const near = 500 * time.Millisecond

// page is how many events of a history are read at once.
const page = 200

// lifecycle is what an advance knows of one: its pending timers, read from its history, because the engine tells them nowhere else
// and a search attribute says only what the lifecycle wanted to show.
type lifecycle struct {
	id, run string
	seen    int64               // the last event that was read
	timers  map[int64]time.Time // pending, by the event that started them
	ahead   time.Duration       // of real time, when it was looked at
	skips   bool                // the engine was told to skip, and has not
	joined  bool                // what fires from now on is part of the advance
	ended   bool
	woken   []time.Time
}

// next is when its first timer fires.
func (l *lifecycle) next() (first time.Time, pending bool) {
	for _, at := range l.timers {
		if !pending || at.Before(first) {
			first, pending = at, true
		}
	}
	return first, pending
}

// settle waits until nothing of a lifecycle is under way, and returns its own now. It may have ended, which is no error.
func (j *journey) settle(ctx context.Context, l *lifecycle) (now time.Time, err error) {
	for w := j.wait(); ; {
		d, err := j.Engine.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
			Namespace: j.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: l.id}})
		if gone(err) || err == nil && d.WorkflowExecutionInfo.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return now, j.close(ctx, l, d)
		}
		what := "the engine does not answer"
		if err == nil {
			if what = underWay(d); what == "" {
				return l.look(d), j.read(ctx, l, d.WorkflowExecutionInfo)
			}
		}
		if err := w.longer(ctx, l.id+": "+what); err != nil {
			return now, err
		}
	}
}

func gone(err error) bool {
	_, missing := errors.AsType[*serviceerror.NotFound](err)
	return missing
}

// look takes over what a description says of time.
func (l *lifecycle) look(d *workflowservice.DescribeWorkflowExecutionResponse) time.Time {
	now := realNow()
	if info := d.WorkflowExtendedInfo.GetTimeSkippingInfo(); info != nil {
		l.ahead = info.CurrentTime.AsTime().Sub(now)
		l.skips = info.EffectiveConfig.GetEnabled()
	}
	return now.Add(l.ahead)
}

// underWay says in words what keeps a lifecycle busy.
func underWay(d *workflowservice.DescribeWorkflowExecutionResponse) string {
	for _, a := range d.PendingActivities {
		return "the step " + a.ActivityType.GetName() + " is on attempt " + strconv.Itoa(int(a.Attempt))
	}
	if len(d.PendingChildren)+len(d.PendingNexusOperations) > 0 {
		return "it waits for another workflow"
	}
	if t := d.PendingWorkflowTask; t != nil {
		return "no worker has finished its workflow task, attempt " + strconv.Itoa(int(t.Attempt))
	}
	return ""
}

// close reads how a lifecycle ended.
func (j *journey) close(ctx context.Context, l *lifecycle, d *workflowservice.DescribeWorkflowExecutionResponse) error {
	l.ended, l.skips = true, false
	defer func() { clear(l.timers) }()
	if d == nil {
		return nil
	}
	return j.read(ctx, l, d.WorkflowExecutionInfo)
}

// read brings what is known of a lifecycle's timers up to date.
func (j *journey) read(ctx context.Context, l *lifecycle, info *workflowpb.WorkflowExecutionInfo) error {
	if run := info.Execution.RunId; run != l.run { // the first look, or it has continued as new
		if l.run != "" {
			if err := j.catchUp(ctx, l, math.MaxInt64); err != nil {
				return err
			}
		}
		l.run, l.seen, l.timers = run, 0, map[int64]time.Time{}
	}
	if info.HistoryLength <= l.seen {
		return nil
	}
	return j.catchUp(ctx, l, info.HistoryLength)
}

// catchUp reads a run's history from an event back to the last that is known. What has been added since the run was described is
// left for the next look: of that it is not known whether the run has settled.
func (j *journey) catchUp(ctx context.Context, l *lifecycle, last int64) error {
	var events []*historypb.HistoryEvent
	for token := []byte(nil); ; {
		r, err := j.Engine.GetWorkflowExecutionHistoryReverse(ctx, &workflowservice.GetWorkflowExecutionHistoryReverseRequest{
			Namespace: j.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: l.id, RunId: l.run}, MaximumPageSize: page, NextPageToken: token})
		if err != nil {
			return models.ServiceDown.Because(fmt.Errorf("read the history of %s: %w", l.id, err))
		}
		known := false
		for _, e := range r.History.GetEvents() {
			if known = e.EventId <= l.seen; known {
				break
			}
			if e.EventId <= last {
				events = append(events, e)
			}
		}
		if token = r.NextPageToken; known || len(token) == 0 {
			break
		}
	}
	for _, e := range slices.Backward(events) {
		l.apply(e)
	}
	return nil
}

func (l *lifecycle) apply(e *historypb.HistoryEvent) {
	l.seen = e.EventId
	switch e.EventType {
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		l.timers[e.EventId] = e.EventTime.AsTime().Add(e.GetTimerStartedEventAttributes().StartToFireTimeout.AsDuration())
	case enumspb.EVENT_TYPE_TIMER_CANCELED:
		delete(l.timers, e.GetTimerCanceledEventAttributes().StartedEventId)
	case enumspb.EVENT_TYPE_TIMER_FIRED:
		started := e.GetTimerFiredEventAttributes().StartedEventId
		if at, known := l.timers[started]; known && l.joined {
			l.woken = append(l.woken, at)
		}
		delete(l.timers, started)
	}
}

// bring brings a lifecycle to a moment: the timers up to there fire, one after the other, each at its own moment.
//
// A lifecycle skips to its next timer, once, and never beyond the moment that is asked for: should the timer have been
// replaced meanwhile by a later one, it does not go there. Only a lifecycle that was seen at rest is told to skip, so it has
// done so when the call returns; one that has become busy since then, and stays so, is told to stop.
func (j *journey) bring(ctx context.Context, l *lifecycle, to time.Time) error {
	defer j.stopSkipping(ctx, l)
	now := realNow().Add(l.ahead)
	for w := j.wait(); !l.ended; {
		next, due := l.next()
		if due = due && !next.After(to); !due {
			next = to
		}
		var err error
		switch gap := next.Sub(now); {
		case gap >= near:
			l.skips = true
			err = j.skip(ctx, l.id, &commonpb.TimeSkippingConfig{Enabled: true, DisablePropagation: true, MaxSessionSkipCount: 1,
				FastForwardConfig: &commonpb.FastForwardConfig{Id: Until(next), Duration: durationpb.New(gap)}})
			if err != nil && !gone(err) {
				return models.ServiceDown.Because(fmt.Errorf("skip the time of %s: %w", l.id, err))
			}
			w = j.wait()
		case due: // the engine fires the timer at any moment
			err = w.longer(ctx, l.id+": its timer of "+next.Format(time.RFC3339)+" does not fire")
		default:
			return nil
		}
		if err != nil && !gone(err) {
			return err
		}
		if now, err = j.settle(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// stopSkipping takes back what a lifecycle was told and has not done: it must not do so later, when nobody expects it.
func (j *journey) stopSkipping(ctx context.Context, l *lifecycle) {
	if l.skips {
		l.skips = false
		_ = j.skip(context.WithoutCancel(ctx), l.id, &commonpb.TimeSkippingConfig{DisablePropagation: true, MaxSessionSkipCount: 1})
	}
}
