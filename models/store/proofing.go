package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// OpenProofing opens the proofing of a credential's person and starts its lifecycle (LIC-3, PRF-10). orderLineID is the upgrade's, empty for a
// credential that comes with proofing. It takes part in the surrounding transaction, which has locked the credential.
func (s *Store) OpenProofing(ctx context.Context, c models.Credential, purpose models.ProofingPurpose, orderLineID, country string, policyVersion int, at time.Time) (models.ProofingCase, error) {
	p := models.ProofingCase{ID: NewID("pc", at), CredentialID: c.ID, AccountID: c.AccountID, Purpose: purpose, Country: country, Status: models.ProofingMachine.Initial,
		Attempt: 1, PolicyVersion: policyVersion, Since: at, OpenedAt: at, UpdatedAt: at}
	if orderLineID != "" {
		p.OrderLineID = &orderLineID
	}
	if err := s.with(ctx).Create(&p).Error; err != nil {
		return p, fault(fmt.Errorf("open a proofing: %w", err))
	}
	if err := s.auditProofing(ctx, p, "proofing.opened", models.SystemActor(models.CredentialLifecycle).ID, map[string]string{"purpose": string(purpose)}, at); err != nil {
		return p, err
	}
	if err := s.tellProofed(ctx, p, models.NoticeProofingOpened, "opened", nil, at); err != nil {
		return p, err
	}
	return p, s.Start(ctx, models.ProofingLifecycle, p.ID, at)
}

// ProofingCase returns one case. Fault: NoSuchThing.
func (s *Store) ProofingCase(ctx context.Context, id string) (c models.ProofingCase, err error) {
	if err := s.with(ctx).Where("id = ?", id).Take(&c).Error; err != nil {
		return c, fault(fmt.Errorf("read a proofing: %w", err))
	}
	return c, nil
}

// ProofingsOfCredential lists the proofings of a credential, newest first.
func (s *Store) ProofingsOfCredential(ctx context.Context, credentialID string) ([]models.ProofingCase, error) {
	var rows []models.ProofingCase
	return rows, fault(s.with(ctx).Where("credential_id = ?", credentialID).Order("id desc").Find(&rows).Error)
}

// lockProofing reads a case under row locks of its credential and of itself, in this order. Whoever locks an appointment or a code of
// the case locks this first.
func (s *Store) lockProofing(ctx context.Context, id string) (models.ProofingCase, error) {
	c, err := s.ProofingCase(ctx, id)
	if err != nil {
		return c, err
	}
	if _, err := s.lockCredential(ctx, c.CredentialID); err != nil {
		return c, err
	}
	if err := s.with(ctx).Raw("select * from proofing_cases where id = ? for update", id).Scan(&c).Error; err != nil {
		return c, fault(fmt.Errorf("lock a proofing: %w", err))
	}
	return c, nil
}

// lockProofingOf is lockProofing for the person of the case. Fault: NoSuchThing, also for everybody else.
func (s *Store) lockProofingOf(ctx context.Context, id, accountID string) (models.ProofingCase, error) {
	c, err := s.lockProofing(ctx, id)
	if err == nil && c.AccountID != accountID {
		return models.ProofingCase{}, models.NoSuchThing.New("no such proofing")
	}
	return c, err
}

// goOn is lockProofingOf for a step towards being proofed: the credential must be one that can still be used. Faults: NoSuchThing, ActionNotPossible.
func (s *Store) goOn(ctx context.Context, id, accountID string, at time.Time) (models.ProofingCase, error) {
	c, err := s.lockProofingOf(ctx, id, accountID)
	if err != nil {
		return c, err
	}
	credential, _, err := s.Credential(ctx, c.CredentialID)
	if err != nil {
		return c, err
	}
	switch shown := credential.Displayed(false, at); shown {
	case models.ShownExpired, models.ShownSuspended, models.ShownRevoked:
		return c, s.forbids(ctx, credential, models.ActionNotPossible.New("the credential is %s", shown), models.BySubscriber, at)
	}
	return c, nil
}

// moveProofing performs an event of a locked case and writes down since when it is there; a repeat is another attempt, and an end has its moment.
func (s *Store) moveProofing(ctx context.Context, c *models.ProofingCase, event models.ProofingEvent, at time.Time, set map[string]any) error {
	_, to, _ := models.ProofingMachine.Lookup(event)
	values := map[string]any{"since": at}
	for column, value := range set {
		values[column] = value
	}
	if event.Repeats() {
		values["attempt"] = c.Attempt + 1
	}
	if to.Ends() {
		values["ended_at"] = at
	}
	if err := proofings.move(s.with(ctx), c.ID, event, at, values); err != nil {
		return err
	}
	var err error
	*c, err = s.ProofingCase(ctx, c.ID)
	return err
}

// proofingChanged tells the case's lifecycle, through the outbox, to look.
func (s *Store) proofingChanged(ctx context.Context, caseID string, at time.Time) error {
	return s.Signal(ctx, models.ProofingLifecycle, caseID, models.SignalProofingChanged, caseID, at)
}

// auditProofing writes an event of a case down. Details are codes, never what a person gave to be proofed (SEC-5).
func (s *Store) auditProofing(ctx context.Context, c models.ProofingCase, kind, actor string, detail map[string]string, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: kind, Actor: actor, CredentialID: &c.CredentialID, SubjectRef: c.ID,
		Outcome: models.Succeeded, Detail: detail})
}

// tellProofed records a mail to the person of a case, once for the case and the key.
func (s *Store) tellProofed(ctx context.Context, c models.ProofingCase, kind models.NoticeKind, key string, params map[string]string, at time.Time) error {
	return s.AddNotice(ctx, NewNotice{Kind: kind, DedupeKey: "proofing/" + c.ID + "/" + key, AccountID: c.AccountID, SubjectRef: c.ID, Params: params}, at)
}

// openProofingOf is the case of a credential that goes on, locked; nil: none. The caller has locked the credential.
func (s *Store) openProofingOf(ctx context.Context, credentialID string) (*models.ProofingCase, error) {
	var rows []models.ProofingCase
	if err := s.with(ctx).Raw("select * from proofing_cases where credential_id = ? and ended_at is null for update", credentialID).Scan(&rows).Error; err != nil {
		return nil, fault(fmt.Errorf("look for an open proofing: %w", err))
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}
