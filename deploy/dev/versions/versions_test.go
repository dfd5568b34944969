// Package versions runs several builds of the worker at once on a real engine.
package versions

import (
	"log/slog"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"tokendesk/models/store/storetest"
	"tokendesk/worker"
)

// OPS-3: two builds work at the same time. A refund ends on the build that began it, though the present code could not go on with it;
// a credential moves to the present build, through a gate, on the side on which it comes; what is new begins there.
func TestTwoBuilds(t *testing.T) {
	s := newShop(t)
	s.before("before")
	s.join("before", true, worker.Current)
	quiet, quietID := s.credential()
	told, toldID := s.credential()
	s.suspend(told) // what the gate is about: under the earlier code a wait has ended before its deadline
	old, oldID := s.refund()

	s.present("present")
	s.join("present", true, worker.Current)
	s.stands("before", worker.Draining)
	s.suspend(quiet)
	s.reenable(told)
	_, freshID := s.credential()
	next, nextID := s.refund()

	s.ran(quietID, "before", "present")
	s.ran(toldID, "before", "present")
	s.ran(freshID, "present")
	s.ran(oldID, "before")
	s.ran(nextID, "present")
	if s.cancelled(quietID) != 1 || s.cancelled(toldID) != 0 {
		t.Errorf("the gate let %d and %d timers be cancelled, want 1 and 0", s.cancelled(quietID), s.cancelled(toldID))
	}
	for _, id := range []string{quietID, toldID, freshID, nextID} {
		if err := s.replay(id); err != nil {
			t.Errorf("%s does not replay on the present code: %v", id, err)
		}
	}
	if s.replay(oldID) == nil {
		t.Error("the old refund replays on the present code: it proves nothing")
	}

	s.reject(old)
	s.dispatch(oldID)
	s.reject(next)
	s.dispatch(nextID)
	s.ended(oldID)
	s.ended(nextID)
	s.ran(oldID, "before")
	s.ran(nextID, "present")
	s.stands("before", worker.Drained)
}

// OPS-3: a build promotes itself once in its life. One that was superseded, or that an operator holds back, waits for an operator.
func TestPromotion(t *testing.T) {
	s := newShop(t)
	first := s.present("1")
	s.join("1", true, worker.Current)
	s.present("2")
	s.join("2", false, worker.Waiting)
	_, id := s.credential()
	s.ran(id, "1")

	storetest.Must(t, s.builds.Ramp(t.Context(), "2", 100))
	s.stands("2", worker.Ramping)
	_, id = s.credential()
	s.ran(id, "2")
	storetest.Must(t, s.builds.Ramp(t.Context(), "2", 0))
	_, id = s.credential()
	s.ran(id, "1")

	storetest.Must(t, s.builds.Promote(t.Context(), "2"))
	s.stands("2", worker.Current)
	first.Stop()
	s.present("1") // a worker of the build before restarts
	b, err := s.builds.Join(t.Context(), "1", true)
	storetest.Must(t, err)
	if b.Routing != worker.Draining && b.Routing != worker.Drained {
		t.Errorf("the build before has joined again as %s", b.Routing)
	}
	storetest.Must(t, s.builds.Promote(t.Context(), "1")) // the operator takes the release back
	_, id = s.credential()
	s.ran(id, "1")
	if s.builds.Promote(t.Context(), "nobody") == nil {
		t.Error("a build was promoted that no worker polls for")
	}
}

// OPS-3: what stays on a build whose workers are gone for good can be moved, and stays where it has come.
func TestMove(t *testing.T) {
	s := newShop(t)
	gone := s.present("gone")
	s.join("gone", true, worker.Current)
	r, id := s.refund()
	gone.Stop()
	s.present("here")
	s.join("here", true, worker.Current)
	until(t, "the run to be listed", func() bool {
		moved, err := s.builds.Move(t.Context(), "gone")
		storetest.Must(t, err)
		return moved == 1
	})
	s.reject(r)
	s.dispatch(id)
	s.ended(id)
	s.ran(id, "gone", "here")
	if _, err := s.builds.Move(t.Context(), "here"); err == nil {
		t.Error("runs of the current build were moved to it")
	}
}

func (s *shop) replay(id string) error {
	s.Helper()
	replayer := sdkworker.NewWorkflowReplayer()
	worker.Register(replayer)
	return replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), s.history(id))
}

func (s *shop) ended(id string) {
	s.Helper()
	d, err := s.engine.DescribeWorkflowExecution(s.Context(), id, "")
	storetest.Must(s, err)
	if d.WorkflowExecutionInfo.Status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		s.Errorf("%s is %s", id, d.WorkflowExecutionInfo.Status)
	}
}
