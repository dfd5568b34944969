package proofing

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"tokendesk/models"
)

// Applicant is a person who asks to be proofed, and what the person gave for that. It passes through memory only (PRF-2):
// however it is rendered, it shows its reference.
type Applicant struct {
	Reference      string // what our books know it by: the case and its attempt, for example "pc_1/2"
	IdempotencyKey string // made of business ids
	Name           Name   // as the account has it
	Address        models.Address
	BirthDate      models.Secret // 2006-01-02
	Phone          models.Secret // E.164; gets the capture link
	SSNLast4       models.Secret
	Limits         Limits
}

// Name is a person's legal name.
type Name struct {
	First  string
	Middle string // may be empty
	Last   string
}

// Limits bound the knowledge questions, as our policy wants them.
type Limits struct {
	Questions bool // may be asked at all
	AtLeast   int  // questions in a set
	Options   int  // of each question
	Attempts  int  // sets
	Seconds   int  // for each question of a set
}

func (a Applicant) String() string               { return "applicant " + a.Reference }
func (a Applicant) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, a.String()) }
func (a Applicant) LogValue() slog.Value         { return slog.StringValue(a.String()) }
func (a Applicant) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

func (Name) String() string               { return redacted }
func (Name) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, redacted) }
func (Name) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Name) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

const redacted = "[redacted]"

var (
	phone     = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	lastFour  = regexp.MustCompile(`^[0-9]{4}$`)
	nineDigit = regexp.MustCompile(`^[0-9]{9}$`)
)

// Check refuses what no provider should be asked, and names everything that is wrong at once. Pointers are into the applicant.
func (a Applicant) Check() error {
	switch {
	case a.IdempotencyKey == "":
		return models.IdempotencyKeyMissing.New("a session needs an idempotency key")
	case a.Reference == "":
		return models.InvalidRequest.New("a session needs a reference")
	case !a.Limits.valid():
		return models.InvalidRequest.New("questions need limits")
	}
	_, err := time.Parse(time.DateOnly, a.BirthDate.Reveal())
	return errors.Join(
		wrong(a.Name.First == "" || a.Name.Last == "", "/name", "the name is not complete"),
		wrong(!a.Address.Complete(), "/address", "the address is not complete"),
		wrong(err != nil, "/birth_date", "the date of birth is not a date"),
		CheckPhone(a.Phone),
		wrong(!lastFour.MatchString(a.SSNLast4.Reveal()), "/ssn_last4", "the last part of the Social Security number has four digits"),
	)
}

func (l Limits) valid() bool {
	return !l.Questions || l.AtLeast > 0 && l.Options > 1 && l.Attempts > 0 && l.Seconds > 0
}

// CheckPhone refuses what is no phone number in E.164.
func CheckPhone(number models.Secret) error {
	return wrong(!phone.MatchString(number.Reveal()), "/phone", "the phone number is not one with its country code")
}

// PlainSSN takes hyphens and spaces out of a Social Security number, and refuses what the Social Security Administration never
// assigns (POMS RM 10201.035).
func PlainSSN(ssn models.Secret) (models.Secret, error) {
	digits := strings.NewReplacer("-", "", " ", "").Replace(ssn.Reveal())
	impossible := !nineDigit.MatchString(digits) || strings.HasPrefix(digits, "000") || strings.HasPrefix(digits, "666") || digits[0] == '9' ||
		digits[3:5] == "00" || digits[5:] == "0000"
	return models.Secret(digits), wrong(impossible, "/ssn", "this is no Social Security number")
}

// wrong is the fault of one mistake; nil where there is none. It never quotes what was given.
func wrong(is bool, pointer, detail string) error {
	if !is {
		return nil
	}
	return models.IdentityDataIncomplete.New("%s", detail).At(pointer)
}
