package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/otp"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// codeNow is the real time of the tests: far from the vendor's virtual one.
var codeNow = time.Date(2026, 1, 15, 8, 30, 10, 0, time.UTC)

// awaiting is a bench whose key is used and whose token has been shipped.
type awaiting struct {
	bench
	credential models.Credential
	device     *storetest.Device
}

func awaitingToken(t *testing.T, p otp.Parameters) awaiting {
	t.Helper()
	return awaitingIn(t, storetest.New(t), storetest.Keyring(t), p)
}

// awaitingIn is for table tests: cases that keep to their own account share a database.
func awaitingIn(t *testing.T, st *store.Store, ring *seal.Keyring, p otp.Parameters) awaiting {
	t.Helper()
	storetest.Stock(t, st, ring, storetest.TokenModel, p, 3)
	buyer := storetest.Account(t, st)
	b := bench{st, ring, buyer, storetest.FulfilledOrder(t, st, ring, buyer.ID)}
	device := storetest.Shipped(t, st, b.order, 1)
	return awaiting{b, storetest.Activated(t, st, ring, buyer, b.order, 1), device}
}

func (w awaiting) registration(at time.Time) store.Registration {
	first, second := w.device.Pair(at)
	return store.Registration{CredentialID: w.credential.ID, AccountID: w.buyer.ID, Serial: w.device.Serial, First: first, Second: second}
}

func (w awaiting) register(t *testing.T, r store.Registration) (models.Authenticator, error) {
	t.Helper()
	return w.RegisterHardwareToken(t.Context(), r, w.ring, storetest.At, codeNow)
}

// wrongPair is two codes that the device does not show one after the other.
func (w awaiting) wrongPair(i int) store.Registration {
	r := w.registration(codeNow)
	r.First, r.Second = r.Second, w.device.Code(int64(5000+i))
	return r
}

// REG-1, SHP-3: every kind of token, wherever its counter or clock stands in the registration window; what is remembered of
// it, and what is written with it.
func TestRegister(t *testing.T) {
	clock := func(a otp.Algorithm, digits int) otp.Parameters {
		return otp.Parameters{Kind: otp.TOTP, Algorithm: a, Digits: digits, Period: 30 * time.Second}
	}
	event := func(a otp.Algorithm, digits int) otp.Parameters {
		return otp.Parameters{Kind: otp.HOTP, Algorithm: a, Digits: digits}
	}
	cases := []struct {
		name    string
		params  otp.Parameters
		pressed int64         // HOTP: how often the button was pressed before
		ahead   time.Duration // TOTP: how much the clock is fast
	}{
		{"HOTP SHA1 6", event(otp.SHA1, 6), 0, 0},
		{"HOTP SHA256 8, pressed before", event(otp.SHA256, 8), 400, 0},
		{"HOTP SHA512 6, at the end of the window", event(otp.SHA512, 6), 998, 0},
		{"TOTP SHA1 6", clock(otp.SHA1, 6), 0, 0},
		{"TOTP SHA256 8, fast clock", clock(otp.SHA256, 8), 0, 5 * time.Minute},
		{"TOTP SHA512 8, slow clock", clock(otp.SHA512, 8), 0, -5 * time.Minute},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := awaitingToken(t, c.params)
			w.device.Next = c.pressed
			r := w.registration(codeNow.Add(c.ahead))
			r.Serial = " " + strings.ToLower(r.Serial)
			a, err := w.register(t, r)
			if err != nil {
				t.Fatal(err)
			}
			wantNext, wantDrift := c.pressed+2, int64(0)
			if c.params.Kind == otp.TOTP {
				wantNext = otp.Step(c.params, codeNow.Add(c.ahead)) + 2
				wantDrift = wantNext - 1 - otp.Step(c.params, codeNow)
			}
			if a.NextCounter != wantNext || a.Drift != wantDrift || a.Status != models.AuthenticatorActive || *a.Serial != w.device.Serial {
				t.Errorf("authenticator %+v, want counter %d, drift %d", a, wantNext, wantDrift)
			}
			stored, bound, err := w.Credential(t.Context(), w.credential.ID)
			if err != nil || stored.Phase != models.CredentialActive || len(bound) != 1 || bound[0].ID != a.ID || bound[0].NextCounter != wantNext {
				t.Errorf("stored %+v %+v %v", stored, bound, err)
			}
			if token, _ := w.Token(t.Context(), w.device.Serial); token.Status != models.TokenBound {
				t.Errorf("the token is %s", token.Status)
			}
			w.wantWritten(t, a)
		})
	}
}

