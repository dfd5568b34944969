package store

import (
	"context"
	"slices"
	"time"

	"tokendesk/models"
)

// renewalDeadline is until when money for a line renews the credential that the line is for.
type renewalDeadline struct {
	credentialID string
	window       models.RenewalWindow
	revoked      bool
}

func (d renewalDeadline) passed(at time.Time) bool {
	return d.revoked || !at.Before(d.window.LastRenewal)
}

// renewalDeadlines are those of an order as they stand at a moment, the earliest first. only says that the order has no other lines.
func (s *Store) renewalDeadlines(ctx context.Context, o models.Order, at time.Time) (deadlines []renewalDeadline, only bool, err error) {
	for _, line := range o.Lines {
		product, err := s.Product(ctx, line.ProductSKU)
		if err != nil {
			return nil, false, err
		}
		if product.Kind != models.Renewal {
			continue
		}
		st, err := s.Standing(ctx, *line.CredentialID, at)
		if err != nil {
			return nil, false, err
		}
		deadlines = append(deadlines, renewalDeadline{*line.CredentialID, st.Window, st.Credential.Phase == models.CredentialRevoked})
	}
	slices.SortStableFunc(deadlines, func(a, b renewalDeadline) int { return a.window.LastRenewal.Compare(b.window.LastRenewal) })
	return deadlines, len(deadlines) == len(o.Lines), nil
}

// TooLate reports whether money for an order buys nothing any more at a moment: it renews credentials only, and the last moment to renew each of
// them has passed (LIF-1, REN-4).
func (s *Store) TooLate(ctx context.Context, o models.Order, at time.Time) (bool, error) {
	deadlines, only, err := s.renewalDeadlines(ctx, o, at)
	return only && allPassed(deadlines, at), err
}

func allPassed(deadlines []renewalDeadline, at time.Time) bool {
	return !slices.ContainsFunc(deadlines, func(d renewalDeadline) bool { return !d.passed(at) })
}

// OrderActions lists what people may do with an order at a moment. Money that would buy nothing is not asked for.
func (s *Store) OrderActions(ctx context.Context, o models.Order, at time.Time) ([]models.OrderEvent, error) {
	allowed := models.OrderMachine.Allowed(o.Status, models.ByPerson)
	if !slices.Contains(allowed, models.RetryOrder) {
		return allowed, nil
	}
	late, err := s.TooLate(ctx, o, at)
	if late {
		allowed = slices.DeleteFunc(slices.Clone(allowed), func(e models.OrderEvent) bool { return e == models.RetryOrder })
	}
	return allowed, err
}

// refuseLateCharge refuses to charge a card for an order that money buys nothing of any more.
// Fault: RenewalTooLate, with what is allowed.
func (s *Store) refuseLateCharge(ctx context.Context, o models.Order, at time.Time) error {
	deadlines, only, err := s.renewalDeadlines(ctx, o, at)
	if err != nil || !only || !allPassed(deadlines, at) {
		return err
	}
	allowed, err := s.OrderActions(ctx, o, at)
	if err != nil {
		return err
	}
	refusal := models.RenewalTooLate.New("the credential is revoked")
	if last := deadlines[len(deadlines)-1]; !last.revoked {
		refusal = last.window.Refuse(models.PayByCard, at)
	}
	return refusal.Allowing(models.Events(allowed)...)
}

// withLastMoments adds the milestones at which renewals of an unpaid order close. Of an order that only renews nobody is reminded after the last.
func (s *Store) withLastMoments(ctx context.Context, o models.Order, t models.Timeline) (models.Timeline, error) {
	deadlines, only, err := s.renewalDeadlines(ctx, o, *o.PlacedAt)
	if err != nil || len(deadlines) == 0 {
		return t, err
	}
	end := t[len(t)-1]
	t = slices.DeleteFunc(t, func(m models.Milestone) bool { return m.Name != end.Name && only && allPassed(deadlines, m.At) })
	for _, d := range deadlines {
		if !d.revoked && d.window.LastRenewal.Before(end.At) {
			t = append(t, models.Milestone{Name: models.LastRenewal, At: d.window.LastRenewal, Passive: true,
				What: "the last moment to pay for the renewal of " + d.credentialID + ": money that arrives later renews nothing and is credited"})
		}
	}
	slices.SortStableFunc(t, func(a, b models.Milestone) int { return a.At.Compare(b.At) })
	return t, nil
}

// closing is until when an unpaid order can be paid so that it renews, as a mail's parameter; nothing where its invoice is voided sooner anyway.
func (s *Store) closing(ctx context.Context, o models.Order, at time.Time) (map[string]string, error) {
	deadlines, only, err := s.renewalDeadlines(ctx, o, at)
	if err != nil || len(deadlines) == 0 {
		return nil, err
	}
	if only && allPassed(deadlines, at) {
		return map[string]string{"too_late": "true"}, nil
	}
	i := slices.IndexFunc(deadlines, func(d renewalDeadline) bool { return !d.passed(at) })
	if i < 0 {
		return nil, nil
	}
	milestones, err := s.OrderMilestones(ctx, o)
	if err != nil || len(milestones) > 0 && milestones[len(milestones)-1].At.Before(deadlines[i].window.LastRenewal) {
		return nil, err
	}
	p, err := s.Policy(ctx, o.PolicyVersion)
	return moment("last_renewal", deadlines[i].window.LastRenewal, p), err
}
