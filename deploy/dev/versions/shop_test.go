package versions

import (
	"slices"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tokendesk/activities"
	"tokendesk/deploy/dev/engine/enginetest"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/worker"
	"tokendesk/workflows"
)

// shop is a shop on a real engine; builds of the worker come and go.
type shop struct {
	*testing.T
	engine client.Client
	builds worker.Deployment
	st     *store.Store
	ring   *seal.Keyring
	buyer  models.Account
	steps  []worker.Steps
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{T: t, st: storetest.New(t), ring: storetest.Keyring(t)}
	s.engine = enginetest.Start(t, client.Options{}, map[string]any{
		"matching.wv.VersionDrainageStatusVisibilityGracePeriod": time.Second, // minutes, elsewhere
		"matching.wv.VersionDrainageStatusRefreshInterval":       time.Second,
	})
	s.builds = worker.NewDeployment(s.engine, enginetest.Namespace)
	s.buyer = storetest.Account(t, s.st)
	s.steps = []worker.Steps{&activities.Orders{Store: s.st, Sealer: s.ring}, &activities.Shipping{Store: s.st}, &activities.Refunds{Store: s.st},
		&activities.Credentials{Store: s.st, Sealer: s.ring, Hasher: storetest.Hasher}, &activities.Proofing{Store: s.st}}
	return s
}

// present starts a worker with the present code.
func (s *shop) present(build string) sdkworker.Worker {
	s.Helper()
	w, err := worker.New(s.engine, build, s.steps...)
	storetest.Must(s, err)
	return s.start(w)
}

// before starts a worker with earlier code under the same names.
func (s *shop) before(build string) sdkworker.Worker {
	s.Helper()
	w := sdkworker.New(s.engine, workflows.TaskQueue, sdkworker.Options{DeploymentOptions: worker.Versioned(build), StickyScheduleToStartTimeout: time.Second})
	w.RegisterWorkflowWithOptions(credentialBefore, workflow.RegisterOptions{Name: string(models.CredentialLifecycle), VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade})
	w.RegisterWorkflowWithOptions(refundBefore, workflow.RegisterOptions{Name: string(models.RefundLifecycle), VersioningBehavior: workflow.VersioningBehaviorPinned})
	b := workflows.NewBinder(w)
	for _, step := range s.steps {
		step.Bind(b)
	}
	return s.start(w)
}

func (s *shop) start(w sdkworker.Worker) sdkworker.Worker {
	s.Helper()
	storetest.Must(s, w.Start())
	s.Cleanup(w.Stop)
	return w
}

// join waits until a build has joined, and sees what the engine sends to it then.
func (s *shop) join(build string, promote bool, want worker.Routing) {
	s.Helper()
	b, err := s.builds.Join(s.Context(), build, promote)
	storetest.Must(s, err)
	if b.Routing != want {
		s.Fatalf("build %s has joined as %s, want %s", build, b.Routing, want)
	}
}

// stands sees what the engine sends to a build.
func (s *shop) stands(build string, want worker.Routing) {
	s.Helper()
	until(s.T, "build "+build+" to be "+string(want), func() bool {
		b, err := s.builds.Standing(s.Context(), build)
		storetest.Must(s, err)
		return b.Routing == want
	})
}

// dispatch tells the engine what it has to know of a lifecycle, and waits until that has done what it has to.
func (s *shop) dispatch(id string) {
	s.Helper()
	rows, err := s.st.ClaimOutbox(s.Context(), 100, time.Now(), time.Millisecond)
	storetest.Must(s, err)
	for _, row := range rows {
		if row.WorkflowID == id {
			_, err := workflows.NewClient(s.engine).Dispatch(s.Context(), row)
			storetest.Must(s, err)
			storetest.Must(s, s.st.OutboxDispatched(s.Context(), []int64{row.ID}, time.Now()))
		}
	}
	until(s.T, id+" to settle", func() bool {
		d, err := s.engine.DescribeWorkflowExecution(s.Context(), id, "")
		storetest.Must(s, err)
		return d.PendingWorkflowTask == nil
	})
}

// credential is one that is activated, and lives; its id in the engine.
func (s *shop) credential() (models.Credential, string) {
	s.Helper()
	storetest.Stock(s, s.st, s.ring, storetest.TokenModel, storetest.EventDevice, 1)
	o := storetest.FulfilledOrder(s, s.st, s.ring, s.buyer.ID)
	storetest.Shipped(s, s.st, o, 1)
	c := storetest.Activated(s, s.st, s.ring, s.buyer, o, 1)
	id := models.CredentialLifecycle.WorkflowID(c.ID)
	s.dispatch(id)
	return c, id
}

// refund is one that waits for a second person; its id in the engine.
func (s *shop) refund() (models.Refund, string) {
	s.Helper()
	p, err := s.st.Product(s.Context(), storetest.TokenSKU)
	storetest.Must(s, err)
	dear := p
	dear.SKU, dear.PriceMinor = "HW-GOLD", models.DefaultPolicy().Refund.SecondPersonAbove+1
	storetest.Must(s, s.st.PutProduct(s.Context(), dear))
	o := storetest.PaidOrder(s, s.st, s.buyer.ID, dear.SKU)
	r, err := s.st.RequestRefund(s.Context(), models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundMistake}, models.Actor{ID: "ak_1"}, storetest.At)
	storetest.Must(s, err)
	id := models.RefundLifecycle.WorkflowID(r.ID)
	s.dispatch(id)
	return r, id
}

// reject ends a refund.
func (s *shop) reject(r models.Refund) {
	s.Helper()
	storetest.Must(s, s.st.RejectRefund(s.Context(), r.ID, "It was used.", models.Actor{ID: "ak_2"}, storetest.At))
}

// suspend is something that happens to a credential.
func (s *shop) suspend(c models.Credential) {
	s.Helper()
	storetest.Must(s, s.st.SuspendCredential(s.Context(), c.ID, models.BySubscriber, models.Actor{ID: s.buyer.ID}, time.Now().UTC()))
	s.dispatch(models.CredentialLifecycle.WorkflowID(c.ID))
}

func (s *shop) reenable(c models.Credential) {
	s.Helper()
	storetest.Must(s, s.st.ReenableCredential(s.Context(), c.ID, models.BySubscriber, models.Actor{ID: s.buyer.ID}, time.Now().UTC()))
	s.dispatch(models.CredentialLifecycle.WorkflowID(c.ID))
}

func (s *shop) history(id string) *historypb.History {
	s.Helper()
	h := &historypb.History{}
	events := s.engine.GetWorkflowHistory(s.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		storetest.Must(s, err)
		h.Events = append(h.Events, e)
	}
	return h
}

// ran sees which builds have run a lifecycle, task by task; the same build again counts once.
func (s *shop) ran(id string, want ...string) {
	s.Helper()
	var builds []string
	for _, e := range s.history(id).Events {
		if done := e.GetWorkflowTaskCompletedEventAttributes(); done != nil {
			builds = append(builds, done.GetDeploymentVersion().GetBuildId())
		}
	}
	if builds = slices.Compact(builds); !slices.Equal(builds, want) {
		s.Errorf("%s ran on %v, want %v", id, builds, want)
	}
}

// cancelled counts the timers that a lifecycle has cancelled, which it does on the new side of the gate only.
func (s *shop) cancelled(id string) (n int) {
	s.Helper()
	for _, e := range s.history(id).Events {
		if e.EventType == enumspb.EVENT_TYPE_TIMER_CANCELED {
			n++
		}
	}
	return n
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
