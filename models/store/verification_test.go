package store_test

import (
	"fmt"
	"testing"
	"time"

	"tokendesk/internal/otp"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// login is a person with a registered token, and a relying application that asks about codes.
type login struct {
	*store.Store
	ring       *seal.Keyring
	account    models.Account
	credential models.Credential
	device     *storetest.Device
	asker      models.Actor
}

// codeLater is when the codes are asked for: long after the two of the registration.
var codeLater = codeNow.Add(time.Hour)

func newLogin(t *testing.T, st *store.Store, p otp.Parameters) login {
	t.Helper()
	l := login{Store: st, ring: storetest.Keyring(t), account: storetest.Account(t, st)}
	l.credential, l.device = storetest.Registered(t, st, l.ring, l.account, p, codeNow)
	l.asker = models.Actor{ID: "ak_bank", Role: models.RoleRelyingApp, PartnerID: storetest.Partner(t, st, 2, models.HardwareToken).ID}
	return l
}

func (l login) ask(code models.Secret) store.VerificationRequest {
	return store.VerificationRequest{UserID: l.account.UserID, Code: code, Actor: l.asker}
}

// verify may be called from any goroutine.
func (l login) verify(t *testing.T, q store.VerificationRequest) models.VerificationResult {
	t.Helper()
	v, err := l.Verify(t.Context(), q, l.ring, storetest.At, codeLater)
	if err != nil {
		t.Error(err)
	}
	return v.Result
}

// wrong is a code that the device will not show for long.
func (l login) wrong() models.Secret { return l.device.Code(1 << 40) }

func (l login) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := l.Pool().Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (l login) failures(t *testing.T) int {
	t.Helper()
	return query[int](t, l.Store, "select failures from authenticators where credential_id = $1", l.credential.ID)
}

// LOG-5: whoever is named, the right code is accepted, with level and strength.
func TestVerifyAccepts(t *testing.T) {
	for _, p := range []otp.Parameters{storetest.EventDevice, storetest.ClockDevice} {
		st := storetest.New(t)
		for _, subject := range []string{"user id", "user id in other case", "credential", "serial"} {
			t.Run(fmt.Sprintf("%s by %s", p.Kind, subject), func(t *testing.T) {
				l := newLogin(t, st, p)
				q := store.VerificationRequest{Code: l.device.Press(codeLater), Actor: l.asker}
				switch subject {
				case "user id":
					q.UserID = l.account.UserID
				case "user id in other case":
					q.UserID = swapCase(l.account.UserID)
				case "credential":
					q.CredentialID = l.credential.ID
				default:
					q.Serial = l.device.Serial
				}
				got, err := l.Verify(t.Context(), q, l.ring, storetest.At, codeLater)
				want := store.Verification{Result: models.Accepted, CredentialID: l.credential.ID, Level: 2, Strength: models.StrengthHardware}
				if err != nil || got != want {
					t.Fatalf("got %+v, %v; want %+v", got, err, want)
				}
			})
		}
	}
}

func swapCase(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// LOG-5, LOG-8: what stands against a login, and that a refusal tells nothing else and changes nothing.
func TestVerifyRefuses(t *testing.T) {
	st := storetest.New(t)
	const credentials, authenticators = "update credentials set ", "update authenticators set "
	cases := []struct {
		name    string
		change  string // of the row with the credential's id
		later   time.Duration
		partner func(t *testing.T) string
		want    models.VerificationResult
	}{
		{name: "wrong code", want: models.ResultWrongCode},
		{name: "suspended", change: credentials + "suspended_at = now(), suspended_by = 'person' where id = $1", want: models.ResultSuspended},
		{name: "expired, though no step has said so", later: 366 * 24 * time.Hour, want: models.ResultExpired},
		{name: "pending approval", change: credentials + "phase = 'pending_approval' where id = $1", want: models.ResultPendingApproval},
		{name: "pending registration", change: credentials + "phase = 'pending_registration' where id = $1", want: models.ResultPending},
		{name: "revoked", change: credentials + "phase = 'revoked', revoked_at = now() where id = $1", want: models.ResultRevoked},
		{name: "token revoked", change: authenticators + "status = 'revoked', revoked_at = now() where credential_id = $1", want: models.ResultRevoked},
		{name: "locked", change: authenticators + "status = 'locked', locked_at = now() where credential_id = $1", want: models.ResultLocked},
		{name: "level not accepted", partner: func(t *testing.T) string { return storetest.Partner(t, st, 3, models.HardwareToken).ID }, want: models.ResultNotAccepted},
		{name: "kind not accepted", partner: func(t *testing.T) string { return storetest.Partner(t, st, 2, models.Phone).ID }, want: models.ResultNotAccepted},
		{name: "unknown partner", partner: func(*testing.T) string { return "pa_none" }, want: models.ResultNotAccepted},
		{name: "a partner that does not accept it learns nothing else", change: credentials + "suspended_at = now(), suspended_by = 'person' where id = $1",
			partner: func(t *testing.T) string { return storetest.Partner(t, st, 3, models.HardwareToken).ID }, want: models.ResultNotAccepted},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLogin(t, st, storetest.EventDevice)
			code := l.device.Code(l.device.Next)
			if c.want == models.ResultWrongCode {
				code = l.wrong()
			}
			if c.change != "" {
				l.exec(t, c.change, l.credential.ID)
			}
			if c.partner != nil {
				l.asker.PartnerID = c.partner(t)
			}
			for _, q := range []store.VerificationRequest{{UserID: l.account.UserID}, {CredentialID: l.credential.ID}, {Serial: l.device.Serial}} {
				q.Code, q.Actor = code, l.asker
				before := query[string](t, st, "select (next_counter, status)::text from authenticators where credential_id = $1", l.credential.ID)
				got, err := l.Verify(t.Context(), q, l.ring, storetest.At.Add(c.later), codeLater)
				if want := (store.Verification{Result: c.want}); err != nil || got != want {
					t.Fatalf("%+v: got %+v, %v; want %+v", q, got, err, want)
				}
				if after := query[string](t, st, "select (next_counter, status)::text from authenticators where credential_id = $1", l.credential.ID); after != before {
					t.Fatalf("a refusal changed the authenticator from %s to %s", before, after)
				}
			}
			if n := query[int](t, st, "select count(*) from audit_events where kind = 'code.verified' and credential_id = $1 and actor = 'ak_bank' and outcome = 'failure' and detail->>'result' = $2", l.credential.ID, c.want); n != 3 {
				t.Errorf("%d refusals of 3 are audited", n)
			}
		})
	}
}