func (w awaiting) wantWritten(t *testing.T, a models.Authenticator) {
	t.Helper()
	if n := query[int](t, w.Store, "select count(*) from outbox where kind = 'signal' and name = $1 and workflow_id = $2", models.SignalCredentialChanged, "credential/"+w.credential.ID); n != 1 {
		t.Errorf("signalled %d times", n)
	}
	if got := w.mails(t); got != "activated registered" {
		t.Errorf("mails %v", got)
	}
	if n := query[int](t, w.Store, "select count(*) from audit_events where kind = 'token.registered' and outcome = 'success' and authenticator_id = $1", a.ID); n != 1 {
		t.Errorf("audited %d times", n)
	}
}

// mails lists the kinds of mail about the credential, in order of the alphabet.
func (w awaiting) mails(t *testing.T) string {
	t.Helper()
	return query[string](t, w.Store, "select string_agg(kind, ' ' order by kind) from notices where subject_ref = $1", w.credential.ID)
}

// REG-1, SHP-3: each refusal has its own answer, changes nothing, and is audited without serials of others or codes.
func TestRegisterRefuses(t *testing.T) {
	cases := []struct {
		name   string
		change func(t *testing.T, w awaiting, r *store.Registration)
		want   *models.FaultType
		tries  int
	}{
		{"no such serial", func(_ *testing.T, _ awaiting, r *store.Registration) { r.Serial = "T000" }, models.SerialIncorrect, 0},
		{"no serial", func(_ *testing.T, _ awaiting, r *store.Registration) { r.Serial = "" }, models.SerialIncorrect, 0},
		{"a serial in stock", func(t *testing.T, w awaiting, r *store.Registration) {
			r.Serial = query[string](t, w.Store, "select serial from tokens where status = 'in_stock' limit 1")
		}, models.SerialIncorrect, 0},
		{"a serial of another order", func(t *testing.T, w awaiting, r *store.Registration) {
			r.Serial = storetest.Shipped(t, w.Store, storetest.FulfilledOrder(t, w.Store, w.ring, w.buyer.ID), 1).Serial
		}, models.SerialIncorrect, 0},
		{"a retired token", func(t *testing.T, w awaiting, r *store.Registration) {
			if err := w.RetireToken(t.Context(), r.Serial, "broken", models.Actor{ID: "ak_warehouse"}, storetest.At); err != nil {
				t.Fatal(err)
			}
		}, models.SerialIncorrect, 0},
		{"codes the wrong way round", func(_ *testing.T, _ awaiting, r *store.Registration) { r.First, r.Second = r.Second, r.First }, models.OTPIncorrect, 1},
		{"one code twice", func(_ *testing.T, _ awaiting, r *store.Registration) { r.Second = r.First }, models.OTPIncorrect, 1},
		{"a code left out", func(_ *testing.T, w awaiting, r *store.Registration) { r.Second = w.device.Code(2) }, models.OTPIncorrect, 1},
		{"beyond the window", func(_ *testing.T, w awaiting, r *store.Registration) {
			r.First, r.Second = w.device.Code(1000), w.device.Code(1001)
		}, models.OTPIncorrect, 1},
		{"no codes", func(_ *testing.T, _ awaiting, r *store.Registration) { r.First, r.Second = "", "" }, models.OTPIncorrect, 1},
		{"letters", func(_ *testing.T, _ awaiting, r *store.Registration) { r.First = "abcdef" }, models.OTPIncorrect, 1},
		{"somebody else's credential", func(t *testing.T, w awaiting, r *store.Registration) {
			r.AccountID = storetest.Account(t, w.Store).ID
		}, models.NoSuchThing, 0},
		{"no such credential", func(_ *testing.T, _ awaiting, r *store.Registration) { r.CredentialID = "cr_none" }, models.NoSuchThing, 0},
	}
	st, ring := storetest.New(t), storetest.Keyring(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := awaitingIn(t, st, ring, storetest.EventDevice)
			r := w.registration(codeNow)
			c.change(t, w, &r)
			_, err := w.register(t, r)
			wantFault(t, err, c.want)
			if _, bound, _ := w.Credential(t.Context(), w.credential.ID); len(bound) != 0 {
				t.Error("something was bound")
			}
			if n := query[int](t, w.Store, "select coalesce(sum(failures), 0) from registration_tries where serial = $1", w.device.Serial); n != c.tries {
				t.Errorf("%d tries are counted, want %d", n, c.tries)
			}
			audited := query[int](t, w.Store, "select count(*) from audit_events where kind = 'token.registered' and outcome = 'failure' and actor = $1 and detail = jsonb_build_object('reason', $2::text)", w.buyer.ID, c.want.Slug)
			if audited != 1 && c.want != models.NoSuchThing {
				t.Errorf("the refusal was audited %d times", audited)
			}
			if r.First != "" && strings.Contains(err.Error(), r.First.Reveal()) {
				t.Error("the error shows a code")
			}
		})
	}
}

