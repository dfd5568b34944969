package api

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// submit sends a form of the appointment page, as a browser without scripts does.
func (b *bureau) submit(path string, form url.Values) answer {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return answer{b.t, path, w.Code, w.Result().Header, []byte(html.UnescapeString(w.Body.String()))}
}

var slotField = regexp.MustCompile(`name="starts_at" value="([^"]+)"`)

// PRF-6: the page of the mailed link shows the session and moves it, without a login and without scripts.
func TestAppointmentPage(t *testing.T) {
	b := newBureau(t)
	b.office()
	b.booked(1)
	link := b.link()
	entrance := b.get("", "/appointment").want(http.StatusOK)
	if body := string(entrance.body); !strings.Contains(body, `name="token"`) || strings.Contains(body, "://") {
		t.Errorf("the entrance is %s", body)
	}
	b.get("", "/appointment.js").want(http.StatusOK)
	shown := b.submit("/appointment", url.Values{"token": {link.Reveal()}}).want(http.StatusOK)
	for _, text := range []string{"Tuesday, 3 November 2026, 15:00–15:30 (UTC+01:00)", "Europe/Berlin", "Later days", "Wednesday, 4 November 2026"} {
		if !strings.Contains(string(shown.body), text) {
			t.Errorf("the page does not say %q:\n%s", text, shown.body)
		}
	}
	csp := shown.header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "form-action 'self'") || strings.Contains(csp, "script-src 'unsafe") ||
		shown.header.Get("Referrer-Policy") != "no-referrer" || shown.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the headers are %v", shown.header)
	}
	slot := slotField.FindStringSubmatch(string(shown.body))
	if slot == nil {
		t.Fatalf("no slot is offered:\n%s", shown.body)
	}
	later := b.submit("/appointment", url.Values{"token": {link.Reveal()}, "from": {"2026-11-09"}}).want(http.StatusOK)
	if !strings.Contains(string(later.body), "Earlier days") || strings.Contains(string(later.body), "4 November 2026") {
		t.Errorf("later days are %s", later.body)
	}
	moved := b.submit("/appointment/reschedule", url.Values{"token": {link.Reveal()}, "starts_at": {slot[1]}}).want(http.StatusOK)
	if !strings.Contains(string(moved.body), "Your session is on") || strings.Contains(string(moved.body), link.Reveal()) {
		t.Errorf("moved: %s", moved.body)
	}
	used := b.submit("/appointment/cancel", url.Values{"token": {link.Reveal()}}).want(http.StatusConflict)
	if !strings.Contains(string(used.body), models.AppointmentLinkUsed.Title) {
		t.Errorf("used: %s", used.body)
	}
	done := b.submit("/appointment/cancel", url.Values{"token": {b.link().Reveal()}}).want(http.StatusOK)
	if !strings.Contains(string(done.body), "is cancelled") || b.read().Status != models.ProofingScheduling {
		t.Errorf("cancelled: %s", done.body)
	}
}

// PRF-6: what cannot be done is said on the page, and the link stays good.
func TestAppointmentPageRefuses(t *testing.T) {
	b := newBureau(t)
	b.office()
	b.booked(1)
	link := b.link()
	other := storetest.Account(t, b.st)
	theirs := storetest.ToSchedule(t, b.st, b.ring, other)
	starts, err := time.Parse(time.RFC3339, slotAt(2))
	storetest.Must(t, err)
	storetest.Booked(t, b.st, b.ring, theirs, starts, b.now())
	for name, c := range map[string]struct {
		path   string
		form   url.Values
		status int
		text   string
	}{
		"taken":      {"/appointment/reschedule", url.Values{"starts_at": {slotAt(2)}}, http.StatusConflict, models.SlotTaken.Title},
		"past":       {"/appointment/reschedule", url.Values{"starts_at": {slotAt(-3)}}, http.StatusUnprocessableEntity, models.SlotInPast.Title},
		"no slot":    {"/appointment/reschedule", url.Values{"starts_at": {"soon"}}, http.StatusUnprocessableEntity, "Choose one of the slots"},
		"wrong day":  {"/appointment", url.Values{"from": {"yesterday"}}, http.StatusOK, "Move it"},
		"wrong code": {"/appointment", url.Values{"token": {"<script>alert(1)</script>"}}, http.StatusConflict, models.AppointmentLinkUsed.Title},
		"no code":    {"/appointment/cancel", url.Values{"token": {""}}, http.StatusConflict, models.AppointmentLinkUsed.Title},
		"too long":   {"/appointment", url.Values{"token": {strings.Repeat("x", maxForm)}}, http.StatusBadRequest, "cannot be read"},
	} {
		if c.form["token"] == nil {
			c.form.Set("token", link.Reveal())
		}
		if a := b.submit(c.path, c.form).want(c.status); !strings.Contains(string(a.body), c.text) || strings.Contains(string(a.body), "alert(1)") {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	b.setClock(b.now().AddDate(0, 0, 1))
	if a := b.submit("/appointment", url.Values{"token": {link.Reveal()}}).want(http.StatusOK); !strings.Contains(string(a.body), "cannot be changed any more") {
		t.Errorf("during the session: %s", a.body)
	}
}
