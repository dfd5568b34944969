package api

import (
	"context"
	"strings"

	"tokendesk/models"
	"tokendesk/models/store"
)

// authority is in whose name the caller acts on an account: the person's own, or an administrator's, who is staff or administers the
// same organization (MGT-3, MGT-4). For everybody else what belongs to the account does not exist.
func (s *server) authority(ctx context.Context, accountID string) (models.Suspender, error) {
	c := callOf(ctx).caller
	if c.account == nil {
		return models.ByAdministrator, nil // the role was checked
	}
	if c.account.ID == accountID {
		return models.BySubscriber, nil
	}
	if c.is(models.RoleOrgAdmin) && c.account.OrganizationID != nil {
		a, err := s.Store.Account(ctx, accountID)
		if err != nil && models.KindOf(err) != models.NotFound {
			return "", err
		}
		if a.OrganizationID != nil && *a.OrganizationID == *c.account.OrganizationID {
			return models.ByAdministrator, nil
		}
	}
	return "", models.NoSuchThing.New("")
}

// givenReason refuses an administrator who gives no reason.
func givenReason(by models.Suspender, reason *string) (string, error) {
	text := strings.TrimSpace(deref(reason))
	if by == models.ByAdministrator && text == "" {
		return "", models.InvalidRequest.New("an administrator gives a reason").At("/reason")
	}
	return text, nil
}

// asked writes down, once for each key, who asks for what and why, before it is done: what is done may pass through the engine, which
// carries no words. It reports whether an interrupted call under the same key has asked already.
func (s *server) asked(ctx context.Context, e models.AuditEvent, reason string) (before bool, err error) {
	c := callOf(ctx)
	before = c.resource != ""
	e.At, e.Actor, e.Outcome, e.Detail = s.Clock(), c.caller.ID, models.Succeeded, map[string]string{}
	if reason != "" {
		e.Detail["reason"] = reason
	}
	_, err = making(ctx, s, func(tx *store.Store) (string, string, error) {
		return e.SubjectRef, e.SubjectRef, tx.Audit(ctx, e)
	}, func(id string) (string, error) { return id, nil })
	return before, err
}