// REG-1, MGT-5: an action that the credential's state does not allow says what it does allow.
func TestRegisterNotNow(t *testing.T) {
	w := awaitingToken(t, storetest.EventDevice)
	r := w.registration(codeNow)
	_, err := w.RegisterHardwareToken(t.Context(), r, w.ring, w.credential.ExpiresAt, codeNow)
	wantFault(t, err, models.ActionNotPossible)
	if _, err := w.register(t, r); err != nil {
		t.Fatal(err)
	}
	_, err = w.register(t, w.registration(codeNow))
	wantFault(t, err, models.TokenAlreadyRegistered)
	if f := models.FaultOf(err); fmt.Sprint(f.Allowed) != "[resync suspend replace revoke]" {
		t.Errorf("allowed %v", f.Allowed)
	}
}

// MGT-5: whoever has a live hardware token registers no second one.
func TestRegisterSecondToken(t *testing.T) {
	w := awaitingToken(t, storetest.EventDevice)
	if _, err := w.register(t, w.registration(codeNow)); err != nil {
		t.Fatal(err)
	}
	second := w
	second.order = storetest.FulfilledOrder(t, w.Store, w.ring, w.buyer.ID)
	second.device = storetest.Shipped(t, w.Store, second.order, 1)
	second.credential = storetest.Activated(t, w.Store, w.ring, w.buyer, second.order, 1)
	_, err := second.register(t, second.registration(codeNow))
	wantFault(t, err, models.TokenAlreadyRegistered)
	if f := models.FaultOf(err); fmt.Sprint(f.Allowed) != "[revoke]" || !strings.Contains(f.Detail, w.credential.ID) {
		t.Errorf("%q, allowed %v", f.Detail, f.Allowed)
	}
}

// MGT-5: two tokens of one person registered at the same time: one is bound, and nothing of the other's is spent.
func TestRegisterTwoTokensRace(t *testing.T) {
	st, ring := storetest.New(t), storetest.Keyring(t)
	storetest.Stock(t, st, ring, storetest.TokenModel, storetest.EventDevice, 2)
	buyer := storetest.Account(t, st)
	b := bench{st, ring, buyer, storetest.FulfilledOrder(t, st, ring, buyer.ID, storetest.TokenSKU, storetest.TokenSKU)}
	var pair []awaiting
	for position := range 2 {
		pair = append(pair, awaiting{b, storetest.Activated(t, st, ring, buyer, b.order, position+1), storetest.Shipped(t, st, b.order, position+1)})
	}
	got := atOnce(2, func(i int) error {
		_, err := st.RegisterHardwareToken(t.Context(), pair[i].registration(codeNow), ring, storetest.At, codeNow)
		if err != nil && fmt.Sprint(models.FaultOf(err).Allowed) != "[revoke]" {
			t.Errorf("allowed %v", models.FaultOf(err).Allowed)
		}
		return err
	})
	if got[""] != 1 || got[models.TokenAlreadyRegistered.Slug] != 1 {
		t.Fatalf("answers %v", got)
	}
	if s := query[string](t, st, "select string_agg(status, ' ' order by status) from tokens"); s != "bound shipped" {
		t.Errorf("tokens: %s", s)
	}
}

