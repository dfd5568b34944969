package api

import (
	"context"
	"time"

	"tokendesk/api/gen"
	"tokendesk/internal/availability"
	"tokendesk/models"
)

// Whoever has the link of the newest mail about an appointment may change it, without a login, once (PRF-6). Its secret comes in bodies only.

// LookUpAppointmentLink shows the appointment of a link.
func (s *server) LookUpAppointmentLink(ctx context.Context, r gen.LookUpAppointmentLinkRequestObject) (gen.LookUpAppointmentLinkResponseObject, error) {
	a, err := s.Store.AppointmentByLink(ctx, r.Body.Token)
	if err != nil {
		return nil, err
	}
	return gen.LookUpAppointmentLink200JSONResponse(*viewAppointment(a, false)), nil
}

// ListSlotsByLink lists the slots that the appointment of a link can be moved to.
func (s *server) ListSlotsByLink(ctx context.Context, r gen.ListSlotsByLinkRequestObject) (gen.ListSlotsByLinkResponseObject, error) {
	if from, to := r.Body.From, r.Body.To; from != nil && to != nil && to.Before(*from) {
		return nil, models.InvalidRequest.New("it is before from").At("/to")
	}
	a, err := s.Store.AppointmentByLink(ctx, r.Body.Token)
	if err != nil {
		return nil, err
	}
	list, err := s.slotsFor(ctx, a, r.Body.From, r.Body.To)
	return gen.ListSlotsByLink200JSONResponse(list), err
}

// slotsFor lists slots that an appointment can be moved to, on the clocks of its person's zone.
func (s *server) slotsFor(ctx context.Context, a models.Appointment, from, to *time.Time) (gen.SlotList, error) {
	c, err := s.Store.ProofingCase(ctx, a.CaseID)
	if err != nil {
		return gen.SlotList{}, err
	}
	policy, err := s.Store.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return gen.SlotList{}, err
	}
	zone, err := availability.Zone(a.Zone)
	if err != nil {
		return gen.SlotList{}, err
	}
	return s.slots(ctx, from, to, zone, policy)
}

// RescheduleByLink moves the appointment of a link.
func (s *server) RescheduleByLink(ctx context.Context, r gen.RescheduleByLinkRequestObject) (gen.RescheduleByLinkResponseObject, error) {
	a, err := s.Store.RescheduleByLink(ctx, r.Body.Token, r.Body.StartsAt, s.Keyring, s.Clock())
	if err != nil {
		return nil, err
	}
	return gen.RescheduleByLink200JSONResponse(*viewAppointment(a, false)), nil
}

// CancelByLink cancels the appointment of a link.
func (s *server) CancelByLink(ctx context.Context, r gen.CancelByLinkRequestObject) (gen.CancelByLinkResponseObject, error) {
	if err := s.Store.CancelByLink(ctx, r.Body.Token, s.Clock()); err != nil {
		return nil, err
	}
	return gen.CancelByLink204Response{}, nil
}
