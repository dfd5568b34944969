package journey

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	api "tokendesk/api/client"
	"tokendesk/models"
)

// act does something to the person's proofing in a new session: sessions do not last for months.
func (j *Journey) act(ctx context.Context, path string, body, out any) error {
	if err := j.login(ctx); err != nil {
		return err
	}
	return j.call(ctx, http.MethodPost, "/v1/proofing/cases/"+j.Proofing.ID+path, "proofing-"+rand.Text(), body, out)
}

// change is an act whose answer is the proofing.
func (j *Journey) change(ctx context.Context, path string, body any) error {
	var after api.Proofing
	err := j.act(ctx, path, body, &after)
	if err == nil {
		j.Proofing = after
	}
	return err
}

// Proof reads the proofing that the activation has opened, or how it stands by now.
func (j *Journey) Proof(ctx context.Context) error {
	if err := j.login(ctx); err != nil {
		return err
	}
	var all api.ProofingList
	if err := j.call(ctx, http.MethodGet, "/v1/credentials/"+j.Credential.ID+"/proofing", "", nil, &all); err != nil {
		return err
	}
	if len(all.Items) != 1 {
		return fmt.Errorf("%d proofings were opened", len(all.Items))
	}
	j.Proofing = all.Items[0]
	return nil
}

// ProofedAs waits until the proofing has a status.
func (j *Journey) ProofedAs(ctx context.Context, want models.ProofingStatus) error {
	return until(ctx, "the proofing to be "+string(want), func() (bool, error) {
		return j.Proofing.Status == want, j.Proof(ctx)
	})
}

// ChooseVideo chooses a live video session.
func (j *Journey) ChooseVideo(ctx context.Context) error { return j.change(ctx, "/video", nil) }

// Zone is where the people of these journeys are when they book.
const Zone = "Europe/Berlin"

// Slots lists the free slots from a moment on.
func (j *Journey) Slots(ctx context.Context, from time.Time) ([]api.Slot, error) {
	if err := j.login(ctx); err != nil {
		return nil, err
	}
	var list api.SlotList
	q := url.Values{"from": {from.UTC().Format(time.RFC3339)}, "tz": {Zone}, "proofing_id": {j.Proofing.ID}}
	err := j.call(ctx, http.MethodGet, "/v1/proofing/slots?"+q.Encode(), "", nil, &list)
	if err == nil && len(list.Items) == 0 {
		err = fmt.Errorf("no slot is free from %v on", from)
	}
	return list.Items, err
}

// Contact is where an agent reaches the person; it is not what the account says.
type Contact struct{ Phone, Email string }

// Contact makes up a number and an address.
func (w *World) Contact() Contact {
	c := Contact{"+4930" + digits(9), "contact." + strings.ToLower(rand.Text()[:10]) + "@persons.example"}
	w.plantPersonal(c.Phone, c.Email)
	return c
}

// Hold holds a slot.
func (j *Journey) Hold(ctx context.Context, startsAt time.Time) error {
	return j.act(ctx, "/hold", map[string]any{"starts_at": startsAt}, nil)
}

// Book books the first slot that is free from a moment on.
func (j *Journey) Book(ctx context.Context, from time.Time, c Contact) (a api.Appointment, err error) {
	free, err := j.Slots(ctx, from)
	if err == nil {
		err = j.Hold(ctx, free[0].StartsAt)
	}
	if err == nil {
		err = j.act(ctx, "/appointment", map[string]any{"phone": c.Phone, "email": c.Email, "time_zone": Zone}, &a)
	}
	return a, err
}

var linkOf = regexp.MustCompile(`tda_\S+`)

// MoveByLink moves an appointment to the first slot that is free from a moment on, by the link of the newest mail about it, without a login.
func (w *World) MoveByLink(ctx context.Context, c Contact, from time.Time) (a api.Appointment, link string, err error) {
	err = until(ctx, "the link to change an appointment", func() (bool, error) {
		mails, err := w.Mails(ctx, c.Email, "Your live video session")
		if err == nil && len(mails) > 0 {
			link = linkOf.FindString(mails[0].Text)
		}
		return link != "", err
	})
	if err != nil {
		return a, "", err
	}
	w.plantSecrets(link)
	var list api.SlotList
	if err := w.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/proofing/appointment-links/slots", Body: map[string]any{"token": link, "from": from.UTC()}}, &list); err != nil {
		return a, "", err
	}
	if len(list.Items) == 0 {
		return a, "", errors.New("there is nothing to move to")
	}
	return a, link, w.UseLink(ctx, link, list.Items[0].StartsAt, &a)
}

// UseLink moves the appointment of a link.
func (w *World) UseLink(ctx context.Context, link string, startsAt time.Time, out any) error {
	return w.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/proofing/appointment-links/reschedule", OnceOnly: true, Body: map[string]any{"token": link, "starts_at": startsAt}}, out)
}

// EnterCode types an activation code.
func (j *Journey) EnterCode(ctx context.Context, code string) error {
	return j.change(ctx, "/activation-code", map[string]any{"code": code})
}

// digits makes up a number without a leading zero.
func digits(n int) string {
	low := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n-1)), nil)
	r, _ := rand.Int(rand.Reader, new(big.Int).Mul(low, big.NewInt(9))) // never fails
	return r.Add(r, low).String()
}
