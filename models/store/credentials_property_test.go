package store_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// LIC-1, LIC-2, SHP-3, REG-1, MGT-5, LOG-3, LOG-4, LIF-1: whatever two people do with the keys and tokens of one order, in
// whatever order and however often, and whenever time passes: the invariants of credentials hold after each step.
func TestCredentialInvariants(t *testing.T) {
	atMost(t, "rapid.checks", "50") // each is some two hundred transactions
	st, ring := storetest.New(t), storetest.Keyring(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := newScene(t, rt, st, ring)
		rt.Repeat(map[string]func(*rapid.T){
			"activate": w.activate, "register": w.register, "verify": w.verify, "resend": w.resend,
			"advance": w.advance, "wait": w.wait, "reset": w.reset, "guess": w.guess, "": w.check,
		})
	})
	// A property that the steps never come near proves nothing.
	for reached, sql := range map[string]string{
		"registered": "select count(*) from authenticators", "locked": "select count(*) from authenticators where status = 'locked'",
		"expired": "select count(*) from credentials where expired_at is not null", "pending": "select count(*) from credentials where phase = 'pending_registration'",
		"given away": "select count(*) from credentials c join order_lines l on l.id = c.order_line_id where l.beneficiary_id <> c.account_id",
		"accepted":   "select count(*) from audit_events where kind = 'code.verified' and outcome = 'success'",
	} {
		if query[int](t, st, sql) == 0 {
			t.Errorf("no credential was ever %s", reached)
		}
	}
}

// atMost changes a flag of the test binary for one test, unless it was given on the command line.
func atMost(t *testing.T, name, value string) {
	f := flag.Lookup(name)
	if f.Value.String() != f.DefValue {
		return
	}
	storetest.Must(t, f.Value.Set(value))
	t.Cleanup(func() { _ = f.Value.Set(f.DefValue) })
}

// scene is an order of two lines, whose tokens have been shipped, and two people.
type scene struct {
	*store.Store
	t        *testing.T
	ring     *seal.Keyring
	order    models.Order
	people   []models.Account
	devices  []*storetest.Device
	keys     [][]models.Secret // of each line, the newest last
	now      time.Time
	accepted map[string]bool // serial and code
	counters map[string]int64
}

func newScene(t *testing.T, rt *rapid.T, st *store.Store, ring *seal.Keyring) *scene {
	w := &scene{Store: st, t: t, ring: ring, now: storetest.At, accepted: map[string]bool{}, counters: map[string]int64{}}
	storetest.Stock(t, st, ring, storetest.TokenModel, storetest.EventDevice, 2)
	w.people = []models.Account{storetest.Account(t, st), storetest.Account(t, st)}
	w.order = storetest.FulfilledOrder(t, st, ring, w.people[0].ID, storetest.TokenSKU, storetest.TokenSKU)
	for line := range 2 {
		w.devices = append(w.devices, storetest.Shipped(t, st, w.order, line+1))
		w.keys = append(w.keys, []models.Secret{storetest.KeyOf(t, st, ring, w.order, line+1)})
	}
	if mostly(rt, "begins registered") {
		c := storetest.Activated(t, st, ring, w.people[0], w.order, 1)
		first, second := w.devices[0].Pair(time.Time{})
		_, err := w.RegisterHardwareToken(t.Context(), store.Registration{CredentialID: c.ID, AccountID: c.AccountID, Serial: w.devices[0].Serial, First: first, Second: second}, ring, w.now, w.now)
		may(rt, err)
	}
	return w
}

// mostly is true three times out of four.
func mostly(rt *rapid.T, what string) bool { return rapid.IntRange(0, 3).Draw(rt, what) != 0 }

func pick[T any](rt *rapid.T, what string, from []T) T { return rapid.SampledFrom(from).Draw(rt, what) }

// may fails the check on an error that is no refusal of the faults named.
func may(rt *rapid.T, err error, faults ...*models.FaultType) {
	if err == nil {
		return
	}
	for _, f := range faults {
		if models.FaultOf(err).Type == f {
			return
		}
	}
	rt.Fatalf("unexpected: %v", err)
}

