package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
)

// timeline puts together where a thing stands, what was, and the milestones ahead: one shape for everything that has a life (LIF-4).
// What happens if nobody acts is what the last of them says; its day is the vendor's, as in the mails.
func timeline(subject, status string, o outlook, ahead models.Timeline, zone *time.Location, at time.Time, past []models.Milestone, actions []string) gen.Timeline {
	t := gen.Timeline{Subject: subject, Status: status, At: at, WaitingFor: o.what, WaitingOn: o.on, Milestones: []models.Milestone{}, Past: past,
		AllowedActions: actions}
	for _, m := range ahead {
		if m.At.After(at) {
			t.Milestones = append(t.Milestones, m)
		}
	}
	if n := len(t.Milestones); n > 0 {
		t.Next = &t.Milestones[0]
		last := t.Milestones[n-1]
		day := last.At.Add(-time.Nanosecond) // midnight is the end of a day
		t.IfNobodyActs = optional(fmt.Sprintf("on %s %s", day.In(zone).Format(time.DateOnly), last.What))
	}
	return t
}

// zone is where the days of a policy begin and end.
func (s *server) zone(ctx context.Context, policyVersion int) (*time.Location, error) {
	policy, err := s.Store.Policy(ctx, policyVersion)
	return policy.Location(), err
}

// event is something that has happened, or has not.
type event struct {
	name models.MilestoneName
	at   *time.Time
	what string
}

// pastOf orders what has happened.
func pastOf(events ...event) []models.Milestone {
	past := []models.Milestone{}
	for _, e := range events {
		if e.at != nil {
			past = append(past, models.Milestone{Name: e.name, At: *e.at, What: e.what})
		}
	}
	slices.SortStableFunc(past, func(a, b models.Milestone) int { return a.At.Compare(b.At) })
	return past
}

