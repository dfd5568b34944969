package histories

import (
	"testing"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// holder is one credential on the real engine.
type holder struct {
	*purchase
	credential models.Credential
	device     *storetest.Device
}

// activated is a holder who has bought, received and activated.
func activated(p *purchase) *holder {
	p.Helper()
	p.draft("")
	storetest.Must(p, p.st.PlaceOrder(p.Context(), p.number, now()))
	storetest.Pay(p, p.st, p.order(), p.order().TotalMinor, "all")
	storetest.Must(p, p.st.FulfilOrder(p.Context(), p.number, p.ring, now()))
	storetest.Stock(p, p.st, p.ring, storetest.TokenModel, storetest.EventDevice, 1)
	h := &holder{purchase: p, device: storetest.Shipped(p, p.st, p.order(), 1)}
	var err error
	h.credential, err = p.st.ActivateLicenseKey(p.Context(), store.Activation{Key: storetest.KeyOf(p, p.st, p.ring, p.order(), 1), AccountID: p.buyer.ID,
		Address: "192.0.2.1", LegalName: p.buyer.LegalName(), ProofingCountry: "US", TokenInHand: true}, now())
	storetest.Must(p, err)
	h.dispatch()
	return h
}

func (h *holder) workflowID() string { return models.CredentialLifecycle.WorkflowID(h.credential.ID) }

func (h *holder) dispatch() { dispatch(h.T, h.engine, h.st, h.workflowID()) }

func (h *holder) register() {
	h.Helper()
	first, second := h.device.Pair(now())
	_, err := h.st.RegisterHardwareToken(h.Context(), store.Registration{CredentialID: h.credential.ID, AccountID: h.buyer.ID, Serial: h.device.Serial,
		First: first, Second: second}, h.ring, now(), now())
	storetest.Must(h, err)
	h.dispatch()
}

// lock has a relying application try wrong codes until the token is locked.
func (h *holder) lock() {
	h.Helper()
	for {
		v, err := h.st.Verify(h.Context(), store.VerificationRequest{CredentialID: h.credential.ID, Code: h.device.Code(1 << 40)}, h.ring, now(), now())
		storetest.Must(h, err)
		if v.Result == models.ResultLocked {
			break
		}
	}
	h.dispatch()
}

// expire lets the term run out.
func (h *holder) expire() {
	h.Helper()
	skip(h.T, h.engine, h.workflowID())
	until(h.T, "the credential to expire", func() bool {
		c, _, err := h.st.Credential(h.Context(), h.credential.ID)
		storetest.Must(h, err)
		return c.ExpiredAt != nil
	})
	settle(h.T, h.engine, h.workflowID())
}

// LIC-2, REG-1, LOG-4, LIF-1, OPS-3: a credential costs the engine what it must do, and its history replays, also of one that lives
// on. The floor: 3 for the run, 3 for each signal or timer.
func TestCredentials(t *testing.T) {
	engine := startEngine(t)
	cases := []struct {
		name        string
		transitions int64
		live        func(h *holder)
	}{
		{"registered", 6, (*holder).register},
		{"locked", 9, func(h *holder) {
			h.register()
			h.lock()
		}},
		{"expired", 9, func(h *holder) {
			h.register()
			h.expire()
		}},
		{"never_registered", 6, (*holder).expire},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := activated(shop(t, engine))
			c.live(h)
			got := keep(t, engine, models.CredentialLifecycle, h.credential.ID, c.name)
			t.Logf("%d state transitions, floor %d", got, c.transitions)
			if got > c.transitions+c.transitions/2 {
				t.Errorf("%d state transitions, more than 1.5 times the floor of %d", got, c.transitions)
			}
		})
	}
}
