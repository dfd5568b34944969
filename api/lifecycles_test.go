package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"tokendesk/internal/sandboxclock"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// errPanic makes the engine panic.
var errPanic = errors.New("house on fire")

// engine does what lifecycles do when they are spoken to, on the same store.
type engine struct {
	st    *store.Store
	ring  *seal.Keyring
	at    func() time.Time
	mu    sync.Mutex
	down  error
	late  bool            // it does what it is told, and cannot say so
	calls int             // that reached it
	done  map[string]bool // update ids
}

func (e *engine) setDown(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = err
}

func (e *engine) PlaceOrder(ctx context.Context, number string) (models.OrderStatus, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down != nil {
		return "", e.down
	}
	if err := e.st.PlaceOrder(ctx, number, e.at()); err != nil {
		return "", err
	}
	o, err := e.st.OrderByNumber(ctx, number)
	return o.Status, err
}

func (e *engine) CancelOrder(ctx context.Context, number string, by models.Actor, reason models.CancelReason, updateID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if errors.Is(e.down, errPanic) {
		panic(errPanic)
	}
	return e.once(updateID, func() error { return e.st.CancelOrder(ctx, number, by.ID, reason, e.at()) })
}

// once performs an update once for each update id; the mutex is held.
func (e *engine) once(updateID string, perform func() error) error {
	if e.down != nil {
		return e.down
	}
	e.calls++
	if e.done[updateID] {
		return nil
	}
	err := perform()
	e.done[updateID] = err == nil
	if err == nil && e.late {
		return models.ServiceDown.New("")
	}
	return err
}

func (e *engine) SuspendCredential(ctx context.Context, id string, by models.Suspender, actor models.Actor, updateID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.once(updateID, func() error { return e.st.SuspendCredential(ctx, id, by, actor, e.at()) })
}

func (e *engine) ReenableCredential(ctx context.Context, id string, by models.Suspender, actor models.Actor, updateID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.once(updateID, func() error { return e.st.ReenableCredential(ctx, id, by, actor, e.at()) })
}

func (e *engine) RevokeCredential(ctx context.Context, r models.Revocation, actor models.Actor, updateID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.once(updateID, func() error { return e.st.RevokeCredential(ctx, r, e.ring, storetest.Hasher, actor, e.at()) })
}

func (e *engine) ResetAuthenticator(ctx context.Context, credentialID, authenticatorID string, reason models.ResetReason, actor models.Actor, updateID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.once(updateID, func() error {
		return e.st.ResetAuthenticator(ctx, credentialID, authenticatorID, actor, string(reason), e.at())
	})
}

// machine moves the clock of a house.
type machine struct {
	house  *house
	during func(context.Context) error // what happens while time passes; may be nil
}

// stand lets no time pass: a test that calls every operation keeps its sessions.
func (m *machine) stand() {
	m.during = func(context.Context) error { return models.SandboxClockBusy.New("") }
}

func (m *machine) Now(context.Context) (time.Time, time.Duration, error) {
	return m.house.now(), m.house.now().Sub(storetest.At), nil
}

func (m *machine) Advance(ctx context.Context, a sandboxclock.Advance) (r sandboxclock.Report, err error) {
	if m.during != nil {
		if err := m.during(ctx); err != nil {
			return r, err
		}
	}
	r.From, r.To = m.house.now(), a.To
	if a.By > 0 {
		r.To = r.From.Add(a.By)
	}
	m.house.setClock(r.To)
	return r, nil
}