// REG-1: wrong codes are counted though the request fails, also at the same time; at the limit right codes do not help any
// more, until support has reset the token.
func TestRegisterLocksAfterWrongCodes(t *testing.T) {
	w := awaitingToken(t, storetest.ClockDevice)
	limit := models.DefaultPolicy().OTP.LockAfter
	got := atOnce(limit+10, func(i int) error {
		_, err := w.RegisterHardwareToken(t.Context(), w.wrongPair(i), w.ring, storetest.At, codeNow)
		return err
	})
	if got[models.OTPIncorrect.Slug] != limit || got[models.TokenNotActivable.Slug] != 10 {
		t.Fatalf("answers %v", got)
	}
	_, err := w.register(t, w.registration(codeNow))
	wantFault(t, err, models.TokenNotActivable)
	support := models.Actor{ID: "ak_support", Role: models.RoleSupport}
	wantFault(t, w.ResetRegistration(t.Context(), w.device.Serial, " \u00a0 ", support, storetest.At), models.InvalidRequest) // a reason of blanks
	wantFault(t, w.ResetRegistration(t.Context(), w.device.Serial, "identified by phone", support, storetest.At), nil)
	wantFault(t, w.ResetRegistration(t.Context(), w.device.Serial, "again", support, storetest.At), models.NoSuchThing)
	if _, err := w.register(t, w.registration(codeNow)); err != nil {
		t.Fatal(err)
	}
}

// REG-1: success forgets the wrong tries before it.
func TestRegisterAfterWrongCodes(t *testing.T) {
	w := awaitingToken(t, storetest.EventDevice)
	for i := range models.DefaultPolicy().OTP.LockAfter - 1 {
		_, err := w.register(t, w.wrongPair(i))
		wantFault(t, err, models.OTPIncorrect)
	}
	w.device.Next = 0
	if a, err := w.register(t, w.registration(codeNow)); err != nil || a.Failures != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	if n := query[int](t, w.Store, "select count(*) from registration_tries"); n != 0 {
		t.Error("tries are left")
	}
}

// REG-1: one registration sent many times at once binds once.
func TestRegisterRace(t *testing.T) {
	w := awaitingToken(t, storetest.EventDevice)
	r := w.registration(codeNow)
	got := atOnce(10, func(int) error {
		_, err := w.RegisterHardwareToken(t.Context(), r, w.ring, storetest.At, codeNow)
		return err
	})
	if got[""] != 1 || got[models.TokenAlreadyRegistered.Slug] != 9 {
		t.Fatalf("answers %v", got)
	}
}

// SEC-2: a seed that was moved to another row does not open, and the caller learns nothing of it.
func TestRegisterWithForeignSeed(t *testing.T) {
	w := awaitingToken(t, storetest.EventDevice)
	if _, err := w.Pool().Exec(t.Context(), "update tokens set sealed_seed = (select sealed_seed from tokens where serial <> $1 limit 1) where serial = $1", w.device.Serial); err != nil {
		t.Fatal(err)
	}
	_, err := w.register(t, w.registration(codeNow))
	if models.KindOf(err) != models.Internal {
		t.Fatalf("got %v", err)
	}
	if errors.Is(err, models.OTPIncorrect) || query[int](t, w.Store, "select count(*) from registration_tries") != 0 {
		t.Error("the person is blamed for it")
	}
}
