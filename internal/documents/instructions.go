package documents

import (
	"errors"
	"time"

	"tokendesk/models"
)

// Parcel is what stands in the instructions that travel with a token (SHP-1).
type Parcel struct {
	Seller      Seller
	OrderNumber string
	Shipment    string // our reference of the shipment
	Number      int    // of the parcel: 1, or more where an earlier one was lost
	To          models.Address
	Product     string
	Serial      string // of the token in the parcel
	Proofing    bool   // the identity of its owner is proofed before it is registered
	Replacement bool   // of a token that was registered for the credential; it needs no license key
	PackedAt    time.Time
}

// Instructions makes the paper that is printed and laid into the parcel: what to check, and the steps from the parcel to the
// first login. It never carries the license key, which travels by mail alone.
func Instructions(i Parcel) ([]byte, error) {
	if i.Seller.Name == "" || i.OrderNumber == "" || i.Serial == "" || i.Number < 1 || i.PackedAt.IsZero() || !i.To.Complete() {
		return nil, errors.New("documents: the parcel's facts are not complete")
	}
	to := i.To
	return render(Facts{Seller: i.Seller, Billing: to}, "Your token", i.Serial, i.PackedAt, func(p *paper) {
		p.masthead()
		p.facts([]pair{
			{"Serial number", i.Serial},
			{"Order", i.OrderNumber},
			{"Packed on", date(i.PackedAt)},
			{"Shipment", i.Shipment},
		})
		p.y += p.text(p.left, p.y, p.right-p.left, label, "For") + 0.8
		for n, line := range to.Lines() {
			s := body
			if n == 0 {
				s = strong
			}
			p.y += p.text(p.left, p.y, p.right-p.left, s, line)
		}
		p.y += 9
		p.steps("How to begin", i.steps())
		p.steps("If something is wrong", []string{i.trouble()})
		p.small(i.Product)
	})
}

const (
	compare  = "Compare the serial number on the back of the token with the one above. They must be the same."
	register = "Choose to register the token and enter its serial number."
	press    = "Press the button of the token and enter the code that it shows. Wait 30 seconds, press again, and enter the next code."
)

// steps lead from the parcel to the first login (LIC-2, PRF-1, REG-1), or from the old token to the new one (MGT-5, MGT-6).
func (i Parcel) steps() []string {
	if i.Replacement {
		return []string{
			compare,
			"Log in to your account and revoke the old token. It works no more then, you are logged out, and a temporary password comes by e-mail.",
			"Log in with the temporary password and choose a new one.",
			register,
			press,
		}
	}
	steps := []string{
		compare,
		"Find the e-mail with your license key. It never travels with the token.",
		"Log in to your account, choose to activate a license key, and enter the key. Confirm your legal name and that the token is in your hand.",
	}
	if i.Proofing {
		steps = append(steps, "Follow the steps that proof your identity. The token can be registered when they are done.")
	}
	return append(steps, register, press)
}

func (i Parcel) trouble() string {
	how := "Write to us"
	if i.Seller.Email != "" {
		how += " at " + i.Seller.Email
	}
	if i.Seller.Phone != "" {
		how += ", or call " + i.Seller.Phone
	}
	return how + ". Do not use a token whose serial number differs, or that was not sealed when it came, and give neither its codes nor your license key to anybody."
}