// GetOrderTimeline says what happens next with an order, when and why (LIF-4).
func (s *server) GetOrderTimeline(ctx context.Context, r gen.GetOrderTimelineRequestObject) (gen.GetOrderTimelineResponseObject, error) {
	o, err := s.order(ctx, r.OrderNumber)
	if err != nil {
		return nil, err
	}
	i, err := s.Store.InvoiceOfOrder(ctx, o.ID)
	if err != nil && models.KindOf(err) != models.NotFound { // a draft has none
		return nil, err
	}
	ahead, err := s.Store.OrderTimeline(ctx, o)
	if err != nil {
		return nil, err
	}
	zone, err := s.zone(ctx, o.PolicyVersion)
	if err != nil {
		return nil, err
	}
	shipments, err := s.Store.ShipmentsOfOrder(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	past := pastOf(event{"ordered", &o.CreatedAt, "the order was recorded"}, event{"placed", o.PlacedAt, "the order was placed"},
		event{"paid", o.PaidAt, "it was paid in full"}, event{"fulfilled", o.FulfilledAt, "what was bought was handed over"},
		event{"cancelled", o.CancelledAt, "the order was cancelled"}, event{"refunded", o.RefundedAt, "every line was credited"})
	at := s.Clock()
	actions, err := s.orderActions(ctx, o, at)
	if err != nil {
		return nil, err
	}
	now := orderOutlook(o, i, shipments)
	if now.on == gen.WaitingOnBuyer {
		late, err := s.Store.TooLate(ctx, o, at)
		if err != nil {
			return nil, err
		}
		if late {
			now = outlook{gen.WaitingOnTime, "nothing: the last moment to renew has passed, and money that still arrives is credited"}
		}
	}
	return gen.GetOrderTimeline200JSONResponse(timeline(o.Number, string(o.Status), now, ahead, zone, at, past, actions)), nil
}

// GetShipmentTimeline says what happens next with a shipment, when and why (LIF-4).
func (s *server) GetShipmentTimeline(ctx context.Context, r gen.GetShipmentTimelineRequestObject) (gen.GetShipmentTimelineResponseObject, error) {
	sh, parcels, err := s.shipment(ctx, r.ShipmentID)
	if err != nil {
		return nil, err
	}
	o, err := s.Store.OrderOfLine(ctx, sh.OrderLineID)
	if err != nil {
		return nil, err
	}
	policy, err := s.Store.Policy(ctx, o.PolicyVersion)
	if err != nil {
		return nil, err
	}
	events := []event{{"requested", &sh.CreatedAt, "the shipment was asked for"}, {"late", sh.LateSince, "the parcel was late"},
		{"missing", sh.MissingSince, "the parcel began to count as missing"}, {"delivered", sh.DeliveredAt, "the parcel was delivered"}}
	for _, p := range parcels {
		events = append(events, event{"shipped", p.ShippedAt, fmt.Sprintf("parcel %d left", p.Number)})
	}
	t := timeline(sh.ID, string(sh.Status), shipmentOutlook(sh), models.ShipmentTimeline(sh, policy), policy.Location(), s.Clock(), pastOf(events...),
		s.shipmentActions(ctx, sh))
	t.IfNobodyActs = optional(shipmentLeftAlone(sh))
	return gen.GetShipmentTimeline200JSONResponse(t), nil
}

// GetCredentialTimeline says what happens next with a credential, when and why (LIF-4).
func (s *server) GetCredentialTimeline(ctx context.Context, r gen.GetCredentialTimelineRequestObject) (gen.GetCredentialTimelineResponseObject, error) {
	if _, _, err := s.credential(ctx, r.CredentialID); err != nil {
		return nil, err
	}
	at := s.Clock()
	st, err := s.Store.Standing(ctx, r.CredentialID, at)
	if err != nil {
		return nil, err
	}
	c := st.Credential
	by, err := s.authority(ctx, c.AccountID)
	if err != nil {
		return nil, err
	}
	ahead, err := s.Store.CredentialTimeline(ctx, c, at)
	if err != nil {
		return nil, err
	}
	zone, err := s.zone(ctx, c.PolicyVersion)
	if err != nil {
		return nil, err
	}
	past, err := s.credentialPast(ctx, st)
	if err != nil {
		return nil, err
	}
	awaited, ok, err := s.Store.AwaitedShipment(ctx, c)
	if err != nil {
		return nil, err
	}
	expected := &awaited
	if !ok {
		expected = nil
	}
	o, ahead, err := s.withProofing(ctx, st, credentialOutlook(st, expected, at), ahead, at)
	if err != nil {
		return nil, err
	}
	return gen.GetCredentialTimeline200JSONResponse(timeline(c.ID, string(st.Displayed(at)), o, ahead, zone, at, past,
		s.credentialActions(ctx, st, by, at))), nil
}

// credentialPast is what has happened to a credential and to what is bound to it.
func (s *server) credentialPast(ctx context.Context, st models.Standing) ([]models.Milestone, error) {
	c := st.Credential
	events := []event{{"purchased", &c.PurchasedAt, "the term of the purchase began"}, {models.CredentialRevokes, c.RevokedAt, "it was revoked, for good"}}
	for _, a := range st.Bound {
		name := "an authenticator"
		if a.Serial != nil {
			name = "token " + *a.Serial
		}
		events = append(events, event{"registered", &a.RegisteredAt, name + " was registered"}, event{"locked", a.LockedAt, name + " was locked"},
			event{"authenticator_revoked", a.RevokedAt, name + " was revoked"})
	}
	steps, err := s.Store.CredentialPast(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		events = append(events, event{step.Name, &step.At, step.What})
	}
	return pastOf(events...), nil
}

// GetRefundTimeline says what happens next with a refund, when and why (LIF-4).
func (s *server) GetRefundTimeline(ctx context.Context, r gen.GetRefundTimelineRequestObject) (gen.GetRefundTimelineResponseObject, error) {
	refund, err := s.refund(ctx, r.RefundID)
	if err != nil {
		return nil, err
	}
	ahead, err := s.Store.RefundTimeline(ctx, refund)
	if err != nil {
		return nil, err
	}
	o, err := s.Store.OrderOfLine(ctx, refund.Lines[0].OrderLineID)
	if err != nil {
		return nil, err
	}
	zone, err := s.zone(ctx, o.PolicyVersion)
	if err != nil {
		return nil, err
	}
	past := pastOf(event{"requested", &refund.RequestedAt, "the refund was asked for"}, event{"decided", refund.DecidedAt, "a second person decided"},
		event{"credited", refund.CreditedAt, "the credit note was issued"}, event{"card_refunded", refund.CardRefundedAt, "the card processor gave the money back"},
		event{"ended", refund.EndedAt, "the refund ended: " + string(refund.Status)})
	return gen.GetRefundTimeline200JSONResponse(timeline(refund.ID, string(refund.Status), refundOutlook(refund), ahead, zone, s.Clock(), past,
		s.refundActions(ctx, refund))), nil
}
