package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tokendesk/api/client"
	"tokendesk/models"
)

// sandbox is the pages on which the world outside can be seen and moved: mailbox, carrier, card processor.
type sandbox struct{ url string }

var browser = &http.Client{Timeout: 10 * time.Second}

// mail is a mail as its reader sees it.
type mail struct {
	Subject     string    `json:"subject"`
	Date        time.Time `json:"date"`
	Text        string    `json:"text"`
	Deliveries  int       `json:"deliveries"` // how often it came under its Message-ID
	Attachments []struct {
		Name string `json:"name"`
		URL  string `json:"url"`
	} `json:"attachments"`
}

// parcel is a parcel as the carrier sees it.
type parcel struct {
	Status string `json:"status"`
	Events []struct {
		Kind string `json:"kind"`
	} `json:"events"`
}

// charge is what the card processor has in its books.
type charge struct {
	Status   string       `json:"status"`
	Captured models.Money `json:"captured"`
	Refunded models.Money `json:"refunded"`
}

func call[T any](ctx context.Context, s sandbox, method, path string, body any) (answer T, err error) {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return answer, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, &content)
	if err != nil {
		return answer, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	return client.Read[T](browser.Do(request))
}

// mailFor waits for a mail to a person with that in its subject.
func (s sandbox) mailFor(ctx context.Context, w *person, subject string) (mail, error) {
	return await(ctx, fmt.Sprintf("the mail to %s about %q", w.first, subject), func() (mail, bool, error) {
		list, err := s.mails(ctx, w, subject)
		if err != nil || len(list) == 0 {
			return mail{}, false, err
		}
		return list[0], true, nil
	})
}

// mailOf waits for a mail to a person with that in its subject, written on a day.
func (s sandbox) mailOf(ctx context.Context, w *person, subject string, at time.Time) (mail, error) {
	return await(ctx, fmt.Sprintf("the mail of %s to %s about %q", day(at), w.first, subject), func() (mail, bool, error) {
		list, err := s.mails(ctx, w, subject)
		i := slices.IndexFunc(list, func(m mail) bool { return day(m.Date) == day(at) })
		if err != nil || i < 0 {
			return mail{}, false, err
		}
		return list[i], true, nil
	})
}

// mails lists the mails to a person with that in their subjects, the newest first.
func (s sandbox) mails(ctx context.Context, w *person, subject string) ([]mail, error) {
	query := url.Values{"to": {w.email}, "subject": {subject}}
	list, err := call[struct{ Messages []mail }](ctx, s, http.MethodGet, "/sandbox/mailbox?"+query.Encode(), nil)
	return list.Messages, err
}

// pdf opens a file and sees that it is a PDF.
func (s sandbox) pdf(ctx context.Context, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	content, err := client.ReadFile(browser.Do(request))
	return all(err, holds(bytes.HasPrefix(content, []byte("%PDF-")), "%s is a PDF", path))
}

// happens lets something happen to a parcel.
func (s sandbox) happens(ctx context.Context, tracking, kind string, at time.Time) error {
	_, err := call[struct{}](ctx, s, http.MethodPost, "/sandbox/carrier/parcels/"+tracking+"/events", map[string]any{"kind": kind, "occurred_at": at})
	return err
}

// stutters has the carrier push its next report about a parcel twice.
func (s sandbox) stutters(ctx context.Context, tracking string) error {
	_, err := call[struct{}](ctx, s, http.MethodPost, "/sandbox/carrier/orders", map[string]any{"operation": "webhook", "match": tracking, "effect": "repeat"})
	return err
}

func (s sandbox) parcel(ctx context.Context, tracking string) (parcel, error) {
	return call[parcel](ctx, s, http.MethodGet, "/sandbox/carrier/parcels/"+tracking, nil)
}

// kinds of a parcel's events, as they happened.
func (p parcel) kinds() string {
	var kinds []string
	for _, e := range p.Events {
		kinds = append(kinds, e.Kind)
	}
	return strings.Join(kinds, " → ")
}

func (s sandbox) charges(ctx context.Context, order string) ([]charge, error) {
	list, err := call[struct{ Charges []charge }](ctx, s, http.MethodGet, "/sandbox/payments/charges?order="+url.QueryEscape(order), nil)
	return list.Charges, err
}
