package models_test

import (
	"cmp"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
	"tokendesk/models"
)

var noon = time.Date(2029, 5, 4, 12, 0, 0, 0, time.UTC)

// LIF-3: a bounce is the last word, whenever it was told or dated; a delivery or a complaint proves that the mail was sent.
func TestWhereMailStands(t *testing.T) {
	delivered := models.MailEvent{ID: "d", Kind: models.MailDelivered, OccurredAt: noon}
	bounced := models.MailEvent{ID: "b", Kind: models.MailBounced, Code: "5.1.1", OccurredAt: noon.Add(time.Hour)}
	earlier := models.MailEvent{ID: "e", Kind: models.MailBounced, Code: "4.4.7", OccurredAt: noon.Add(-time.Hour)}
	complained := models.MailEvent{ID: "c", Kind: models.MailComplained, OccurredAt: noon}
	for name, c := range map[string]struct {
		events []models.MailEvent
		was    models.NoticeStatus
		want   models.NoticeStatus
		code   models.MailCode
	}{
		"nothing was told":                    {nil, models.NoticeSent, models.NoticeSent, ""},
		"nothing was told of a pending mail":  {nil, models.NoticePending, models.NoticePending, ""},
		"delivered":                           {[]models.MailEvent{delivered}, models.NoticeSent, models.NoticeSent, ""},
		"delivered before it was recorded":    {[]models.MailEvent{delivered}, models.NoticePending, models.NoticeSent, ""},
		"delivered, though it was given up":   {[]models.MailEvent{delivered}, models.NoticeFailed, models.NoticeSent, ""},
		"bounced":                             {[]models.MailEvent{bounced}, models.NoticeSent, models.NoticeBounced, "5.1.1"},
		"bounced before it was recorded":      {[]models.MailEvent{bounced}, models.NoticePending, models.NoticeBounced, "5.1.1"},
		"bounced after it was given up":       {[]models.MailEvent{bounced}, models.NoticeFailed, models.NoticeBounced, "5.1.1"},
		"bounced after the delivery":          {[]models.MailEvent{delivered, bounced}, models.NoticeSent, models.NoticeBounced, "5.1.1"},
		"dated before the delivery":           {[]models.MailEvent{delivered, earlier}, models.NoticeSent, models.NoticeBounced, "4.4.7"},
		"the first of two bounces":            {[]models.MailEvent{bounced, earlier}, models.NoticeBounced, models.NoticeBounced, "4.4.7"},
		"a complaint is no failure":           {[]models.MailEvent{complained}, models.NoticeSent, models.NoticeSent, ""},
		"a complaint proves that it was sent": {[]models.MailEvent{complained}, models.NoticePending, models.NoticeSent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := models.FoldMailEvents(c.events)
			if got := v.Status(c.was); got != c.want || v.Code != c.code {
				t.Fatalf("%s %q, want %s %q", got, v.Code, c.want, c.code)
			}
		})
	}
}

// LIF-3: neither the order of events nor a repeat changes what they say together.
func TestFoldOfMailEventsKnowsNoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) models.MailEvent {
			return models.MailEvent{
				ID:         rapid.StringMatching(`[a-z]{4}`).Draw(t, "id"),
				Kind:       rapid.SampledFrom([]models.MailEventKind{models.MailDelivered, models.MailBounced, models.MailComplained}).Draw(t, "kind"),
				Code:       rapid.SampledFrom([]models.MailCode{"", "5.1.1", "4.4.7", "550"}).Draw(t, "code"),
				OccurredAt: noon.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "minutes")) * time.Minute),
			}
		}), 0, 6).Draw(t, "events")
		slices.SortFunc(events, func(a, b models.MailEvent) int { return cmp.Compare(a.ID, b.ID) })
		events = slices.CompactFunc(events, func(a, b models.MailEvent) bool { return a.ID == b.ID }) // an id is one event
		want := models.FoldMailEvents(events)
		shuffled := rapid.Permutation(slices.Concat(events, events)).Draw(t, "shuffled")
		if got := models.FoldMailEvents(shuffled); !sameEvidence(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

func sameEvidence(a, b models.MailEvidence) bool {
	same := func(a, b *time.Time) bool { return a == nil && b == nil || a != nil && b != nil && a.Equal(*b) }
	return same(a.DeliveredAt, b.DeliveredAt) && same(a.BouncedAt, b.BouncedAt) && same(a.ComplainedAt, b.ComplainedAt) && a.Code == b.Code
}

// SEC-5: what is kept of a mail server's answer is a code; its words may hold an address.
func TestMailCode(t *testing.T) {
	for code, valid := range map[models.MailCode]bool{
		"": true, "5.1.1": true, "4.4.7": true, "2.0.0": true, "5.7.509": true, "550": true, "421": true,
		"3.1.1": false, "5.1": false, "250": false, "5.1.1 ": false, "5.1.1\n": false, "550 5.1.1": false,
		"5.1.1 <ann@example.com>": false, "ann@example.com": false, "5.1.1111": false, "unknown user": false,
	} {
		if code.Valid() != valid {
			t.Errorf("%q: %t", code, code.Valid())
		}
	}
}

func TestMailEventIsChecked(t *testing.T) {
	good := models.MailEvent{ID: "e1", MessageID: "no_1@tokendesk", Kind: models.MailBounced, Code: "5.1.1", OccurredAt: noon}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	long := string(make([]byte, 451))
	for field, change := range map[string]func(e *models.MailEvent){
		"/id":          func(e *models.MailEvent) { e.ID = "" },
		"/message_id":  func(e *models.MailEvent) { e.MessageID = long },
		"/kind":        func(e *models.MailEvent) { e.Kind = "opened" },
		"/code":        func(e *models.MailEvent) { e.Code = "no such user ann@example.com" },
		"/occurred_at": func(e *models.MailEvent) { e.OccurredAt = time.Time{} },
	} {
		e := good
		change(&e)
		if err := e.Check(); !errors.Is(err, models.InvalidRequest) || models.FaultOf(err).Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
