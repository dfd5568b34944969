package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// CreateOrganization registers an organization (ACC-1). An empty id is made; an empty status is pending. Fault: InvalidRequest.
func (s *Store) CreateOrganization(ctx context.Context, o models.Organization, at time.Time) (models.Organization, error) {
	if o.ID == "" {
		o.ID = NewID("og", at)
	}
	if o.Status == "" {
		o.Status = models.OrganizationPending
	}
	o.CreatedAt = at
	if err := o.Validate(); err != nil {
		return o, err
	}
	return o, s.InTx(ctx, func(tx *Store) error {
		if err := tx.with(ctx).Create(&o).Error; err != nil {
			return fmt.Errorf("create an organization: %w", err)
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "organization.created",
			Actor: "system", SubjectRef: o.ID, Outcome: models.Succeeded})
	})
}

// Organization returns one organization.
func (s *Store) Organization(ctx context.Context, id string) (models.Organization, error) {
	var o models.Organization
	err := s.with(ctx).Where("id = ?", id).Take(&o).Error
	return o, fault(err)
}

// CreateAccount creates the login of one person as of a.CreatedAt; an empty id is made. Without roles it is a subscriber's.
// Faults: InvalidRequest, AccountExists.
func (s *Store) CreateAccount(ctx context.Context, a models.Account, roles ...models.Role) (models.Account, error) {
	if a.ID == "" {
		a.ID = NewID("ac", a.CreatedAt)
	}
	if len(roles) == 0 {
		roles = []models.Role{models.RoleSubscriber}
	}
	if err := a.Validate(); err != nil {
		return a, err
	}
	for _, r := range roles {
		if !r.OfAccount() {
			return a, models.InvalidRequest.New("an account cannot have this role").At("/roles")
		}
	}
	return a, s.InTx(ctx, func(tx *Store) error {
		if err := tx.with(ctx).Create(&a).Error; err != nil {
			return fmt.Errorf("create an account: %w", err)
		}
		for _, r := range roles {
			if err := tx.with(ctx).Exec("insert into account_roles (account_id, role) values (?, ?) on conflict do nothing", a.ID, r).Error; err != nil {
				return fmt.Errorf("give a role: %w", err)
			}
		}
		return tx.Audit(ctx, models.AuditEvent{At: a.CreatedAt, Class: models.AdministrationEvents, Kind: "account.created",
			Actor: "system", SubjectRef: a.ID, Outcome: models.Succeeded})
	})
}

// InviteAccount is CreateAccount for a person who is to choose the password: the first-login mail brings a temporary one, to be changed at the
// first login; it lapses after the policy's time, and then only recovery helps (ACC-1). Faults: those of CreateAccount.
func (s *Store) InviteAccount(ctx context.Context, a models.Account, temporary TemporaryPassword, sealer Sealer, roles ...models.Role) (models.Account, error) {
	at := a.CreatedAt
	lapses, err := s.temporaryUntil(ctx, at)
	if err != nil {
		return a, err
	}
	a.PasswordHash, a.MustChangePassword, a.PasswordExpiresAt = temporary.Hash.Reveal(), true, &lapses
	err = s.InTx(ctx, func(tx *Store) error {
		if a, err = tx.CreateAccount(ctx, a, roles...); err != nil {
			return err
		}
		notice := NewNotice{ID: NewID("no", at), Kind: models.NoticeFirstLogin, DedupeKey: "first-login/" + a.ID, AccountID: a.ID, SubjectRef: a.ID}
		return tx.mailTemporary(ctx, notice, temporary, sealer, at)
	})
	return a, err
}

// Account returns one account.
func (s *Store) Account(ctx context.Context, id string) (models.Account, error) {
	return s.account(ctx, "id = ?", id)
}

// AccountByUserID returns the account of a user id, without regard to case.
func (s *Store) AccountByUserID(ctx context.Context, userID string) (models.Account, error) {
	return s.account(ctx, "lower(user_id) = lower(?)", userID)
}

func (s *Store) account(ctx context.Context, where string, arg string) (models.Account, error) {
	var a models.Account
	err := s.with(ctx).Where(where, arg).Take(&a).Error
	return a, fault(err)
}

// accountNamed finds who a login name means: the user id, or else the e-mail if it is that of one account only. A person
// with several accounts under one e-mail logs in by user id. It is one query whoever is named, so that its time tells nothing.
func (s *Store) accountNamed(ctx context.Context, name string) (a models.Account, found bool, err error) {
	name = strings.TrimSpace(name)
	var rows []models.Account
	err = s.with(ctx).Where("lower(user_id) = lower(?) or lower(email) = lower(?)", name, name).
		Clauses(clause.OrderBy{Expression: clause.Expr{SQL: "lower(user_id) = lower(?) desc, id", Vars: []any{name}}}).Limit(2).Find(&rows).Error
	switch {
	case err != nil:
		return a, false, fault(fmt.Errorf("find an account by name: %w", err))
	case len(rows) == 0, len(rows) > 1 && !strings.EqualFold(rows[0].UserID, name):
		return a, false, nil
	}
	return rows[0], true, nil
}

// AccountsByEmail lists up to n accounts under an e-mail, without regard to case, oldest first.
func (s *Store) AccountsByEmail(ctx context.Context, email string, n int) ([]models.Account, error) {
	var rows []models.Account
	err := s.with(ctx).Where("lower(email) = lower(?)", strings.TrimSpace(email)).Order("id").Limit(n).Find(&rows).Error
	if err != nil {
		return nil, fault(fmt.Errorf("find accounts by e-mail: %w", err))
	}
	return rows, nil
}

// lockAccount reads an account and holds back whoever changes its password or logs in with it. Rows that refer to the account are
// written meanwhile. Of an account, its recoveries and its sessions, the account is locked first; a credential before it.
func (s *Store) lockAccount(ctx context.Context, id string) (a models.Account, err error) {
	if err := s.with(ctx).Raw("select * from accounts where id = ? for no key update", id).Scan(&a).Error; err != nil {
		return a, fault(fmt.Errorf("lock an account: %w", err))
	}
	if a.ID == "" {
		return a, models.NoSuchThing.New("no such account")
	}
	return a, nil
}

// Roles lists the roles of an account.
func (s *Store) Roles(ctx context.Context, accountID string) ([]models.Role, error) {
	var roles []models.Role
	err := s.with(ctx).Table("account_roles").Where("account_id = ?", accountID).Order("role").Pluck("role", &roles).Error
	return roles, fault(err)
}
