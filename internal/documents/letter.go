package documents

import (
	"errors"
	"strings"
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
	ExpiresAt time.Time // within its last day; both dates are printed as they read in its location
}

// What may show through the window of the envelope when the letter is folded in three, from the upper left corner of the paper, wherever the
// letter has slid to: that of a US No. 10 envelope (4.5 by 1.125 inches), and that of a DIN 5008 letter in form B.
const (
	windowTop    = 42.0
	windowBottom = 95.0
	windowRight  = 140.0

	addressLeft = 25.0
	senderTop   = 57.5 // in small print above the address
	addressTop  = 63.0
)

var (
	codeStyle = style{26, true, ink, "C"}
	codeLabel = style{9.5, false, muted, "C"}
)

// ActivationLetter makes the letter, on one page for a window envelope (PRF-9). Nothing but the addresses shows through the window. An
// error never holds the code or the address.
func ActivationLetter(l Letter) ([]byte, error) {
	if l.Code == "" || l.Reference == "" || l.Seller.Name == "" || l.IssuedAt.IsZero() || l.ExpiresAt.IsZero() || !l.To.Complete() {
		return nil, errors.New("documents: the letter's facts are not complete")
	}
	l.IssuedAt = l.IssuedAt.In(l.ExpiresAt.Location())
	return render(Facts{Seller: l.Seller, Billing: l.To}, "Activation code", l.Reference, l.IssuedAt, func(p *paper) {
		p.masthead()
		p.y = max(windowBottom, p.window(l)) + 6
		p.y += p.text(p.left, p.y, p.right-p.left, body, "You have asked us to proof your identity for your one-time-password credential. "+
			"This letter proves that you receive mail at this address. Enter the code below to finish.") + 5
		p.code(l)
		p.steps("How to enter it", l.entering())
		p.steps("If you cannot use it", []string{l.lost()})
		p.steps("Keep it to yourself", []string{l.keeping()})
	})
}

// window is the part of the letter that shows through the envelope, and what stands beside it. It returns where they end.
func (p *paper) window(l Letter) float64 {
	width := windowRight - addressLeft
	p.line(addressLeft, senderTop, width, label, p.wrap(label, strings.Join(append([]string{l.Seller.Name}, withoutName(l.Seller.Address)...), ", "), width)[0])
	y := addressTop
	for _, line := range l.To.Lines() {
		y += p.text(addressLeft, y, width, style{10, false, ink, "L"}, line)
	}
	bottom := y
	x := windowRight + 6
	y = addressTop
	for _, f := range []pair{{"Date", date(l.IssuedAt)}, {"Valid until", "the end of " + date(l.ExpiresAt)}, {"Reference", l.Reference}} {
		y += p.text(x, y, p.right-x, label, f.label)
		y += p.text(x, y, p.right-x, strong, f.value) + 1.6
	}
	return max(bottom, y)
}

func withoutName(a models.Address) []string {
	a.Name, a.Company = "", ""
	return a.Lines()
}

// code is the panel with the code, in the middle third of the paper, which is inside when it is folded.
func (p *paper) code(l Letter) {
	const height = 31.0
	width := p.right - p.left
	p.box(p.left, p.y, width, height, wash)
	p.line(p.left, p.y+4, width, codeLabel, "Your activation code")
	p.line(p.left, p.y+10, width, codeStyle, strings.ReplaceAll(l.Code.Reveal(), "-", " – "))
	p.line(p.left, p.y+24, width, codeLabel, "It works once, until the end of "+date(l.ExpiresAt)+".")
	p.y += height + 8
}

func (l Letter) entering() []string {
	where := "Log in to your account"
	if l.Seller.Web != "" {
		where += " at " + l.Seller.Web
	}
	return []string{
		where + " and choose to enter the activation code.",
		"Type the code. Capital or small letters, hyphens and blanks make no difference. The digits 0 and 1 and the letters O and I do not occur in it.",
	}
}

func (l Letter) lost() string {
	return "We keep no copy of the code, so nobody can look it up or send it again, not even our support. If it is lost, does not work or has expired, log in and say so: " +
		"the proofing of your identity is then repeated, which may cost a fee. " + l.contact() + " and name the reference " + l.Reference + ", never the code."
}

func (l Letter) contact() string {
	how := "If you have questions, write to us"
	if l.Seller.Email != "" {
		how += " at " + l.Seller.Email
	}
	if l.Seller.Phone != "" {
		how += ", or call " + l.Seller.Phone + ","
	}
	return how
}

func (l Letter) keeping() string {
	return "Give the code to nobody. We never ask for it on the phone, by e-mail or at the door. Destroy this letter once the code is used. " +
		"If you have not asked for it, somebody may have used your name: tell us, and do not enter the code."
}
