package main

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack"
	"tokendesk/models"
)

// proofings counts the state transitions of a proofing by self-service and of one by live video, each from the activation to the first token.
func proofings(ctx context.Context, r *report, s *stack.Stack, engine client.Client, w *journey.World) error {
	office := &journey.Office{World: w, URL: s.Record().AgentsURL, CA: s.Record().AgentsCA}
	for _, p := range []struct {
		name, country, lastName string
		floor                   int
		proof                   func(context.Context, *journey.Journey) error
	}{
		// consent, data given, news, registered; fetched, forgotten
		{"proofing, self-service", "US", "Passes", aRun + 4*aSignal + 2*anActivity, selfService},
		// chosen, booked, passed, code typed, registered; reminder, link; a meeting made
		{"proofing, live video", "DE", "", aRun + 5*aSignal + 2*aTimer + anActivity, func(ctx context.Context, j *journey.Journey) error { return liveVideo(ctx, j, office) }},
	} {
		var counts []float64
		for range 3 {
			person, err := w.Named(ctx, p.lastName)
			if err != nil {
				return err
			}
			j := &journey.Journey{World: w, Person: person, Proofs: p.country}
			n, err := proofing(ctx, engine, j, p.proof)
			if err != nil {
				return err
			}
			counts = append(counts, n)
		}
		n, floor := median(counts), float64(p.floor)
		r.add("transitions: "+p.name, n, "count", floor)
		r.atMost(overFloor, "ratio to floor: "+p.name, n/floor, "ratio", floor)
	}
	return nil
}

func proofing(ctx context.Context, engine client.Client, j *journey.Journey, proof func(context.Context, *journey.Journey) error) (float64, error) {
	for _, do := range []func(context.Context) error{
		j.Activate, j.Proof, func(ctx context.Context) error { return proof(ctx, j) },
		func(ctx context.Context) error { return j.ProofedAs(ctx, models.ProofingDone) },
		j.Run, func(ctx context.Context) error { return j.ProofedAs(ctx, models.ProofingCompleted) },
	} {
		if err := do(ctx); err != nil {
			return 0, err
		}
	}
	return atRest(ctx, engine, models.ProofingLifecycle.WorkflowID(j.Proofing.ID))
}

func selfService(ctx context.Context, j *journey.Journey) error {
	for _, do := range []func(context.Context) error{j.Consent, j.GiveIdentity, j.TakePictures} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func liveVideo(ctx context.Context, j *journey.Journey, office *journey.Office) error {
	if err := j.ChooseVideo(ctx); err != nil {
		return err
	}
	now, err := j.World.Now(ctx)
	if err != nil {
		return err
	}
	booked, err := j.Book(ctx, now.AddDate(0, 0, 2), j.World.Contact())
	if err != nil {
		return err
	}
	if _, err := j.World.Advance(ctx, booked.StartsAt.Add(10*time.Minute)); err != nil {
		return err
	}
	agent, _, err := office.Assigned(ctx, booked)
	if err != nil {
		return err
	}
	outcome, err := agent.Pass(ctx, j.Person, booked.ID)
	if err != nil {
		return err
	}
	recorded, err := agent.Record(ctx, booked.ID, outcome)
	if err != nil {
		return err
	}
	return j.EnterCode(ctx, *recorded.ActivationCode)
}
