package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

func (b *bureau) slots(query url.Values) gen.SlotList {
	b.t.Helper()
	return read[gen.SlotList](b.get(b.token, "/v1/proofing/slots?"+query.Encode()).want(http.StatusOK))
}

// PRF-5: slots are listed on the person's clocks, over a change of clocks there too.
func TestListSlots(t *testing.T) {
	b := newBureau(t)
	b.office()
	list := b.slots(url.Values{"tz": {"Europe/Berlin"}, "proofing_id": {b.c.ID}, "from": {"2026-11-03T00:00:00Z"}, "to": {"2026-11-04T00:00:00Z"}})
	var starts []string
	for _, slot := range list.Items {
		starts = append(starts, slot.StartsAt.Format(time.RFC3339))
	}
	if want := []string{"2026-11-03T15:00:00+01:00", "2026-11-03T15:35:00+01:00", "2026-11-03T16:10:00+01:00"}; !slices.Equal(starts, want) || list.TimeZone != "Europe/Berlin" {
		t.Errorf("the slots are %v of %s, want %v", starts, list.TimeZone, want)
	}
	all := b.slots(url.Values{"tz": {"America/New_York"}})
	if first, last := all.Items[0].StartsAt, all.Items[len(all.Items)-1].StartsAt; first.Before(b.now().Add(4*time.Hour)) || last.After(b.now().AddDate(0, 0, 30)) {
		t.Errorf("from %v to %v", first, last)
	}
	if none := b.slots(url.Values{"tz": {"UTC"}, "to": {"2026-11-01T00:00:00Z"}}); len(none.Items) != 0 {
		t.Errorf("in the past there are %v", none.Items)
	}
	for _, zone := range []string{"Europe/Nowhere", "Local", "CEST", "UTC+1", "../etc/passwd"} {
		b.get(b.token, "/v1/proofing/slots?tz="+url.QueryEscape(zone)).problem(models.ZoneUnknown)
	}
	p := b.get(b.token, "/v1/proofing/slots?tz=UTC&from=2026-11-04T00:00:00Z&to=2026-11-03T00:00:00Z").problem(models.InvalidRequest)
	if len(p.Errors) != 1 || deref(p.Errors[0].Parameter) != "to" {
		t.Errorf("the wrong way round: %+v", p)
	}
	b.get(b.token, "/v1/proofing/slots?tz=UTC&from=tomorrow").problem(models.InvalidRequest)
	b.get(b.token, "/v1/proofing/slots").problem(models.InvalidRequest)
}

// PRF-5, PRF-6, LIF-4: a session is held, booked, moved and cancelled.
func TestAppointment(t *testing.T) {
	b := newBureau(t)
	b.office()
	if c := b.do("/video", nil); c.Status != models.ProofingScheduling || !slices.Equal(c.AllowedActions, []string{"hold", "start_over"}) {
		t.Errorf("video chosen %+v", c)
	}
	left := deref(read[gen.Timeline](b.get(b.token, b.path("/timeline")).want(http.StatusOK)).IfNobodyActs)
	if !strings.Contains(left, "goes on waiting") {
		t.Errorf("left alone %q", left)
	}
	held := read[gen.Appointment](b.post(b.token, b.path("/hold"), map[string]any{"starts_at": slotAt(1)}, idempotencyKey, "hold").want(http.StatusCreated))
	if again := read[gen.Appointment](b.post(b.token, b.path("/hold"), map[string]any{"starts_at": slotAt(1)}, idempotencyKey, "hold").want(http.StatusCreated)); again.ID != held.ID {
		t.Error("the same call holds another slot")
	}
	if held.Status != models.AppointmentHeld || held.HeldUntil == nil || !held.HeldUntil.Equal(b.now().Add(10*time.Minute)) {
		t.Errorf("held %+v", held)
	}
	if c := b.read(); c.Appointment == nil || c.Appointment.ID != held.ID || !slices.Contains(c.AllowedActions, "book") || !slices.Contains(c.AllowedActions, "release") {
		t.Errorf("while it is held %+v", c)
	}
	booked := read[gen.Appointment](b.post(b.token, b.path("/appointment"), contact).want(http.StatusCreated))
	if booked.Status != models.AppointmentBooked || booked.StartsAt.Format(time.RFC3339) != "2026-11-03T15:00:00+01:00" || deref(booked.Phone) != contact["phone"] || booked.HeldUntil != nil {
		t.Errorf("booked %+v", booked)
	}
	line := read[gen.Timeline](b.get(b.token, b.path("/timeline")).want(http.StatusOK))
	if line.WaitingOn != gen.WaitingOnTime || line.Next == nil || line.Next.Name != models.MeetingLink || !slices.Equal(line.AllowedActions, []string{"reschedule", "cancel"}) {
		t.Errorf("the timeline is %+v", line)
	}
	of := read[gen.Timeline](b.get(b.token, "/v1/credentials/"+b.c.CredentialID+"/timeline").want(http.StatusOK))
	if !strings.Contains(of.WaitingFor, b.c.ID) || !strings.Contains(of.WaitingFor, "live video session") || of.Next == nil || of.Next.Name != models.MeetingLink {
		t.Errorf("the credential's timeline is %+v", of)
	}
	moved := read[gen.Appointment](b.post(b.token, b.path("/appointment/reschedule"), map[string]any{"starts_at": slotAt(2)}).want(http.StatusOK))
	if moved.ID != booked.ID || moved.StartsAt.Format(time.RFC3339) != "2026-11-04T15:00:00+01:00" {
		t.Errorf("moved %+v", moved)
	}
	if c := b.do("/appointment/cancel", nil); c.Status != models.ProofingScheduling || c.Appointment != nil {
		t.Errorf("cancelled %+v", c)
	}
	b.post(b.token, b.path("/appointment/cancel"), nil).problem(models.StateForbids)
	b.post(b.token, b.path("/appointment/reschedule"), map[string]any{"starts_at": slotAt(2)}).problem(models.StateForbids)
}