func (w *scene) activate(rt *rapid.T) {
	person, keys := pick(rt, "person", w.people), pick(rt, "line", w.keys)
	a := store.Activation{Key: keys[len(keys)-1], AccountID: person.ID, Address: w.order.ID, LegalName: person.LegalName(), TokenInHand: mostly(rt, "in hand")}
	if !mostly(rt, "own name") {
		a.LegalName = "Somebody Else"
	}
	if !mostly(rt, "newest key") {
		a.Key = pick(rt, "key", keys)
	}
	_, err := w.ActivateLicenseKey(w.t.Context(), a, w.now)
	may(rt, err, models.LicenseKeyUsed, models.LicenseKeyVoid, models.LicenseKeyExpired, models.NameNotConfirmed, models.TokenNotInHand)
}

func (w *scene) register(rt *rapid.T) {
	all := w.credentials(rt)
	if len(all) == 0 {
		return
	}
	c := pick(rt, "credential", all)
	person, device := c.AccountID, w.deviceOf(c)
	if !mostly(rt, "own credential") {
		person = pick(rt, "person", w.people).ID
	}
	if !mostly(rt, "own device") {
		device = pick(rt, "device", w.devices)
	}
	first, second := device.Pair(time.Time{})
	if !mostly(rt, "right codes") {
		first, second = second, first
	}
	_, err := w.RegisterHardwareToken(w.t.Context(), store.Registration{CredentialID: c.ID, AccountID: person, Serial: device.Serial, First: first, Second: second}, w.ring, w.now, w.now)
	may(rt, err, models.NoSuchThing, models.ActionNotPossible, models.TokenAlreadyRegistered, models.SerialIncorrect, models.OTPIncorrect, models.TokenNotActivable)
}

// deviceOf is the device that was shipped for the credential's line.
func (w *scene) deviceOf(c models.Credential) *storetest.Device {
	if c.OrderLineID == w.order.Lines[0].ID {
		return w.devices[0]
	}
	return w.devices[1]
}

// verify tries a new code, an old one, or one that is far away.
func (w *scene) verify(rt *rapid.T) {
	device := pick(rt, "device", w.devices)
	counter := rapid.SampledFrom([]int64{device.Next, device.Next, max(0, device.Next-1), max(0, device.Next-7), device.Next + 5000}).Draw(rt, "counter")
	if counter == device.Next {
		device.Next++
	}
	w.try(rt, device, counter)
}

// guess tries wrong codes until the device must be locked, if it is bound.
func (w *scene) guess(rt *rapid.T) {
	if mostly(rt, "no guessing") {
		return
	}
	device := pick(rt, "device", w.devices)
	for range models.DefaultPolicy().OTP.FailuresToLock() {
		w.try(rt, device, device.Next+5000)
	}
}

func (w *scene) try(rt *rapid.T, device *storetest.Device, counter int64) {
	code := device.Code(counter)
	v, err := w.Verify(w.t.Context(), store.VerificationRequest{Serial: device.Serial, Code: code, Actor: models.Actor{ID: "test"}}, w.ring, w.now, w.now)
	may(rt, err)
	if v.Result != models.Accepted {
		return
	}
	once := device.Serial + string(code)
	if w.accepted[once] {
		rt.Fatalf("the code at %d was accepted a second time", counter)
	}
	w.accepted[once] = true
	c, bound, err := w.Credential(w.t.Context(), v.CredentialID)
	may(rt, err)
	if c.Phase != models.CredentialActive || !w.now.Before(c.ExpiresAt) || bound[0].Status != models.AuthenticatorActive {
		rt.Fatalf("accepted for %+v, %+v at %v", c, bound, w.now)
	}
}

func (w *scene) resend(rt *rapid.T) {
	line := rapid.IntRange(0, 1).Draw(rt, "line")
	if mostly(rt, "not now") {
		return
	}
	err := w.ResendLicenseKey(w.t.Context(), w.order.Number, line+1, w.ring, models.Actor{ID: "ak_support"}, w.now)
	may(rt, err, models.LicenseKeyUsed)
	if err == nil {
		w.keys[line] = append(w.keys[line], storetest.KeyOf(w.t, w.Store, w.ring, w.order, line+1))
	}
}

func (w *scene) advance(rt *rapid.T) {
	for _, c := range w.credentials(rt) {
		_, err := w.AdvanceCredential(w.t.Context(), c.ID, w.now)
		may(rt, err)
	}
}

