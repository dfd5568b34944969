package sandboxclock

import (
	"slices"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func started(id int64, after time.Duration) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventId: id, EventTime: timestamppb.New(noon), EventType: enumspb.EVENT_TYPE_TIMER_STARTED,
		Attributes: &historypb.HistoryEvent_TimerStartedEventAttributes{TimerStartedEventAttributes: &historypb.TimerStartedEventAttributes{
			StartToFireTimeout: durationpb.New(after)}}}
}

func fired(id, of int64) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventId: id, EventType: enumspb.EVENT_TYPE_TIMER_FIRED,
		Attributes: &historypb.HistoryEvent_TimerFiredEventAttributes{TimerFiredEventAttributes: &historypb.TimerFiredEventAttributes{StartedEventId: of}}}
}

func cancelled(id, of int64) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventId: id, EventType: enumspb.EVENT_TYPE_TIMER_CANCELED,
		Attributes: &historypb.HistoryEvent_TimerCanceledEventAttributes{TimerCanceledEventAttributes: &historypb.TimerCanceledEventAttributes{StartedEventId: of}}}
}

func TestTimersOfALifecycle(t *testing.T) {
	cases := []struct {
		name   string
		joined bool
		events []*historypb.HistoryEvent
		next   time.Duration // from noon; 0: none is pending
		woken  []time.Duration
	}{
		{"none", true, nil, 0, nil},
		{"one", true, []*historypb.HistoryEvent{started(5, day)}, day, nil},
		{"the_first_of_two", true, []*historypb.HistoryEvent{started(5, 3*day), started(6, 2*day)}, 2 * day, nil},
		{"fired", true, []*historypb.HistoryEvent{started(5, day), fired(6, 5), started(10, 4*day)}, 4 * day, []time.Duration{day}},
		{"fired_before_the_advance", false, []*historypb.HistoryEvent{started(5, day), fired(6, 5)}, 0, nil},
		{"replaced", true, []*historypb.HistoryEvent{started(5, day), cancelled(8, 5), started(9, 300*day)}, 300 * day, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := &lifecycle{timers: map[int64]time.Time{}, joined: c.joined}
			for _, e := range c.events {
				l.apply(e)
			}
			next, pending := l.next()
			if pending != (c.next != 0) || pending && !next.Equal(noon.Add(c.next)) {
				t.Errorf("next is %v, %t", next, pending)
			}
			var woken []time.Duration
			for _, at := range l.woken {
				woken = append(woken, at.Sub(noon))
			}
			if !slices.Equal(woken, c.woken) {
				t.Errorf("woke %v", woken)
			}
			if n := len(c.events); n > 0 && l.seen != c.events[n-1].EventId {
				t.Errorf("seen up to %d", l.seen)
			}
		})
	}
}

func TestWhatIsUnderWay(t *testing.T) {
	cases := []struct {
		name string
		d    *workflowservice.DescribeWorkflowExecutionResponse
		want string
	}{
		{"nothing", &workflowservice.DescribeWorkflowExecutionResponse{}, ""},
		{"a_step", &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: []*workflowpb.PendingActivityInfo{
			{ActivityType: &commonpb.ActivityType{Name: "order.charge.capture"}, Attempt: 7}}}, "the step order.charge.capture is on attempt 7"},
		{"no_worker", &workflowservice.DescribeWorkflowExecutionResponse{PendingWorkflowTask: &workflowpb.PendingWorkflowTaskInfo{Attempt: 1}},
			"no worker has finished its workflow task, attempt 1"},
		{"a_child", &workflowservice.DescribeWorkflowExecutionResponse{PendingChildren: []*workflowpb.PendingChildExecutionInfo{{}}}, "it waits for another workflow"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := underWay(c.d); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}
