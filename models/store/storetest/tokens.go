package storetest

import (
	"crypto/sha256"
	"crypto/sha512"
	"iter"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/otp"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Device is a physical token, as its holder has it.
type Device struct {
	Serial string
	Params otp.Parameters
	Next   int64 // HOTP: the counter of the next code
}

// EventDevice and ClockDevice are what most tokens are.
var (
	EventDevice = otp.Parameters{Kind: otp.HOTP, Algorithm: otp.SHA1, Digits: 6}
	ClockDevice = otp.Parameters{Kind: otp.TOTP, Algorithm: otp.SHA1, Digits: 6, Period: 30 * time.Second}
)

// seedOf is the seed of every device made here: it follows from the serial.
func seedOf(serial string, a otp.Algorithm) []byte {
	sum := sha512.Sum512([]byte("seed of " + serial))
	switch a {
	case otp.SHA256:
		return sum[:sha256.Size]
	case otp.SHA512:
		return sum[:]
	}
	return sum[:20]
}

// Code is the code at a counter or a time step.
func (d *Device) Code(counter int64) models.Secret {
	return models.Secret(otp.Code(seedOf(d.Serial, d.Params.Algorithm), d.Params, counter))
}

// Press shows the next code. A clock's code is that of the moment.
func (d *Device) Press(at time.Time) models.Secret {
	if d.Params.Kind == otp.TOTP {
		return d.Code(otp.Step(d.Params, at))
	}
	d.Next++
	return d.Code(d.Next - 1)
}

// Pair is two consecutive codes.
func (d *Device) Pair(at time.Time) (first, second models.Secret) {
	return d.Press(at), d.Press(at.Add(d.Params.Period))
}

// Stock imports n new tokens of a model.
func Stock(t testing.TB, st *store.Store, ring *seal.Keyring, model string, p otp.Parameters, n int) {
	t.Helper()
	Must(t, st.SaveTokenModel(t.Context(), models.TokenModel{Model: model, Kind: string(p.Kind)}, models.Actor{ID: "test"}, At))
	i := models.TokenImport{ID: store.NewID("ti", At), Format: "csv", FileSHA256: make([]byte, sha256.Size), Rows: n, ImportedAt: At}
	Must(t, st.StageTokens(t.Context(), i.ID, tokens(ring, model, p, n), At))
	if i, _, err := st.ImportStaged(t.Context(), i, "main", models.Actor{ID: "test"}); err != nil || i.Imported != n {
		t.Fatalf("imported %d of %d tokens: %v", i.Imported, n, err)
	}
}

func tokens(ring *seal.Keyring, model string, p otp.Parameters, n int) iter.Seq2[store.StagedToken, error] {
	return func(yield func(store.StagedToken, error) bool) {
		for row := 1; row <= n; row++ {
			serial := "T" + strings.ToUpper(store.NewID("", At)[11:])
			sealed, err := ring.Seal(seedOf(serial, p.Algorithm), models.TokenSeedContext(serial))
			token := models.Token{Serial: serial, Model: model, Kind: string(p.Kind), Algorithm: string(p.Algorithm), Digits: p.Digits,
				PeriodSeconds: int(p.Period / time.Second), SealedSeed: sealed}
			if !yield(store.StagedToken{Row: row, Token: token}, err) {
				return
			}
		}
	}
}

// Shipped sends the token of a fulfilled order's line on its way, and returns it. There must be stock.
func Shipped(t testing.TB, st *store.Store, o models.Order, position int) *Device {
	t.Helper()
	all, err := st.ShipmentsOfOrder(t.Context(), o.ID)
	Must(t, err)
	for _, sh := range all {
		if sh.OrderLineID == o.Lines[position-1].ID {
			return ship(t, st, sh.ID)
		}
	}
	t.Fatal("the line has no shipment")
	return nil
}

func ship(t testing.TB, st *store.Store, shipmentID string) *Device {
	t.Helper()
	if sh, err := st.PackShipment(t.Context(), shipmentID, At); err != nil || sh.Status != models.ShipmentPacked {
		t.Fatalf("packing ended in %q: %v", sh.Status, err)
	}
	intent, err := st.IntendLabel(t.Context(), shipmentID, At)
	Must(t, err)
	_, _, err = st.RecordLabel(t.Context(), intent, store.Label{Carrier: "test", TrackingNumber: "TRACK-" + shipmentID, Ref: "ref-" + shipmentID,
		PromisedBy: At.AddDate(0, 0, 7), LateFrom: At.AddDate(0, 0, 8)}, At)
	Must(t, err)
	token, err := st.Token(t.Context(), intent.Parcel.Serial)
	Must(t, err)
	return &Device{Serial: token.Serial, Next: token.InitialCounter, Params: otp.Parameters{Kind: otp.Kind(token.Kind), Algorithm: otp.Algorithm(token.Algorithm),
		Digits: token.Digits, Period: time.Duration(token.PeriodSeconds) * time.Second}}
}

// Activated is a credential whose key the account has just used.
func Activated(t testing.TB, st *store.Store, ring *seal.Keyring, a models.Account, o models.Order, position int) models.Credential {
	t.Helper()
	c, err := st.ActivateLicenseKey(t.Context(), store.Activation{Key: KeyOf(t, st, ring, o, position), AccountID: a.ID, Address: "192.0.2.1",
		LegalName: a.LegalName(), ProofingCountry: a.Country, TokenInHand: true}, At)
	Must(t, err)
	return c
}

// Registered is an active credential of an account and the device that is bound to it. codeTime is the real time.
func Registered(t testing.TB, st *store.Store, ring *seal.Keyring, a models.Account, p otp.Parameters, codeTime time.Time) (models.Credential, *Device) {
	t.Helper()
	Stock(t, st, ring, TokenModel, p, 1)
	o := FulfilledOrder(t, st, ring, a.ID)
	device := Shipped(t, st, o, 1)
	c := Activated(t, st, ring, a, o, 1)
	first, second := device.Pair(codeTime)
	_, err := st.RegisterHardwareToken(t.Context(), store.Registration{CredentialID: c.ID, AccountID: a.ID, Serial: device.Serial, First: first, Second: second}, ring, At, codeTime)
	Must(t, err)
	c, _, err = st.Credential(t.Context(), c.ID)
	Must(t, err)
	return c, device
}
