package store

import (
	"context"
	"fmt"
	"maps"
	"time"

	"gorm.io/gorm"
	"tokendesk/models"
)

// guarded is where a machine's state is kept.
type guarded[S, E ~string] struct {
	machine models.Machine[S, E]
	table   string
	key     string // primary key column
	column  string // state column
	touched bool   // has updated_at
}

var (
	orders          = guarded[models.OrderStatus, models.OrderEvent]{models.OrderMachine, "orders", "id", "status", false}
	invoices        = guarded[models.InvoiceStatus, models.InvoiceEvent]{models.InvoiceMachine, "invoices", "id", "status", false}
	charges         = guarded[models.ChargeStatus, models.ChargeEvent]{models.ChargeMachine, "charges", "id", "status", true}
	licenseKeys     = guarded[models.LicenseKeyStatus, models.LicenseKeyEvent]{models.LicenseKeyMachine, "license_keys", "id", "status", false}
	tokens          = guarded[models.TokenStatus, models.TokenEvent]{models.TokenMachine, "tokens", "serial", "status", true}
	shipments       = guarded[models.ShipmentStatus, models.ShipmentEvent]{models.ShipmentMachine, "shipments", "id", "status", true}
	proofings       = guarded[models.ProofingStatus, models.ProofingEvent]{models.ProofingMachine, "proofing_cases", "id", "status", true}
	appointments    = guarded[models.AppointmentStatus, models.AppointmentEvent]{models.AppointmentMachine, "appointments", "id", "status", true}
	activationCodes = guarded[models.ActivationCodeStatus, models.ActivationCodeEvent]{models.ActivationCodeMachine, "activation_codes", "id", "status", true}
	credentials     = guarded[models.CredentialPhase, models.CredentialEvent]{models.CredentialMachine, "credentials", "id", "phase", true}
)

// move performs one event: UPDATE … WHERE key = id AND state IN (sources of the event). Zero rows is a fault that
// lists what the present state allows, or says that the thing does not exist.
func (g guarded[S, E]) move(tx *gorm.DB, id string, event E, at time.Time, set map[string]any) error {
	from, to, ok := g.machine.Lookup(event)
	if !ok {
		return fmt.Errorf("%s has no event %q", g.machine.Name, event)
	}
	values := map[string]any{g.column: to}
	if g.touched {
		values["updated_at"] = at
	}
	maps.Copy(values, set)
	r := tx.Table(g.table).Where(g.key+" = ? and "+g.column+" in ?", id, from).Updates(values)
	if r.Error != nil {
		return fault(fmt.Errorf("%s %s: %w", event, g.machine.Name, r.Error))
	}
	if r.RowsAffected == 1 {
		return nil
	}
	state, err := g.state(tx, id)
	if err != nil {
		return err
	}
	return models.StateForbids.New("the %s is %s", g.machine.Name, state).Allowing(models.Events(g.machine.Allowed(state, models.ByPerson))...)
}

func (g guarded[S, E]) state(tx *gorm.DB, id string) (S, error) {
	var states []S
	if err := tx.Table(g.table).Where(g.key+" = ?", id).Pluck(g.column, &states).Error; err != nil {
		return "", fault(fmt.Errorf("read the state of the %s: %w", g.machine.Name, err))
	}
	if len(states) == 0 {
		return "", models.NoSuchThing.New("no such %s", g.machine.Name)
	}
	return states[0], nil
}

// lock reads the state under a row lock that lasts to the end of the transaction.
func (g guarded[S, E]) lock(ctx context.Context, s *Store, id string) (S, error) {
	var state S
	err := s.with(ctx).Raw("select "+g.column+" from "+g.table+" where "+g.key+" = ? for update", id).Row().Scan(&state)
	if err != nil {
		return "", fault(fmt.Errorf("lock the %s: %w", g.machine.Name, noRows(err)))
	}
	return state, nil
}
