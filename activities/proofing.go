package activities

import (
	"context"
	"errors"
	"time"

	"tokendesk/activities/gateway/meeting"
	"tokendesk/activities/gateway/post"
	identity "tokendesk/activities/gateway/proofing"
	"tokendesk/internal/documents"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/workflows"
)

// Proofing performs the steps of the proofing lifecycle.
type Proofing struct {
	Store    *store.Store
	Identity identity.Provider
	Meetings meeting.Provider
	Post     post.Provider
	Seller   documents.Seller
}

// Bind registers the steps.
func (p *Proofing) Bind(b *workflows.Binder) {
	workflows.Bind(b, workflows.AdvanceProofing, p.advance)
	workflows.Bind(b, workflows.FetchProofing, p.fetch)
	workflows.Bind(b, workflows.PostCode, p.postCode)
	workflows.Bind(b, workflows.ArrangeMeeting, p.arrangeMeeting)
	workflows.Bind(b, workflows.ForgetSessions, p.forget)
}

// own is the store for the case's lifecycle, which looks again after each of its steps.
func (p *Proofing) own(in workflows.ProofingAt) *store.Store {
	return p.Store.Of(models.ProofingLifecycle, in.ID)
}

func (p *Proofing) advance(ctx context.Context, in workflows.ProofingAt) (f workflows.ProofingFacts, err error) {
	s, err := p.own(in).AdvanceProofing(ctx, in.ID, in.At)
	if err != nil {
		return f, err
	}
	f = workflows.ProofingFacts{Status: s.Case.Status, ProductKind: s.ProductKind, Organization: s.OrganizationID,
		Fetch: !s.FetchAt.IsZero() && !in.At.Before(s.FetchAt), Letter: s.Letter, Meeting: s.Meeting, Tidying: s.Tidying, NeedsPerson: s.Overdue}
	if next, ok := s.Timeline.NextPerformed(in.At); ok {
		f.NextAt, f.NextWhat = next.At, next.What
	}
	if ahead := !f.Fetch && !s.FetchAt.IsZero(); ahead && (f.NextAt.IsZero() || s.FetchAt.Before(f.NextAt)) {
		f.NextAt, f.NextWhat = s.FetchAt, "the provider is asked for the result"
	}
	return f, nil
}

// fetch fetches a result, whether a webhook came or not (PRF-3). A provider that does not answer is asked again later; the person can turn to live video meanwhile.
func (p *Proofing) fetch(ctx context.Context, in workflows.ProofingAt) (none, error) {
	session, due, err := p.Store.SessionToFetch(ctx, in.ID, in.At)
	if err != nil || !due {
		return none{}, err
	}
	if session.Asked() { // whoever asked the provider has gone before it answered
		return none{}, p.own(in).ProofingSessionNotStarted(ctx, session.ID, in.At)
	}
	found, err := p.Identity.Fetch(ctx, session.ProviderRef)
	if errors.Is(err, models.NoSuchThing) { // the provider has thrown it away
		ended := models.OutcomeTimedOut
		found, err = identity.Session{Phase: models.SessionEnded, Outcome: &ended}, nil
	}
	if err != nil {
		return none{}, err
	}
	_, err = p.own(in).RecordProofingResult(ctx, session.ProviderRef, models.ProofingResult{Phase: found.Phase, Outcome: found.Outcome}, in.At)
	return none{}, err
}

// postCode posts a code to where the provider located the person (PRF-4). The address passes through memory only. A letter whose fate is not known is looked for
// at the printer first: the code in it cannot be made again, so if the printer does not have it, another one takes its place (OPS-2).
func (p *Proofing) postCode(ctx context.Context, in workflows.ProofingAt) (none, error) {
	letter, due, err := p.Store.LetterDue(ctx, in.ID)
	if err != nil || !due {
		return none{}, err
	}
	if letter.Asked != nil {
		if _, found, err := p.Post.Find(ctx, letter.Asked.ID); err != nil {
			return none{}, err
		} else if found {
			return none{}, p.own(in).LetterPosted(ctx, in.ID, letter.Asked.ID, in.At)
		}
	}
	to, err := p.Identity.Located(ctx, letter.ProviderRef)
	if errors.Is(err, models.NoSuchThing) || errors.Is(err, models.StateForbids) {
		return none{}, p.own(in).LetterImpossible(ctx, in.ID, in.At)
	}
	if err != nil {
		return none{}, err
	}
	code, row, err := p.own(in).IssueLetterCode(ctx, in.ID, to.Contiguous(), in.At)
	if errors.Is(err, models.StateForbids) { // the case has moved on meanwhile
		return none{}, nil
	}
	if err != nil {
		return none{}, err
	}
	policy, err := p.Store.Policy(ctx, letter.Case.PolicyVersion)
	if err != nil {
		return none{}, err
	}
	lastDay := row.ExpiresAt.Add(-time.Second).In(policy.Location())
	pdf, err := documents.ActivationLetter(documents.Letter{Seller: p.Seller, To: to, Reference: row.ID, Code: code, IssuedAt: row.IssuedAt, ExpiresAt: lastDay})
	if err != nil {
		return none{}, err
	}
	_, err = p.Post.Send(ctx, post.Letter{IdempotencyKey: row.ID, To: to, PDF: pdf})
	if errors.Is(err, models.PostalAddressNotUsable) {
		return none{}, p.own(in).LetterImpossible(ctx, in.ID, in.At)
	}
	if err != nil {
		return none{}, err
	}
	return none{}, p.own(in).LetterPosted(ctx, in.ID, row.ID, in.At)
}

// arrangeMeeting makes the meeting of an appointment that is near, so that its link can be mailed, and cancels those that nobody wants any more (PRF-5).
func (p *Proofing) arrangeMeeting(ctx context.Context, in workflows.ProofingAt) (none, error) {
	unwanted, err := p.Store.MeetingsToCancel(ctx, in.ID)
	if err != nil {
		return none{}, err
	}
	for _, a := range unwanted {
		if err := p.Meetings.Cancel(ctx, a.MeetingRef); err != nil {
			return none{}, err
		}
		if err := p.own(in).MeetingCancelled(ctx, a.ID, a.MeetingRef, in.At); err != nil {
			return none{}, err
		}
	}
	a, err := p.Store.MeetingDue(ctx, in.ID, in.At)
	if err != nil || a == nil {
		return none{}, err
	}
	room, err := p.Meetings.Create(ctx, meeting.Request{IdempotencyKey: a.MeetingKey(), AgentID: a.AgentID, Title: "Identity proofing", Starts: a.StartsAt, Ends: a.EndsAt})
	if err != nil {
		return none{}, err
	}
	return none{}, p.own(in).MeetingMade(ctx, a.ID, a.Sequence, room.Ref, room.URL, in.At)
}

// forget makes the provider forget sessions that have ended (PRF-2).
func (p *Proofing) forget(ctx context.Context, in workflows.ProofingAt) (none, error) {
	sessions, err := p.Store.SessionsToForget(ctx, in.ID, in.At)
	if err != nil {
		return none{}, err
	}
	for _, s := range sessions {
		if err := p.Identity.Redact(ctx, s.ProviderRef); err != nil && !errors.Is(err, models.NoSuchThing) {
			return none{}, err
		}
		if err := p.own(in).SessionForgotten(ctx, s.ID, in.At); err != nil {
			return none{}, err
		}
	}
	return none{}, nil
}
