package api

import (
	"context"
	"fmt"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
)

// outlook is whose turn it is, and what is waited for (LIF-4).
type outlook struct {
	on  gen.TimelineWaitingOn
	who string
}

// timeline puts an outlook and the milestones ahead together. What happens if nobody acts is what the last of them says.
func timeline(subject, status string, o outlook, ahead models.Timeline, at time.Time, actions []string) gen.Timeline {
	t := gen.Timeline{Subject: subject, Status: status, At: at, WaitingFor: o.who, WaitingOn: o.on, Milestones: []models.Milestone{}, AllowedActions: actions}
	for _, m := range ahead {
		if m.At.After(at) {
			t.Milestones = append(t.Milestones, m)
		}
	}
	if n := len(t.Milestones); n > 0 {
		t.Next = &t.Milestones[0]
		last := t.Milestones[n-1]
		t.IfNobodyActs = optional(fmt.Sprintf("on %s %s", last.At.UTC().Format(time.DateOnly), last.What))
	}
	return t
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
	policy, err := s.Store.Policy(ctx, o.PolicyVersion)
	if err != nil {
		return nil, err
	}
	shipments, err := s.Store.ShipmentsOfOrder(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	return gen.GetOrderTimeline200JSONResponse(timeline(o.Number, string(o.Status), orderOutlook(o, i, shipments), models.OrderTimeline(o, i, policy),
		s.Clock(), actionsOf(ctx, s, models.OrderMachine, o.Status))), nil
}

func orderOutlook(o models.Order, i models.Invoice, shipments []models.Shipment) outlook {
	switch o.Status {
	case models.OrderDraft:
		return outlook{gen.TimelineWaitingOnTokendesk, "the order is being taken up"}
	case models.OrderPlaced:
		if o.PaymentMethod == models.PayByCard {
			return outlook{gen.TimelineWaitingOnTokendesk, "the card is being charged"}
		}
		return outlook{gen.TimelineWaitingOnBuyer, fmt.Sprintf("%s for invoice %s", i.Due(), i.Number)}
	case models.OrderDeclined:
		return outlook{gen.TimelineWaitingOnBuyer, "another card: the last one was declined"}
	case models.OrderPaid:
		return outlook{gen.TimelineWaitingOnTokendesk, "the license keys are being issued"}
	case models.OrderFulfilled:
		return fulfilledOutlook(shipments)
	}
	return outlook{gen.TimelineWaitingOnNobody, "nothing more happens"}
}

func fulfilledOutlook(shipments []models.Shipment) outlook {
	for _, sh := range shipments {
		if !models.ShipmentMachine.Ends(sh.Status) {
			o := shipmentOutlook(sh)
			return outlook{o.on, "the license keys are mailed; shipment " + sh.ID + ": " + o.who}
		}
	}
	return outlook{gen.TimelineWaitingOnNobody, "nothing more happens: the license keys are mailed, and what ships has arrived"}
}

// GetShipmentTimeline says what happens next with a shipment, when and why (LIF-4).
func (s *server) GetShipmentTimeline(ctx context.Context, r gen.GetShipmentTimelineRequestObject) (gen.GetShipmentTimelineResponseObject, error) {
	sh, _, err := s.shipment(ctx, r.ShipmentID)
	if err != nil {
		return nil, err
	}
	return gen.GetShipmentTimeline200JSONResponse(timeline(sh.ID, string(sh.Status), shipmentOutlook(sh), models.ShipmentTimeline(sh),
		s.Clock(), actionsOf(ctx, s, models.ShipmentMachine, sh.Status))), nil
}

func shipmentOutlook(sh models.Shipment) outlook {
	switch sh.Status {
	case models.ShipmentRequested, models.ShipmentReshipping:
		return outlook{gen.TimelineWaitingOnTokendesk, "a token is being taken from stock"}
	case models.ShipmentBackordered:
		return outlook{gen.TimelineWaitingOnWarehouse, "a token of model " + sh.TokenModel + " in stock"}
	case models.ShipmentPacked:
		return outlook{gen.TimelineWaitingOnTokendesk, "the label is being bought"}
	case models.ShipmentShipped:
		return outlook{gen.TimelineWaitingOnCarrier, "the carrier is to fetch the parcel"}
	case models.ShipmentInTransit:
		return outlook{gen.TimelineWaitingOnCarrier, "the carrier is to deliver the parcel"}
	case models.ShipmentException:
		return outlook{gen.TimelineWaitingOnCarrier, "the carrier reports trouble with the parcel"}
	}
	return outlook{gen.TimelineWaitingOnNobody, "nothing more happens"}
}

// GetCredentialTimeline says what happens next with a credential, when and why (LIF-4).
func (s *server) GetCredentialTimeline(ctx context.Context, r gen.GetCredentialTimelineRequestObject) (gen.GetCredentialTimelineResponseObject, error) {
	c, bound, err := s.credential(ctx, r.CredentialID)
	if err != nil {
		return nil, err
	}
	at := s.Clock()
	shown := c.Displayed(models.AllLocked(bound), at)
	ahead, err := s.Store.CredentialTimeline(ctx, c, at)
	if err != nil {
		return nil, err
	}
	return gen.GetCredentialTimeline200JSONResponse(timeline(c.ID, string(shown), credentialOutlook(c, shown), ahead, at,
		s.credentialActions(ctx, c))), nil
}

func credentialOutlook(c models.Credential, shown models.DisplayedStatus) outlook {
	switch shown {
	case models.ShownPendingApproval:
		return outlook{gen.TimelineWaitingOnStaff, "the approval by the organization's administrator"}
	case models.ShownPendingActivation:
		if c.Phase == models.PendingProofing {
			return outlook{gen.TimelineWaitingOnHolder, "the proofing of the holder's identity"}
		}
		return outlook{gen.TimelineWaitingOnHolder, "the registration of an authenticator: the serial number of the token and two consecutive codes"}
	case models.ShownActive:
		return outlook{gen.TimelineWaitingOnTime, "nothing: the credential is in use"}
	case models.ShownLocked:
		return outlook{gen.TimelineWaitingOnHolder, "the token to be resynchronized: it is locked after too many wrong codes"}
	case models.ShownSuspended:
		return outlook{gen.TimelineWaitingOnHolder, "the credential to be re-enabled"}
	case models.ShownExpired:
		return outlook{gen.TimelineWaitingOnHolder, "the renewal: the term has ended"}
	}
	return outlook{gen.TimelineWaitingOnNobody, "nothing more happens: the credential is revoked for good"}
}