// LOG-5: someone without any token is told why, and LOG-8: who does not exist is told what a wrong code is told.
func TestVerifyWithoutToken(t *testing.T) {
	st := storetest.New(t)
	ring := storetest.Keyring(t)
	buyer := storetest.Account(t, st)
	storetest.Stock(t, st, ring, storetest.TokenModel, storetest.EventDevice, 1)
	o := storetest.FulfilledOrder(t, st, ring, buyer.ID)
	storetest.Shipped(t, st, o, 1)
	c := storetest.Activated(t, st, ring, buyer, o, 1)
	cases := []struct {
		name string
		q    store.VerificationRequest
		want models.VerificationResult
	}{
		{"user id, nothing registered yet", store.VerificationRequest{UserID: buyer.UserID}, models.ResultPending},
		{"credential, nothing registered yet", store.VerificationRequest{CredentialID: c.ID}, models.ResultPending},
		{"person without credential", store.VerificationRequest{UserID: storetest.Account(t, st).UserID}, models.ResultWrongCode},
		{"unknown user id", store.VerificationRequest{UserID: "nobody'; drop table accounts"}, models.ResultWrongCode},
		{"unknown credential", store.VerificationRequest{CredentialID: "cr_none"}, models.ResultWrongCode},
		{"unknown serial", store.VerificationRequest{Serial: "NONE"}, models.ResultWrongCode},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.q.Code, c.q.Actor = "123456", models.Actor{ID: fmt.Sprintf("ak_%d", i)}
			got, err := st.Verify(t.Context(), c.q, ring, storetest.At, codeLater)
			if want := (store.Verification{Result: c.want}); err != nil || got != want {
				t.Fatalf("got %+v, %v; want %+v", got, err, want)
			}
			if n := query[int](t, st, "select count(*) from audit_events where kind = 'code.verified' and actor = $1 and outcome = 'failure'", c.q.Actor.ID); n != 1 {
				t.Errorf("audited %d times", n)
			}
		})
	}
}

func TestVerifyRefusesUnclearSubjects(t *testing.T) {
	l := newLogin(t, storetest.New(t), storetest.EventDevice)
	for _, q := range []store.VerificationRequest{
		{}, {UserID: "a", Serial: "b"}, {UserID: "a", CredentialID: "b"}, {CredentialID: "a", Serial: "b"}, {UserID: "a", CredentialID: "b", Serial: "c"},
		{UserID: "nul\x00"}, {Serial: "not utf-8 \xff"},
	} {
		q.Code, q.Actor = l.wrong(), l.asker
		_, err := l.Verify(t.Context(), q, l.ring, storetest.At, codeLater)
		wantFault(t, err, models.InvalidRequest)
	}
	l.wantIdle(t)
}
