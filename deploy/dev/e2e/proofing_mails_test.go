package e2e

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tokendesk/deploy/dev/e2e/journey"
)

// wantMails checks all mails but those of the order, and what they bring for calendars.
func (p *proofed) wantMails() {
	p.t.Helper()
	var all []journey.Mail
	for _, to := range []string{p.contact.Email, p.journey.Person.Email} {
		mails, err := p.world.Mails(p.t.Context(), to, "")
		must(p.t, err)
		all = append(all, mails...)
	}
	all = slices.DeleteFunc(all, func(m journey.Mail) bool {
		return strings.Contains(m.Subject, p.journey.Order.Number)
	})
	var got []string
	for _, m := range all {
		if m.Deliveries != 1 || m.Altered {
			p.t.Errorf("%q came %d times", m.Subject, m.Deliveries)
		}
		got = append(got, fmt.Sprintf("%s %s", m.Date.In(p.zone).Format(time.DateOnly), m.Subject))
	}
	want := slices.Clone(p.mailed)
	slices.Sort(want)
	sorted := slices.Sorted(slices.Values(got))
	if !slices.EqualFunc(sorted, want, strings.HasPrefix) {
		p.t.Errorf("mails\n%s\nwant\n%s", strings.Join(sorted, "\n"), strings.Join(want, "\n"))
	}
	p.wantInvitations(all)
}

var icsLine = regexp.MustCompile(`(?m)^(UID|SEQUENCE|METHOD|DTSTART):(.*?)\r?$`)

// wantInvitations checks that each appointment keeps the UID of its invitation, and that its sequence rises with each change (RFC 5545).
func (p *proofed) wantInvitations(mails []journey.Mail) {
	p.t.Helper()
	type change struct {
		sequence int
		start    string
	}
	seen := map[string][]change{}
	for _, m := range mails {
		for _, a := range m.Alternatives {
			fields := map[string]string{}
			for _, line := range icsLine.FindAllStringSubmatch(a.Content, -1) {
				fields[line[1]] = line[2]
			}
			sequence, err := strconv.Atoi(fields["SEQUENCE"])
			if err != nil || fields["UID"] == "" || fields["METHOD"] != "REQUEST" || a.ContentType != "text/calendar" {
				p.t.Errorf("%q brings %s with %v", m.Subject, a.ContentType, fields)
			}
			seen[fields["UID"]] = append(seen[fields["UID"]], change{sequence, fields["DTSTART"]})
		}
	}
	if len(seen) != 3 { // sessions
		p.t.Errorf("%d invitations: %v", len(seen), seen)
	}
	sequences := []string{}
	for uid, changes := range seen {
		// Mails may cross each other: calendars go by the sequence.
		slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.sequence, b.sequence) })
		text := ""
		for i, c := range changes {
			if i > 0 && (c.sequence == changes[i-1].sequence) != (c.start == changes[i-1].start) {
				p.t.Errorf("%s goes from %v to %v", uid, changes[i-1], c)
			}
			text += strconv.Itoa(c.sequence)
		}
		sequences = append(sequences, text)
	}
	slices.Sort(sequences)
	if want := []string{"00", "00", "011"}; !slices.Equal(sequences, want) { // booked, moved; and with the link
		p.t.Errorf("the sequences are %v, want %v", sequences, want)
	}
}

// contactStandsInItsPlace checks that contact data are with the appointment, and where mails to it and the answer to the booking are kept, and nowhere else (SEC-5).
func (p *proofed) contactStandsInItsPlace() {
	p.t.Helper()
	for what, needle := range map[string]struct {
		value  string
		places []string
	}{
		"phone":   {p.contact.Phone, []string{"public.appointments", "public.idempotency_keys"}},
		"address": {p.contact.Email, []string{"public.appointments", "public.idempotency_keys", "public.notices", "sandbox.mails"}},
	} {
		var places []string
		for table, content := range dump(p.t, p.record.DatabaseURL) {
			if strings.Contains(string(content), needle.value) {
				places = append(places, table)
			}
		}
		slices.Sort(places)
		if !slices.Equal(places, needle.places) {
			p.t.Errorf("the %s stands in %v, want %v", what, places, needle.places)
		}
	}
}
