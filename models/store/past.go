package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tokendesk/models"
)

// lifeSteps are the milestones of a credential that stand in its past, each with what it did.
var lifeSteps = map[models.MilestoneName]string{
	models.CredentialExpires: "the term ended",
	models.TermSuspended:     "it was suspended, because it was not renewed",
	models.RevocationReview:  "its revocation began to wait for a person",
}

// CredentialPast is what has happened to a credential (LIF-4): what time has done, each on its own date, and what people have done, from the
// audit trail. Of the present end of the term it says nothing, nor of authenticators.
func (s *Store) CredentialPast(ctx context.Context, c models.Credential) (past []models.Milestone, err error) {
	var performed []struct {
		Key string
		At  time.Time
	}
	if err := s.with(ctx).Raw("select key, at from credential_milestones where credential_id = ?", c.ID).Scan(&performed).Error; err != nil {
		return nil, fault(fmt.Errorf("read the milestones of a credential: %w", err))
	}
	for _, p := range performed {
		name, _, _ := strings.Cut(p.Key, "/")
		if what, ok := lifeSteps[models.MilestoneName(name)]; ok {
			past = append(past, models.Milestone{Name: models.MilestoneName(name), At: p.At, What: what})
		}
	}
	policy, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return nil, err
	}
	var events []models.AuditEvent
	err = s.with(ctx).Where(`credential_id collate "C" = ? and class = ? and outcome = ? and kind in ?`, c.ID, models.LifecycleEvents, models.Succeeded,
		[]string{"credential.suspended", "credential.re_enabled", "credential.renewed", "credential.renewal_taken_back"}).Order("id").Find(&events).Error
	if err != nil {
		return nil, fault(fmt.Errorf("read what was done to a credential: %w", err))
	}
	for _, e := range events {
		past = append(past, pastOf(e, policy.Location()))
	}
	return past, nil
}

// pastOf puts an audited change of a credential in plain words.
func pastOf(e models.AuditEvent, zone *time.Location) models.Milestone {
	by := " by its holder"
	if e.Detail["by"] == string(models.ByAdministrator) {
		by = " by an administrator"
	}
	until := e.Detail["to"]
	if t, err := time.Parse(time.RFC3339, until); err == nil {
		until = t.In(zone).Format("2 January 2006")
	}
	m := models.Milestone{At: e.At}
	switch e.Kind {
	case "credential.suspended":
		m.Name, m.What = "suspended_by_command", "it was suspended"+by
	case "credential.re_enabled":
		m.Name, m.What = "re_enabled", "it was re-enabled"+by
	case "credential.renewed":
		m.Name, m.What = "renewed", "it was renewed until "+until
	case "credential.renewal_taken_back":
		m.Name, m.What = "renewal_taken_back", "a renewal was taken back: the term ends on "+until+" again"
	}
	return m
}

// AwaitedShipment is the shipment whose token is to be registered next: of the replacement that is under way, or of what the credential was bought
// with. ok is false where there is none.
func (s *Store) AwaitedShipment(ctx context.Context, c models.Credential) (sh models.Shipment, ok bool, err error) {
	line, err := s.replacementUnderWay(ctx, c.ID)
	if err != nil {
		return sh, false, err
	}
	if line == "" {
		line = c.OrderLineID
	}
	var rows []models.Shipment
	if err := s.with(ctx).Where("order_line_id = ?", line).Find(&rows).Error; err != nil {
		return sh, false, fault(fmt.Errorf("look for a shipment: %w", err))
	}
	if len(rows) == 0 {
		return sh, false, nil
	}
	return rows[0], true, nil
}
