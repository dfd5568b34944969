package activities_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// secretLine is the indented line that brings a secret.
var secretLine = regexp.MustCompile(`(?m)^ {4}([A-Z0-9-]{29}|tdr_\S+)$`)

// about delivers what waits and returns the one mail whose subject has these words, and the secret in it.
func (p *postOffice) about(t *testing.T, words string, at time.Time) (m mailbox.Mail, secret models.Secret) {
	t.Helper()
	p.deliver(t, at)
	found := 0
	for _, received := range p.received(t) {
		if strings.Contains(received.Subject, words) {
			m = received
			found++
		}
	}
	if found != 1 {
		t.Fatalf("%d mails about %q", found, words)
	}
	if strings.Contains(m.Text, "<no value>") || strings.Contains(m.Text, "{{") {
		t.Errorf("%s", m.Text)
	}
	if line := secretLine.FindStringSubmatch(strings.ReplaceAll(m.Text, "\r\n", "\n")); line != nil {
		secret = models.Secret(line[1])
	}
	return m, secret
}

// MGT-4: the temporary password that is mailed logs in, the mail says until when, and what was sealed is erased.
func TestMailOfTemporaryPassword(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p, a := newPost(t, st, ring), storetest.Account(t, st)
	storetest.Must(t, st.ResetPassword(t.Context(), a.ID, ring, storetest.Hasher, models.Actor{ID: "ak_support"}, "one", storetest.At))
	m, temporary := p.about(t, "password was reset", storetest.At)
	if !strings.Contains(m.Text, "until 5 November 2026, 10:00 EST") {
		t.Errorf("%s", m.Text)
	}
	_, session, err := st.Login(t.Context(), store.PasswordLogin{Name: a.UserID, Password: temporary, Address: "192.0.2.1"}, storetest.Hasher, storetest.At)
	storetest.Must(t, err)
	storetest.Must(t, st.ChangePassword(t.Context(), a.ID, temporary, "a phrase that nobody knows", storetest.Hasher, session.ID, storetest.At))
	if changed, secret := p.about(t, "password was changed", storetest.At); secret != "" || !strings.Contains(changed.Text, a.UserID) {
		t.Errorf("%s", changed.Text)
	}
	p.wantNothingSealed(t, st)
}

func (p *postOffice) wantNothingSealed(t *testing.T, st *store.Store) {
	t.Helper()
	var sealed int
	storetest.Must(t, st.Pool().QueryRow(t.Context(), "select count(*) from notices where sealed is not null").Scan(&sealed))
	if sealed != 0 {
		t.Errorf("%d secrets are still sealed", sealed)
	}
}

// ACC-1: the code that is mailed recovers the password; the mail with user ids lists all of the address.
func TestMailsOfRecovery(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newPost(t, st, ring)
	a := storetest.Account(t, st, storetest.WithLogin("ada", "ada@example.com"))
	storetest.Account(t, st, storetest.WithLogin("countess", "Ada@example.com"))
	storetest.Must(t, st.RequestPasswordRecovery(t.Context(), "ada", "192.0.2.1", ring, storetest.At))
	storetest.Must(t, st.RecoverUserID(t.Context(), "ADA@example.com", "192.0.2.1", storetest.At))
	if n, err := st.MailRecoveries(t.Context(), 10, storetest.At); n != 2 || err != nil {
		t.Fatalf("settled %d: %v", n, err)
	}
	m, code := p.about(t, "Recover your password", storetest.At)
	if !strings.Contains(m.Text, "until 2 November 2026, 11:00 EST") || !strings.Contains(m.Text, "account ada.") {
		t.Errorf("%s", m.Text)
	}
	storetest.Must(t, st.RecoverPassword(t.Context(), code, "a phrase that nobody knows", storetest.Hasher, storetest.At))
	ids, secret := p.about(t, "Your user id", storetest.At)
	if secret != "" || !strings.EqualFold(ids.To, a.Email) || !strings.Contains(ids.Text, "    ada") || !strings.Contains(ids.Text, "    countess") {
		t.Errorf("to %s: %s", ids.To, ids.Text)
	}
	p.wantNothingSealed(t, st)
}

// ACC-1: whoever is invited finds user id and temporary password in one mail.
func TestMailOfFirstLogin(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newPost(t, st, ring)
	made, err := store.NewTemporaryPassword(storetest.Hasher)
	storetest.Must(t, err)
	_, err = st.InviteAccount(t.Context(), models.Account{UserID: "grace", Email: "grace@example.com", FirstName: "Grace", LastName: "Hopper", Country: "US", CreatedAt: storetest.At}, made, ring)
	storetest.Must(t, err)
	m, temporary := p.about(t, "Your account", storetest.At)
	if temporary != made.Text || !strings.Contains(m.Text, "    grace") || !strings.Contains(m.Text, "until 5 November 2026, 10:00 EST") {
		t.Errorf("%s", m.Text)
	}
	p.wantNothingSealed(t, st)
}

// MGT-2: the person hears of a resync.
func TestMailOfResync(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p, a := newPost(t, st, ring), storetest.Account(t, st)
	c, device := storetest.Registered(t, st, ring, a, storetest.EventDevice, storetest.At)
	_, bound, err := st.Credential(t.Context(), c.ID)
	storetest.Must(t, err)
	first, second := device.Pair(storetest.At)
	_, err = st.ResyncToken(t.Context(), store.Resync{CredentialID: c.ID, AccountID: a.ID, AuthenticatorID: bound[0].ID, First: first, Second: second}, ring, storetest.At, storetest.At)
	storetest.Must(t, err)
	if m, _ := p.about(t, "works again", storetest.At); strings.Contains(m.Text, first.Reveal()) {
		t.Errorf("%s", m.Text)
	}
}