// PRF-5: each wrong choice of a slot has an answer of its own.
func TestSlotRefused(t *testing.T) {
	b := newBureau(t)
	b.office()
	b.post(b.token, b.path("/hold"), map[string]any{"starts_at": slotAt(1)}).problem(models.StateForbids)
	b.do("/video", nil)
	b.post(b.token, b.path("/appointment"), contact).problem(models.HoldExpired)
	for name, c := range map[string]struct {
		at    string
		fault *models.FaultType
	}{
		"in the past":     {slotAt(-3), models.SlotInPast},
		"too soon":        {b.now().Add(time.Hour).Format(time.RFC3339), models.SlotInPast},
		"of nobody":       {"2026-11-03T03:00:00Z", models.SlotNotOffered},
		"not on the grid": {"2026-11-03T14:07:00Z", models.SlotNotOffered},
		"too far":         {slotAt(60), models.SlotNotOffered},
	} {
		p := b.post(b.token, b.path("/hold"), map[string]any{"starts_at": c.at}).problem(c.fault)
		if len(p.Errors) != 1 || deref(p.Errors[0].Pointer) != "/starts_at" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	other := storetest.Account(t, b.st)
	theirs := storetest.ToSchedule(t, b.st, b.ring, other)
	starts, err := time.Parse(time.RFC3339, slotAt(1))
	storetest.Must(t, err)
	_, err = b.st.HoldSlot(t.Context(), theirs.ID, other.ID, starts, b.now())
	storetest.Must(t, err)
	b.post(b.token, b.path("/hold"), map[string]any{"starts_at": slotAt(1)}).problem(models.SlotTaken)
}

// PRF-5: contact data must be usable, and the slot still held.
func TestBookingRefused(t *testing.T) {
	b := newBureau(t)
	b.office()
	b.do("/video", nil)
	b.post(b.token, b.path("/hold"), map[string]any{"starts_at": slotAt(1)}).want(http.StatusCreated)
	for _, c := range []struct {
		member, value string
		fault         *models.FaultType
	}{{"time_zone", "Europe/Nowhere", models.ZoneUnknown}, {"time_zone", "Local", models.ZoneUnknown}, {"phone", "0800", models.InvalidRequest}, {"email", "nobody", models.InvalidRequest}} {
		body := map[string]any{"phone": contact["phone"], "email": contact["email"], "time_zone": contact["time_zone"], c.member: c.value}
		if p := b.post(b.token, b.path("/appointment"), body).problem(c.fault); len(p.Errors) == 0 || deref(p.Errors[0].Pointer) != "/"+c.member {
			t.Errorf("%s %q: %+v", c.member, c.value, p)
		}
	}
	b.setClock(b.now().Add(10 * time.Minute))
	b.post(b.token, b.path("/appointment"), contact).problem(models.HoldExpired)
	b.post(b.token, b.path("/hold"), map[string]any{"starts_at": slotAt(1)}).want(http.StatusCreated)
	b.send(b.request(http.MethodDelete, b.path("/hold"), b.token, nil, idempotencyKey, "")).want(http.StatusNoContent)
	b.send(b.request(http.MethodDelete, b.path("/hold"), b.token, nil, idempotencyKey, "")).want(http.StatusNoContent)
	b.post(b.token, b.path("/appointment"), contact).problem(models.HoldExpired)
	b.post(b.token, b.path("/hold"), map[string]any{"starts_at": slotAt(1)}).want(http.StatusCreated)
	b.post(b.token, b.path("/appointment"), contact).want(http.StatusCreated)
	b.post(b.token, b.path("/appointment"), contact).problem(models.StateForbids)
}

// PRF-6: the link of a mail changes the appointment once, without a login, and tells no contact data; the next mail brings another one.
func TestAppointmentLink(t *testing.T) {
	b := newBureau(t)
	b.office()
	b.booked(1)
	link := b.link()
	call := func(path string, body map[string]any) answer {
		t.Helper()
		return b.send(b.request(http.MethodPost, "/v1/proofing/appointment-links"+path, "", body, idempotencyKey, ""))
	}
	seen := read[gen.Appointment](call("", map[string]any{"token": link}).want(http.StatusOK))
	if seen.Phone != nil || seen.Email != nil || seen.MeetingURL != nil || seen.StartsAt.Format(time.RFC3339) != "2026-11-03T15:00:00+01:00" {
		t.Errorf("the link shows %+v", seen)
	}
	if slots := read[gen.SlotList](call("/slots", map[string]any{"token": link}).want(http.StatusOK)); len(slots.Items) == 0 || slots.TimeZone != "Europe/Berlin" {
		t.Errorf("the slots are %+v", slots)
	}
	call("/reschedule", map[string]any{"token": link, "starts_at": slotAt(-1)}).problem(models.SlotInPast)
	moved := read[gen.Appointment](call("/reschedule", map[string]any{"token": link, "starts_at": slotAt(2)}).want(http.StatusOK))
	if moved.StartsAt.Format(time.RFC3339) != "2026-11-04T15:00:00+01:00" {
		t.Errorf("moved %+v", moved)
	}
	for path, body := range map[string]map[string]any{"": {"token": link}, "/slots": {"token": link}, "/reschedule": {"token": link, "starts_at": slotAt(3)}, "/cancel": {"token": link}} {
		call(path, body).problem(models.AppointmentLinkUsed)
	}
	next := b.link()
	if next == link {
		t.Fatal("the new mail has the old link")
	}
	call("/cancel", map[string]any{"token": next}).want(http.StatusNoContent)
	call("/cancel", map[string]any{"token": next}).problem(models.AppointmentLinkUsed)
	if c := b.read(); c.Status != models.ProofingScheduling {
		t.Errorf("it is %s", c.Status)
	}
}

// PRF-9: an activation code is guessed at five times an hour at most; the right one works once.
func TestActivationCode(t *testing.T) {
	b := newBureau(t)
	session := storetest.LiveSessionOf(t, b.st, b.ring, b.person)
	b.c = session.Case
	b.later(session.StartsAt.Sub(b.now()))
	passed, err := b.st.RecordOutcome(t.Context(), storetest.PassOf(session), b.ring, b.now())
	storetest.Must(t, err)
	c := b.read()
	if c.Code == nil || c.Code.Channel != models.CodeByAgent || c.Code.LastDay != "2026-12-03" || !c.Code.Usable || !slices.Equal(c.AllowedActions, []string{"enter_code", "report_code_lost"}) {
		t.Errorf("it waits for the code as %+v", c)
	}
	enter := func(code models.Secret) answer {
		t.Helper()
		return b.post(b.token, b.path("/activation-code"), map[string]any{"code": code})
	}
	for i := range 5 {
		wrong := models.Secret(fmt.Sprintf("WRONG-GUESS%d", i))
		if p := enter(wrong).problem(models.ActivationCodeWrong); len(p.Errors) != 1 || deref(p.Errors[0].Pointer) != "/code" {
			t.Errorf("a wrong code: %+v", p)
		}
	}
	if a := enter(passed.Code); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "3600" {
		t.Errorf("the sixth: %d, again after %s", a.status, a.header.Get("Retry-After"))
	}
	b.later(time.Hour)
	typed := models.Secret(strings.ToLower(strings.ReplaceAll(passed.Code.Reveal(), "-", " ")))
	if c := read[gen.Proofing](enter(typed).want(http.StatusOK)); c.Status != models.ProofingDone || c.Code != nil || c.RegisterBy == nil {
		t.Errorf("entered %+v", c)
	}
	enter(passed.Code).problem(models.AlreadyProofed)
}

// PRF-9: a code that is lost means another attempt; beyond those that are included, another one is bought.
func TestLostCode(t *testing.T) {
	b := newBureau(t)
	session := storetest.LiveSessionOf(t, b.st, b.ring, b.person)
	b.c = session.Case
	b.later(session.StartsAt.Sub(b.now()))
	b.post(b.token, b.path("/activation-code/lost"), nil).problem(models.StateForbids)
	passed, err := b.st.RecordOutcome(t.Context(), storetest.PassOf(session), b.ring, b.now())
	storetest.Must(t, err)
	if c := b.do("/activation-code/lost", nil); c.Status != models.ProofingChoosing || c.Attempt != 2 || c.Code != nil {
		t.Errorf("lost %+v", c)
	}
	b.post(b.token, b.path("/activation-code"), map[string]any{"code": passed.Code}).problem(models.ActivationCodeWrong)
	_, err = b.st.Pool().Exec(t.Context(), "update proofing_cases set attempt = 4 where id = $1", b.c.ID)
	storetest.Must(t, err)
	if c := b.read(); !c.FeeDue || !strings.Contains(c.WaitingFor, "bought") || slices.Contains(c.AllowedActions, "choose_video") {
		t.Errorf("used up %+v", c)
	}
	b.post(b.token, b.path("/video"), nil).problem(models.ProofingFeeDue)
}
