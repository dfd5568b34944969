package documents

import (
	"errors"
	"time"

	"tokendesk/models"
)

// Letter brings an activation code by post (PRF-9).
type Letter struct {
	Seller    Seller
	To        models.Address
	Reference string // cd_…: by which support names the letter, never the code
	Code      models.Secret
	IssuedAt  time.Time
	ExpiresAt time.Time // within its last day
}

// ActivationLetter makes the letter, for a window envelope (PRF-9).
func ActivationLetter(l Letter) ([]byte, error) {
	if l.Code == "" || !l.To.Complete() {
		return nil, errors.New("documents: a letter needs a code and an address")
	}
	return nil, errors.New("documents: the letter is not made yet")
}
