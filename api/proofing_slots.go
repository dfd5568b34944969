package api

import (
	"context"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// ListSlots lists the free slots of live video sessions, on the clocks of a zone (PRF-5).
func (s *server) ListSlots(ctx context.Context, r gen.ListSlotsRequestObject) (gen.ListSlotsResponseObject, error) {
	zone, err := store.TimeZone(r.Params.Tz, "")
	if err != nil {
		return nil, err
	}
	var policy models.Policy
	if id := r.Params.ProofingID; id != nil {
		c, err := s.proofing(ctx, *id)
		if err != nil {
			return nil, err
		}
		policy, err = s.Store.Policy(ctx, c.PolicyVersion)
		if err != nil {
			return nil, err
		}
	} else if policy, err = s.Store.CurrentPolicy(ctx, s.Clock()); err != nil {
		return nil, err
	}
	if from, to := r.Params.From, r.Params.To; from != nil && to != nil && to.Before(*from) {
		refused := &rejection{detail: "the parameters do not fit each other"}
		refused.refuseParameter("to", "it is before from")
		return nil, refused
	}
	list, err := s.slots(ctx, r.Params.From, r.Params.To, zone, policy)
	return gen.ListSlots200JSONResponse(list), err
}

// slots lists what is free between two moments; nil is as early, or as late, as the policy has it.
func (s *server) slots(ctx context.Context, from, to *time.Time, zone *time.Location, policy models.Policy) (gen.SlotList, error) {
	at := s.Clock()
	q := store.SlotQuery{From: at, To: at.AddDate(0, 0, policy.Proofing.Appointment.HorizonDays+1), Policy: policy}
	if from != nil {
		q.From = *from
	}
	if to != nil {
		q.To = *to
	}
	list := gen.SlotList{TimeZone: zone.String(), Items: []gen.Slot{}}
	if q.To.Before(q.From) { // a bound that was not given lies before the one that was
		return list, nil
	}
	free, err := s.Store.Slots(ctx, q, at)
	if err == nil {
		list.Items = each(free, func(f store.Slot) gen.Slot { return gen.Slot{StartsAt: f.StartsAt.In(zone), EndsAt: f.EndsAt.In(zone)} })
	}
	return list, err
}

// HoldSlot keeps a slot for some minutes (PRF-5).
func (s *server) HoldSlot(ctx context.Context, r gen.HoldSlotRequestObject) (gen.HoldSlotResponseObject, error) {
	a, err := making(ctx, s, func(tx *store.Store) (models.Appointment, string, error) {
		a, err := tx.HoldSlot(ctx, r.ProofingID, callOf(ctx).caller.AccountID, r.Body.StartsAt, s.Clock())
		return a, a.ID, err
	}, func(id string) (models.Appointment, error) { return s.Store.Appointment(ctx, id) })
	if err != nil {
		return nil, err
	}
	return gen.HoldSlot201JSONResponse{Headers: gen.HoldSlot201ResponseHeaders{Location: "/v1/proofing/cases/" + a.CaseID}, Body: *viewAppointment(a, true)}, nil
}

// ReleaseSlot gives a slot back (PRF-5).
func (s *server) ReleaseSlot(ctx context.Context, r gen.ReleaseSlotRequestObject) (gen.ReleaseSlotResponseObject, error) {
	c, err := s.proofing(ctx, r.ProofingID)
	if err != nil {
		return nil, err
	}
	held, err := s.held(ctx, c)
	if err == nil && held != nil {
		err = s.Store.ReleaseHold(ctx, c.ID, c.AccountID, held.ID, s.Clock())
	}
	if err != nil {
		return nil, err
	}
	return gen.ReleaseSlot204Response{}, nil
}

// held is the slot that the person of a case holds; nil: none, or not any more.
func (s *server) held(ctx context.Context, c models.ProofingCase) (*models.Appointment, error) {
	all, err := s.Store.AppointmentsOfCase(ctx, c.ID, s.Clock())
	for i := range all {
		if all[i].Status == models.AppointmentHeld {
			return &all[i], err
		}
	}
	return nil, err
}

// BookAppointment books the slot that is held (PRF-5).
func (s *server) BookAppointment(ctx context.Context, r gen.BookAppointmentRequestObject) (gen.BookAppointmentResponseObject, error) {
	c, err := s.proofing(ctx, r.ProofingID)
	if err != nil {
		return nil, err
	}
	held, err := s.held(ctx, c)
	switch again := callOf(ctx).resource != ""; {
	case err != nil:
		return nil, err
	case held != nil || again: // an interrupted call under the same key has booked it
	case c.Status != models.ProofingScheduling:
		return nil, models.StateForbids.New("the proofing is %s", c.Status).Allowing(s.possible(ctx, c.ID)...)
	default:
		return nil, models.HoldExpired.New("no slot is held").Allowing(s.possible(ctx, c.ID)...)
	}
	a, err := making(ctx, s, func(tx *store.Store) (models.Appointment, string, error) {
		a, err := tx.BookAppointment(ctx, store.Booking{CaseID: c.ID, AccountID: callOf(ctx).caller.AccountID, AppointmentID: held.ID,
			Phone: r.Body.Phone, Email: r.Body.Email, Zone: r.Body.TimeZone}, s.Keyring, s.Clock())
		return a, a.ID, err
	}, func(id string) (models.Appointment, error) { return s.Store.Appointment(ctx, id) })
	if err != nil {
		return nil, err
	}
	return gen.BookAppointment201JSONResponse{Headers: gen.BookAppointment201ResponseHeaders{Location: "/v1/proofing/cases/" + c.ID}, Body: *viewAppointment(a, true)}, nil
}

// RescheduleAppointment moves a booked appointment to another slot (PRF-6).
func (s *server) RescheduleAppointment(ctx context.Context, r gen.RescheduleAppointmentRequestObject) (gen.RescheduleAppointmentResponseObject, error) {
	a, err := making(ctx, s, func(tx *store.Store) (models.Appointment, string, error) {
		a, err := tx.RescheduleAppointment(ctx, r.ProofingID, callOf(ctx).caller.AccountID, r.Body.StartsAt, s.Keyring, s.Clock())
		return a, a.ID, err
	}, func(id string) (models.Appointment, error) { return s.Store.Appointment(ctx, id) })
	if err != nil {
		return nil, err
	}
	return gen.RescheduleAppointment200JSONResponse{Body: *viewAppointment(a, true)}, nil
}

// CancelAppointment cancels a booked appointment; another slot may be chosen (PRF-6).
func (s *server) CancelAppointment(ctx context.Context, r gen.CancelAppointmentRequestObject) (gen.CancelAppointmentResponseObject, error) {
	v, err := s.changeProofing(ctx, r.ProofingID, func(tx *store.Store) error {
		return tx.CancelAppointment(ctx, r.ProofingID, callOf(ctx).caller.AccountID, s.Clock())
	})
	return gen.CancelAppointment200JSONResponse{ProofingChangedJSONResponse: v}, err
}
