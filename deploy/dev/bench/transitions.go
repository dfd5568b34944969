package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack"
	"tokendesk/models"
)

// What each thing that a lifecycle must do costs the engine, in state transitions.
const (
	aRun             = 3 // its first task, with the Update and local steps in it
	anActivity       = 3
	aSignal          = 3
	aTimer           = 3
	overFloor        = 1.5
	orderAndShipment = 33
)

// lifecycle is what a lifecycle of a journey must at least do.
type lifecycle struct {
	name  string
	floor int
	id    func(*journey.Journey) string
}

func orderID(j *journey.Journey) string    { return models.OrderLifecycle.WorkflowID(j.Order.Number) }
func shipmentID(j *journey.Journey) string { return models.ShipmentLifecycle.WorkflowID(j.Shipment.ID) }
func credentialID(j *journey.Journey) string {
	return models.CredentialLifecycle.WorkflowID(j.Credential.ID)
}

// transitions counts the state transitions of each lifecycle beside its floor.
func transitions(ctx context.Context, r *report) error {
	return withStack(ctx, nil, func(s *stack.Stack) error { return countTransitions(ctx, r, s) })
}

func countTransitions(ctx context.Context, r *report, s *stack.Stack) error {
	engine, err := client.Dial(client.Options{HostPort: s.TemporalAddress(), Namespace: stack.Namespace})
	if err != nil {
		return err
	}
	defer engine.Close()
	w := journey.NewWorld(s.APIURL(), s.Secrets())
	if err := w.Stock(ctx, 20); err != nil {
		return err
	}
	parcel := aRun + anActivity + 2*aSignal // a label, and two reports of the carrier
	shipment := lifecycle{"shipment, delivered", parcel, shipmentID}
	credential := lifecycle{"credential, registered", aRun + aSignal, credentialID}
	for _, c := range []struct {
		cards []string
		order lifecycle
	}{
		{nil, lifecycle{"order, paid by bank transfer", aRun + aSignal, orderID}},
		{[]string{journey.GoodCard}, lifecycle{"order, paid by card", aRun + 2*anActivity, orderID}},
	} {
		if err := count(ctx, r, engine, w, c.cards, c.order, shipment, credential); err != nil {
			return err
		}
	}
	if err := proofings(ctx, r, s, engine, w); err != nil {
		return err
	}
	return quietLife(ctx, r, s, engine, w)
}

// count plays three journeys and reports the median of each lifecycle.
func count(ctx context.Context, r *report, engine client.Client, w *journey.World, cards []string, lifecycles ...lifecycle) error {
	counts := make([][]float64, len(lifecycles))
	var sums []float64
	for range 3 {
		person, err := w.Person(ctx)
		if err != nil {
			return err
		}
		j := &journey.Journey{World: w, Person: person, Cards: cards}
		if err := j.Run(ctx); err != nil {
			return err
		}
		sum := 0.0
		for i, l := range lifecycles {
			n, err := atRest(ctx, engine, l.id(j))
			if err != nil {
				return err
			}
			counts[i] = append(counts[i], n)
			if i < 2 {
				sum += n
			}
		}
		sums = append(sums, sum)
	}
	for i, l := range lifecycles {
		n := median(counts[i])
		r.add("transitions: "+l.name, n, "count", float64(l.floor))
		r.atMost(overFloor, "ratio to floor: "+l.name, n/float64(l.floor), "ratio", float64(l.floor))
	}
	r.atMost(orderAndShipment, "transitions: "+lifecycles[0].name+", and its shipment", median(sums), "count", 0)
	return nil
}

// atRest returns the state transitions of a lifecycle once it has nothing more to do: it stands still for a second.
func atRest(ctx context.Context, engine client.Client, id string) (float64, error) {
	const looks, pause, patience = 10, 100 * time.Millisecond, 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last int64 = -1
	for still := 0; still < looks; still++ {
		d, err := engine.DescribeWorkflowExecution(ctx, id, "")
		switch _, missing := errors.AsType[*serviceerror.NotFound](err); {
		case missing: // the outbox has not started it yet
			still = 0
		case err != nil:
			return 0, fmt.Errorf("describe %s: %w", id, err)
		case d.WorkflowExecutionInfo.StateTransitionCount != last:
			last, still = d.WorkflowExecutionInfo.StateTransitionCount, 0
		}
		time.Sleep(pause)
	}
	return float64(last), nil
}