// wait lets time pass; the lifecycle may sleep over it, because the engine is down.
func (w *scene) wait(rt *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{1, 1, 24, 24, 24 * 30, 24 * 366}).Draw(rt, "hours")) * time.Hour)
	if mostly(rt, "the engine runs") {
		w.advance(rt)
	}
}

func (w *scene) reset(rt *rapid.T) {
	err := w.ResetRegistration(w.t.Context(), pick(rt, "device", w.devices).Serial, "test", models.Actor{ID: "ak_support"}, w.now)
	may(rt, err, models.NoSuchThing)
}

func (w *scene) credentials(rt *rapid.T) (all []models.Credential) {
	for _, p := range w.people {
		owned, err := w.CredentialsOfAccount(w.t.Context(), p.ID)
		may(rt, err)
		all = append(all, owned...)
	}
	return all
}

func (w *scene) check(rt *rapid.T) {
	lines, live := map[string]bool{}, map[string]int{}
	for _, c := range w.credentials(rt) {
		if lines[c.OrderLineID] {
			rt.Fatalf("two credentials of one line")
		}
		lines[c.OrderLineID] = true
		_, bound, err := w.Credential(w.t.Context(), c.ID)
		may(rt, err)
		if len(bound) > 1 || c.Phase != models.CredentialRevoked && (len(bound) == 1) != (c.Phase == models.CredentialActive) {
			rt.Fatalf("a credential that is %s has %d authenticators", c.Phase, len(bound))
		}
		for _, a := range bound {
			if (a.Status == models.AuthenticatorRevoked) != (c.Phase == models.CredentialRevoked) {
				rt.Fatalf("a credential that is %s has an authenticator that is %s", c.Phase, a.Status)
			}
			if a.Status != models.AuthenticatorRevoked {
				live[a.AccountID]++
				w.checkAuthenticator(rt, c, a)
			}
		}
		if c.ExpiredAt != nil && (w.now.Before(c.ExpiresAt) || !c.ExpiredAt.Equal(c.ExpiresAt)) {
			rt.Fatalf("expired at %v, its term ends at %v, now %v", c.ExpiredAt, c.ExpiresAt, w.now)
		}
		w.checkMails(rt, c)
	}
	for account, n := range live {
		if n > 1 {
			rt.Fatalf("%s has %d live tokens", account, n)
		}
	}
	if n := query[int](w.t, w.Store, `select count(*) from license_keys k join order_lines l on l.id = k.order_line_id
		where l.order_id = $1 and k.status = 'used'`, w.order.ID); n != len(lines) {
		rt.Fatalf("%d used keys, %d credentials", n, len(lines))
	}
}

func (w *scene) checkAuthenticator(rt *rapid.T, c models.Credential, a models.Authenticator) {
	device := w.deviceOf(c)
	if *a.Serial != device.Serial || a.AccountID != c.AccountID {
		rt.Fatalf("bound to %s of %s, shipped was %s to the line of %s", *a.Serial, a.AccountID, device.Serial, c.AccountID)
	}
	if a.NextCounter < w.counters[a.ID] {
		rt.Fatalf("the counter went back from %d to %d", w.counters[a.ID], a.NextCounter)
	}
	w.counters[a.ID] = a.NextCounter
	if limit := models.DefaultPolicy().OTP.FailuresToLock(); a.Failures > limit || (a.Failures == limit) != (a.Status == models.AuthenticatorLocked) {
		rt.Fatalf("%d failures, %s", a.Failures, a.Status)
	}
}

// checkMails: what happens once is mailed once at most.
func (w *scene) checkMails(rt *rapid.T, c models.Credential) {
	mails := map[models.NoticeKind]int{}
	rows, err := w.NoticesAbout(w.t.Context(), c.ID, store.Page{Limit: 200})
	may(rt, err)
	for _, n := range rows {
		mails[n.Kind]++
	}
	if mails[models.NoticeActivated] != 1 || mails[models.NoticeRegistered] > 1 || mails[models.NoticeLocked] > 1 || mails[models.NoticeExpired] > 1 ||
		mails[models.NoticeExpired] == 1 != (c.ExpiredAt != nil) {
		rt.Fatalf("mails %s", fmt.Sprint(mails))
	}
}
