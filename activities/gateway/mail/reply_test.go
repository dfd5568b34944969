package mail_test

import (
	"errors"
	"fmt"
	"testing"

	"tokendesk/activities/gateway/mail"
	"tokendesk/models"
)

// LIF-3, SEC-5: the code of a refusal is kept, and nothing that a server's words may have looked like.
func TestCodeOf(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want models.MailCode
	}{
		{"enhanced", mail.NewReply(550, "5.1.1"), "5.1.1"},
		{"deferred", mail.NewReply(451, "4.7.1"), "4.7.1"},
		{"wrapped in a fault", mail.Undeliverable.Because(fmt.Errorf("smtp: RCPT TO: %w", mail.NewReply(550, "5.1.1"))), "5.1.1"},
		{"no enhanced code", mail.NewReply(550, ""), "550"},
		{"part of a network address", mail.NewReply(450, "5.188.10"), "450"},
		{"words", mail.NewReply(550, "5.1.1 <ann@example.com>"), "550"},
		{"no answer", mail.NewReply(0, ""), ""},
		{"no answer, yet a code", mail.NewReply(0, "5.1.1"), ""},
		{"a reply that is no failure", mail.NewReply(250, "2.0.0"), "2.0.0"},
		{"another trouble", errors.New("no route to host"), ""},
		{"none", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mail.CodeOf(c.err); got != c.want {
				t.Fatalf("%q, want %q", got, c.want)
			}
		})
	}
}
