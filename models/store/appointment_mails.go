package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tokendesk/models"
)

// tellAppointment records a mail about an appointment, to the address that was given for it, once for each of its changes. What the mail says of the time stands in
// the notice, so that a mail that leaves late tells of its own change and not of the next one.
func (s *Store) tellAppointment(ctx context.Context, c models.ProofingCase, a models.Appointment, n NewNotice, at time.Time) error {
	n.DedupeKey = fmt.Sprintf("appointment/%s/%d/%s", a.ID, a.Sequence, n.Kind)
	n.AccountID, n.To, n.SubjectRef = c.AccountID, a.Email, c.ID
	params := map[string]string{"appointment": a.ID, "sequence": strconv.Itoa(a.Sequence), "starts_at": a.StartsAt.UTC().Format(time.RFC3339),
		"ends_at": a.EndsAt.UTC().Format(time.RFC3339)}
	for name, value := range n.Params {
		params[name] = value
	}
	n.Params = params
	return s.AddNotice(ctx, n, at)
}

// tellWithLink is tellAppointment with a link to change the appointment, which is sealed until the mail has left.
func (s *Store) tellWithLink(ctx context.Context, c models.ProofingCase, a models.Appointment, kind models.NoticeKind, link models.Secret, sealer Sealer, at time.Time) error {
	n := NewNotice{ID: NewID("no", at), Kind: kind}
	var err error
	if n.Sealed, err = sealer.Seal(models.SecretBytes(link.Reveal()), models.NoticeContext(n.ID)); err != nil {
		return fmt.Errorf("seal the link of an appointment: %w", err)
	}
	return s.tellAppointment(ctx, c, a, n, at)
}

// tellReschedule records the mail that asks a person to choose another slot, and says why.
func (s *Store) tellReschedule(ctx context.Context, c models.ProofingCase, a models.Appointment, cause RescheduleCause, at time.Time) error {
	return s.tellAppointment(ctx, c, a, NewNotice{Kind: models.NoticeReschedule, Params: map[string]string{"cause": string(cause)}}, at)
}
