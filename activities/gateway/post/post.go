// Package post holds what printing and posting letters is made of, whoever does it (PRF-9). Sub-package rest calls a provider's HTTP API;
// sub-package simulator is a stateful provider that speaks it.
//
// Every provider keeps these promises, and package posttest proves them:
//   - A letter is posted once under an idempotency key; the same key with another letter is a models.IdempotencyKeyReused fault, no key is
//     models.IdempotencyKeyMissing.
//   - Find tells whether a letter was taken under a key, for whoever lost the answer to Send and has the letter no more.
//   - An address to which no letter can go is a models.PostalAddressNotUsable fault.
//   - Technical trouble is a models.ServiceDown fault: whether the letter was taken is not known (OPS-2).
//   - No error carries an address, a text of the letter, or the provider's own wording (SEC-5).
package post

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"

	"tokendesk/models"
)

// Provider prints and posts letters. It is safe for concurrent use.
type Provider interface {
	// Send has a letter printed and posted; ref is the provider's id of it.
	Send(ctx context.Context, l Letter) (ref string, err error)
	// Find looks for a letter that was taken.
	Find(ctx context.Context, idempotencyKey string) (ref string, found bool, err error)
}

// Letter is a letter to one person. It passes through memory only: however it is rendered, it shows its key.
type Letter struct {
	IdempotencyKey string // the id of what it brings: "cd_1"
	To             models.Address
	PDF            []byte
}

func (l Letter) String() string               { return "letter " + l.IdempotencyKey }
func (l Letter) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, l.String()) }
func (l Letter) LogValue() slog.Value         { return slog.StringValue(l.String()) }
func (l Letter) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%q", l.String()), nil }

// Check refuses what no provider should be asked.
func (l Letter) Check() error {
	switch {
	case l.IdempotencyKey == "":
		return models.IdempotencyKeyMissing.New("a letter needs an idempotency key")
	case !bytes.HasPrefix(l.PDF, []byte("%PDF-")):
		return models.InvalidRequest.New("a letter is a PDF")
	case !l.To.Complete():
		return models.PostalAddressNotUsable.New("the address is not complete")
	default:
		return nil
	}
}
