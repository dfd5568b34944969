package histories

import (
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/workflows"
)

// holder is one credential on the real engine.
type holder struct {
	*ground
	credential models.Credential
	device     *storetest.Device
	unheard    bool // no mail reaches the person
}

// credentialRuns are the lives of credentials, some of them up to a moment that many will rest in for long.
var credentialRuns = []run{
	{name: "registered", floor: 6, open: true, live: hold((*holder).register)},
	{name: "locked", floor: 9, open: true, live: hold(func(h *holder) {
		h.register()
		h.lock()
	})},
	{name: "resynced", floor: 12, open: true, live: hold(func(h *holder) {
		h.register()
		h.lock()
		h.resync()
	})},
	{name: "expired", floor: 12, open: true, live: hold(func(h *holder) {
		h.register()
		h.milestones(2)
	})},
	{name: "renewed", floor: 18, open: true, live: hold(func(h *holder) { // ten days after it has expired; its next life goes on from there
		h.register()
		h.milestones(2)
		at := h.read().ExpiresAt.AddDate(0, 0, 10)
		o := storetest.PlacedAt(h, h.st, storetest.Renewal(h.buyer.ID, models.PayByInvoice, h.read()), at)
		storetest.PayAt(h, h.st, o, at)
		storetest.Must(h, h.st.FulfilOrder(h.Context(), o.Number, h.ring, at))
		h.dispatch()
		h.milestones(1)
	})},
	{name: "never_registered", floor: 9, open: true, live: hold(func(h *holder) { h.milestones(2) })},
	{name: "quiet", floor: 27, live: hold(func(h *holder) { // registered, and then nothing but time, to the end
		h.register()
		h.milestones(7)
	})},
	{name: "unheard", floor: 30, live: hold(func(h *holder) { // no mail reaches the person: somebody has to look, and nobody does
		h.register()
		h.unheard = true
		h.milestones(8)
	})},
	{name: "suspended_then_enabled", floor: 8, open: true, live: hold(func(h *holder) {
		h.register()
		h.command(workflows.SuspendUpdate, workflows.CredentialCommand{})
		h.command(workflows.ReenableUpdate, workflows.CredentialCommand{})
	})},
	{name: "suspended_too_long", floor: 19, live: hold(func(h *holder) {
		h.register()
		h.command(workflows.SuspendUpdate, workflows.CredentialCommand{})
		h.milestones(4)
	})},
	{name: "replaced", floor: 13, open: true, live: hold(func(h *holder) { // the token is stolen; another one is on its way
		h.register()
		o := storetest.PlacedAt(h, h.st, storetest.Replacement(h.buyer.ID, models.PayByInvoice, h.read(), models.ReplaceStolen), now())
		storetest.PayAt(h, h.st, o, now())
		storetest.Must(h, h.st.FulfilOrder(h.Context(), o.Number, h.ring, now()))
		h.dispatch()
		h.revoke(models.RevokeStolen, h.token())
		storetest.Stock(h, h.st, h.ring, storetest.TokenModel, storetest.EventDevice, 1)
		h.device = storetest.Shipped(h, h.st, storetest.Order(h, h.st, o.Number), 1)
		h.dispatch()
		h.register()
	})},
	{name: "revoked", floor: 7, live: hold(func(h *holder) {
		h.register()
		h.revoke(models.RevokeStolen, "")
	})},
	{name: "revoked_locked", floor: 10, live: hold(func(h *holder) {
		h.register()
		h.lock()
		h.revoke(models.RevokeStolen, "")
	})},
	{name: "revoked_unregistered", floor: 4, live: hold(func(h *holder) { h.revoke(models.RevokeNotNeeded, "") })},
	{name: "revoked_unproofed", floor: 4, live: holdOf(storetest.ProofedTokenSKU, func(h *holder) { h.revoke(models.RevokeNotNeeded, "") })},
}

// hold begins with a holder who has bought, received and activated.
func hold(live func(*holder)) func(*ground) string { return holdOf(storetest.TokenSKU, live) }

func holdOf(sku string, live func(*holder)) func(*ground) string {
	return func(g *ground) string {
		h := &holder{ground: g}
		p := &purchase{ground: g, sku: sku}
		p.draft("")
		storetest.Must(g, g.st.PlaceOrder(g.Context(), p.number, now()))
		storetest.Pay(g, g.st, p.order(), p.order().TotalMinor, "all")
		storetest.Must(g, g.st.FulfilOrder(g.Context(), p.number, g.ring, now()))
		storetest.Stock(g, g.st, g.ring, storetest.TokenModel, storetest.EventDevice, 1)
		h.device = storetest.Shipped(g, g.st, p.order(), 1)
		var err error
		h.credential, err = g.st.ActivateLicenseKey(g.Context(), store.Activation{Key: storetest.KeyOf(g, g.st, g.ring, p.order(), 1), AccountID: g.buyer.ID,
			Address: "192.0.2.1", LegalName: g.buyer.LegalName(), ProofingCountry: "US", TokenInHand: true}, now())
		storetest.Must(g, err)
		h.dispatch()
		live(h)
		return h.credential.ID
	}
}

func (h *holder) workflowID() string { return models.CredentialLifecycle.WorkflowID(h.credential.ID) }
func (h *holder) dispatch()          { h.Helper(); h.ground.dispatch(h.workflowID()) }

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

// resync brings the locked token back.
func (h *holder) resync() {
	h.Helper()
	first, second := h.device.Pair(now())
	_, err := h.st.ResyncToken(h.Context(), store.Resync{CredentialID: h.credential.ID, AccountID: h.buyer.ID, AuthenticatorID: h.token(),
		First: first, Second: second}, h.ring, now(), now())
	storetest.Must(h, err)
	h.dispatch()
}

// token is the authenticator that is bound to the credential.
func (h *holder) token() string {
	h.Helper()
	_, bound, err := h.st.Credential(h.Context(), h.credential.ID)
	storetest.Must(h, err)
	return bound[0].ID
}

// command has the person's wish carried out.
func (h *holder) command(update string, c workflows.CredentialCommand) {
	h.Helper()
	c.ID, c.By, c.Actor = h.credential.ID, models.BySubscriber, h.buyer.ID
	storetest.Must(h, h.lifecycles().Command(h.Context(), update, c, update))
}

// revoke ends one token, or everything where none is named.
func (h *holder) revoke(why models.RevokeReason, token string) {
	h.Helper()
	h.command(workflows.RevokeUpdate, workflows.CredentialCommand{Reason: string(why), AuthenticatorID: token})
}

// read returns the credential as it is now.
func (h *holder) read() models.Credential {
	h.Helper()
	c, _, err := h.st.Credential(h.Context(), h.credential.ID)
	storetest.Must(h, err)
	return c
}

// milestones lets time pass, milestone by milestone; each is performed once, and its mail arrives unless it is told not to.
func (h *holder) milestones(n int) {
	h.Helper()
	for range n {
		before := h.performed()
		skip(h.T, h.engine, h.workflowID())
		until(h.T, "the next milestone", func() bool { return h.performed() > before })
		settle(h.T, h.engine, h.workflowID())
		if !h.unheard {
			h.mailed()
		}
	}
}

func (h *holder) performed() (n int) {
	h.Helper()
	storetest.Must(h, h.st.Pool().QueryRow(h.Context(), "select count(*) from credential_milestones where credential_id = $1", h.credential.ID).Scan(&n))
	return n
}
