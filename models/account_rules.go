package models

import (
	"net/mail"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxName           = 200 // characters
	minPasswordLength = 12  // characters (PasswordWeak says so)
)

// Validate checks what a person or an administrator typed. Fault: InvalidRequest.
func (o Organization) Validate() error {
	switch {
	case !plain(o.Name, maxName):
		return InvalidRequest.New("the name is missing or too long").At("/name")
	case !ValidCountry(o.Country):
		return InvalidRequest.New("the country must be an ISO 3166-1 alpha-2 code").At("/country")
	case o.Status != OrganizationPending && o.Status != OrganizationApproved:
		return InvalidRequest.New("unknown status").At("/status")
	}
	return nil
}

// Validate checks what a person or an administrator typed. A user id with an @ must be the account's own e-mail, so that
// nobody takes another's e-mail for a user id. Fault: InvalidRequest.
func (a Account) Validate() error {
	switch address, err := mail.ParseAddress(a.Email); {
	case err != nil || address.Address != a.Email || len(a.Email) > 254:
		return InvalidRequest.New("this is no e-mail address").At("/email")
	case !plain(a.UserID, 254) || strings.ContainsAny(a.UserID, " \t"):
		return InvalidRequest.New("the user id is missing, too long, or has blanks").At("/user_id")
	case strings.Contains(a.UserID, "@") && !strings.EqualFold(a.UserID, a.Email):
		return InvalidRequest.New("a user id in the form of an e-mail address must be the account's own").At("/user_id")
	case !plain(a.FirstName, maxName):
		return InvalidRequest.New("the first name is missing or too long").At("/first_name")
	case a.MiddleName != "" && !plain(a.MiddleName, maxName):
		return InvalidRequest.New("the middle name is too long").At("/middle_name")
	case !plain(a.LastName, maxName):
		return InvalidRequest.New("the last name is missing or too long").At("/last_name")
	case !ValidCountry(a.Country):
		return InvalidRequest.New("the country must be an ISO 3166-1 alpha-2 code").At("/country")
	case a.PasswordHash == "":
		return InvalidRequest.New("the password is missing").At("/password")
	case a.CreatedAt.IsZero():
		return InvalidRequest.New("the account has no date")
	}
	return nil
}

// CheckPassword refuses a password that is too short, repeats one character, or is made of nothing but the account's own user id,
// e-mail and name. Fault: PasswordWeak, which says which of them.
func (a Account) CheckPassword(p Secret) error {
	text := p.Reveal()
	first, _ := utf8.DecodeRuneInString(text)
	switch {
	case strings.EqualFold(text, a.UserID):
		return PasswordWeak.New("the password is the user id").At("/password")
	case strings.EqualFold(text, a.Email):
		return PasswordWeak.New("the password is the e-mail address").At("/password")
	case utf8.RuneCountInString(text) < minPasswordLength:
		return PasswordWeak.New("the password is shorter than %d characters", minPasswordLength).At("/password")
	case strings.Trim(text, string(first)) == "":
		return PasswordWeak.New("the password repeats one character").At("/password")
	case a.spells(text):
		return PasswordWeak.New("the password is made of the user id, the e-mail address or the name").At("/password")
	}
	return nil
}

// spells reports whether a text is made of nothing but the account's user id, e-mail and names, in whatever case, once or more often,
// and what stands between them.
func (a Account) spells(text string) bool {
	mailbox, _, _ := strings.Cut(a.Email, "@")
	var own []string
	for _, part := range []string{a.UserID, a.Email, mailbox, a.FirstName, a.MiddleName, a.LastName} {
		if part = letters(part); part != "" {
			own = append(own, part)
		}
	}
	rest := letters(text)
	reached := make([]bool, len(rest)+1) // from the start, with whole parts
	reached[0] = true
	for i := range rest {
		for _, part := range own {
			if reached[i] && strings.HasPrefix(rest[i:], part) {
				reached[i+len(part)] = true
			}
		}
	}
	return reached[len(rest)] && rest != ""
}

// letters is a text in lower case, without what is neither a letter nor a digit.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

// Validate checks what an operator typed. Fault: InvalidRequest.
func (p Partner) Validate() error {
	switch {
	case !plain(p.Name, maxName):
		return InvalidRequest.New("the name is missing or too long").At("/name")
	case len(p.AcceptsKinds) == 0 || slices.ContainsFunc(p.AcceptsKinds, func(k AuthenticatorKind) bool { return !k.Valid() }):
		return InvalidRequest.New("the kinds of authenticator are missing or unknown").At("/accepts_kinds")
	case p.MinimumLevel != 2 && p.MinimumLevel != 3:
		return InvalidRequest.New("the minimum level is 2 or 3").At("/minimum_level")
	}
	return nil
}

// plain reports whether the text is one printable line that is neither blank nor too long.
func plain(s string, most int) bool {
	return strings.TrimSpace(s) != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= most &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
