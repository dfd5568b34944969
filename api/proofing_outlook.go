package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
)

// proofingOutlook is what a proofing waits for. Why an attempt did not succeed is in none of it (PRF-4).
func proofingOutlook(p proofingState) outlook {
	switch c := p.Case; c.Status {
	case models.ProofingChoosing:
		if c.Exhausted(p.policy) {
			return outlook{gen.WaitingOnHolder, "another attempt to be bought: those that were included are used up"}
		}
		if slices.Contains(models.ProofingMethods(c.Country), models.BySelfService) {
			return outlook{gen.WaitingOnHolder, "the choice of self-service or a live video session"}
		}
		return outlook{gen.WaitingOnHolder, "the choice of a live video session"}
	case models.ProofingSelfService:
		return selfServiceOutlook(p.Session)
	case models.ProofingScheduling:
		if p.held != nil {
			return outlook{gen.WaitingOnHolder, "contact data for the slot that is held"}
		}
		return outlook{gen.WaitingOnHolder, "the choice of a slot for the live video session"}
	case models.ProofingScheduled:
		if p.Booked != nil && !p.at.Before(p.Booked.StartsAt) {
			return outlook{gen.WaitingOnStaff, "the outcome of the live video session, which the agent records"}
		}
		return outlook{gen.WaitingOnTime, "the live video session that is booked"}
	case models.ProofingInReview:
		return outlook{gen.WaitingOnStaff, "a second person's look at what the agent recorded; the activation code can be used afterwards"}
	case models.ProofingAwaitingCode:
		return codeOutlook(p.Code)
	case models.ProofingDone:
		return outlook{gen.WaitingOnHolder, "the registration of an authenticator: the serial number of the token and two consecutive codes"}
	case models.ProofingCompleted:
		return outlook{gen.WaitingOnNobody, "nothing more happens: the identity is proofed"}
	}
	return outlook{gen.WaitingOnNobody, "nothing more happens: the proofing ended with what it was for"}
}

func selfServiceOutlook(session *models.ProofingSession) outlook {
	if session == nil {
		return outlook{gen.WaitingOnHolder, "what self-service needs to know: address, date of birth, phone, and the last four digits of the Social Security number"}
	}
	switch session.Phase {
	case models.SessionNeedsSSN:
		return outlook{gen.WaitingOnHolder, "all nine digits of the Social Security number"}
	case models.SessionQuestions:
		return outlook{gen.WaitingOnHolder, "the answers to the questions"}
	case models.SessionCapture:
		return outlook{gen.WaitingOnHolder, "the pictures that the link on the phone asks for"}
	}
	return outlook{gen.WaitingOnProvider, "the identity provider's check"}
}

func codeOutlook(code *models.ActivationCode) outlook {
	switch {
	case code == nil:
		return outlook{gen.WaitingOnTokendesk, "a letter with an activation code to be made"}
	case code.Status == models.CodePending:
		return outlook{gen.WaitingOnTokendesk, "the letter with the activation code to be posted"}
	case code.Channel == models.CodeByPost:
		return outlook{gen.WaitingOnHolder, "the activation code that the letter brings"}
	}
	return outlook{gen.WaitingOnHolder, "the activation code that the agent gave"}
}

// proofingLeftAlone is what becomes of a proofing about which nobody does anything, where that is not what its last milestone says. Empty: it is.
func proofingLeftAlone(c models.ProofingCase) string {
	switch c.Status {
	case models.ProofingChoosing, models.ProofingScheduling:
		if c.Purpose == models.ProofingForUpgrade {
			return "the proofing goes on waiting, and the credential stays as it is"
		}
		return "the proofing goes on waiting; the credential cannot be used, and its term runs"
	}
	return ""
}

// proofingOf is the newest proofing of a credential's person; nil: there is none.
func (s *server) proofingOf(ctx context.Context, credentialID string) (*models.ProofingCase, error) {
	all, err := s.Store.ProofingsOfCredential(ctx, credentialID)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// withProofing adds to the outlook of a credential, and to what is ahead of it, the proofing that goes on for it.
func (s *server) withProofing(ctx context.Context, st models.Standing, o outlook, ahead models.Timeline, at time.Time) (outlook, models.Timeline, error) {
	open, err := s.proofingOf(ctx, st.Credential.ID)
	if err != nil || open == nil || open.EndedAt != nil {
		return o, ahead, err
	}
	p, err := s.proofingState(ctx, *open)
	if err != nil {
		return o, ahead, err
	}
	dates, err := s.Store.ProofingTimeline(ctx, *open)
	if err != nil {
		return o, ahead, err
	}
	switch proofing := proofingOutlook(p); {
	case st.Credential.Phase == models.PendingProofing && st.Displayed(at) == models.ShownPendingActivation:
		o = outlook{proofing.on, o.what + " (" + open.ID + "): " + proofing.what}
	case open.Purpose == models.ProofingForUpgrade:
		o.what += "; its proofing " + open.ID + " waits for " + proofing.what
	}
	ahead = append(slices.Clone(ahead), dates...)
	slices.SortStableFunc(ahead, func(a, b models.Milestone) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name)) })
	return o, ahead, nil
}
