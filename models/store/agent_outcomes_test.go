package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/keycode"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// booth is a live video session that has begun.
type booth struct {
	t       *testing.T
	st      *store.Store
	ring    *seal.Keyring
	session storetest.LiveSession
	at      time.Time
}

func newBooth(t *testing.T, options ...storetest.AccountOption) *booth {
	t.Helper()
	t.Parallel()
	b := &booth{t: t, st: storetest.New(t), ring: storetest.Keyring(t)}
	b.session = storetest.LiveSessionOf(t, b.st, b.ring, storetest.Account(t, b.st, options...))
	b.at = b.session.StartsAt.Add(10 * time.Minute)
	return b
}

func (b *booth) record(o store.Outcome) (store.Recorded, error) {
	return b.st.RecordOutcome(b.t.Context(), o, b.ring, b.at)
}

// pass is a faultless pass with a change.
func (b *booth) pass(change func(*store.Pass)) (store.Recorded, error) {
	o := storetest.PassOf(b.session)
	if change != nil {
		change(o.Pass)
	}
	return b.record(o)
}

func (b *booth) kase() models.ProofingCase {
	b.t.Helper()
	c, err := b.st.ProofingCase(b.t.Context(), b.session.Case.ID)
	storetest.Must(b.t, err)
	return c
}

// untouched ends the test unless a refused outcome has left everything as it was.
func (b *booth) untouched() {
	b.t.Helper()
	a, err := b.st.Appointment(b.t.Context(), b.session.ID)
	storetest.Must(b.t, err)
	if c := b.kase(); a.Status != models.AppointmentBooked || c.Status != models.ProofingScheduled || a.OutcomeAt != nil {
		b.t.Errorf("the appointment is %s, the case %s", a.Status, c.Status)
	}
	if n := query[int](b.t, b.st, "select (select count(*) from proofing_records) + (select count(*) from activation_codes)"); n != 0 {
		b.t.Errorf("%d records and codes were written", n)
	}
}

// PRF-7, PRF-9: a pass seals what was read, gives a code that is kept as a hash only, and lets the person go on.
func TestPass(t *testing.T) {
	b := newBooth(t)
	r, err := b.pass(nil)
	storetest.Must(t, err)
	if r.Case.Status != models.ProofingAwaitingCode || r.Appointment.Status != models.AppointmentPassed || r.ReviewWanted || !r.Appointment.OutcomeAt.Equal(b.at) {
		t.Errorf("recorded %+v", r)
	}
	if days := r.CodeExpires.Sub(b.at).Hours() / 24; days < 30 || days > 31 {
		t.Errorf("the code expires in %.1f days", days)
	}
	if n := query[int](t, b.st, "select count(*) from activation_codes where hash = $1 and status = 'live' and channel = 'agent'", keycode.Hash(r.Code)); n != 1 {
		t.Error("the hash of the code is not kept")
	}
	if n := query[int](t, b.st, "select count(*) from outbox where workflow_id = $1 and name = $2 and created_at = $3", models.ProofingLifecycle.WorkflowID(r.Case.ID), string(models.SignalProofingChanged), b.at); n != 1 {
		t.Errorf("the lifecycle is told %d times", n)
	}
	var id string
	var number, name []byte
	storetest.Must(t, b.st.Pool().QueryRow(t.Context(), "select id, sealed_number, sealed_name from proofing_records where name_result = 'match' and checklist_version = 1").Scan(&id, &number, &name))
	for member, sealed := range map[string][]byte{"number": number, "name": name} {
		open, err := b.ring.Open(sealed, models.ProofingRecordContext(id, member))
		want := map[string]models.Secret{"number": storetest.DocumentNumber, "name": storetest.DocumentName}[member]
		if err != nil || models.Secret(open.Reveal()) != want {
			t.Errorf("%s: %v", member, err)
		}
		if _, err := b.ring.Open(sealed, models.ProofingRecordContext("pr_other", member)); err == nil {
			t.Errorf("%s opens in another record", member)
		}
	}
	c, err := b.st.EnterActivationCode(t.Context(), store.CodeEntry{CaseID: r.Case.ID, AccountID: r.Case.AccountID, Code: r.Code, Address: "192.0.2.1"}, b.at)
	if err != nil || c.Status != models.ProofingDone {
		t.Errorf("the code leads to %s: %v", c.Status, err)
	}
}

// SEC-5: what the agent read, and the code, are nowhere in the database in clear.
func TestPassLeavesNothingInClear(t *testing.T) {
	b := newBooth(t)
	r, err := b.pass(nil)
	storetest.Must(t, err)
	_, err = b.pass(func(p *store.Pass) { p.Document.Number = "secret-number" })
	wantFault(t, err, models.StateForbids)
	rows, err := b.st.Pool().Query(t.Context(), "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'")
	storetest.Must(t, err)
	var tables []string
	for rows.Next() {
		var name string
		storetest.Must(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	for _, table := range tables {
		for _, text := range []string{storetest.DocumentNumber.Reveal(), storetest.DocumentName.Reveal(), r.Code.Reveal(), "secret-number"} {
			if n := query[int](t, b.st, `select count(*) from "`+table+`" r where r::text like '%' || $1 || '%' or r::text like '%' || encode(convert_to($1, 'UTF8'), 'hex') || '%'`, text); n != 0 {
				t.Errorf("%d rows of %s show what nobody may see", n, table)
			}
		}
	}
	if len(tables) < 30 {
		t.Errorf("only %d tables were searched", len(tables))
	}
}

// PRF-7: what a pass must not say, each with its own answer, all of it at once, and nothing is written.
func TestPassRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*store.Pass)
		want   []*models.FaultType
		at     []string
	}{
		"a document that has expired":       {func(p *store.Pass) { p.Document.Expires = "2026-11-02" }, of(models.DocumentExpired), []string{"/pass/document_expiry"}},
		"a document without an end":         {func(p *store.Pass) { p.Document.Expires = "" }, of(models.DocumentNotAccepted), []string{"/pass/document_expiry"}},
		"a type that is not accepted":       {func(p *store.Pass) { p.Document.Type = "library_card" }, of(models.DocumentNotAccepted), []string{"/pass/document_type"}},
		"an identity card of elsewhere":     {func(p *store.Pass) { p.Document.Type = "national_id" }, of(models.DocumentNotAccepted), []string{"/pass/document_type"}},
		"an issuer of elsewhere":            {func(p *store.Pass) { p.Document.Issuer = "DE" }, of(models.DocumentNotAccepted), []string{"/pass/issuer"}},
		"a number that no passport has":     {func(p *store.Pass) { p.Document.Number = "12" }, of(models.DocumentNotAccepted), []string{"/pass/document_number"}},
		"a question answered with no":       {func(p *store.Pass) { p.Checklist["photograph"] = false }, of(models.ChecklistIncomplete), []string{"/pass/checklist/answers"}},
		"a question that is not answered":   {func(p *store.Pass) { delete(p.Checklist, "photograph") }, of(models.ChecklistIncomplete), []string{"/pass/checklist/answers"}},
		"an answer that nobody asked for":   {func(p *store.Pass) { p.Checklist["weather"] = true }, of(models.ChecklistIncomplete), []string{"/pass/checklist/answers"}},
		"questions of another version":      {func(p *store.Pass) { p.ChecklistVersion++ }, of(models.ChecklistIncomplete), []string{"/pass/checklist/version"}},
		"another name":                      {func(p *store.Pass) { p.LegalName = "Grace Hopper" }, of(models.NameDiffers), []string{"/pass/legal_name"}},
		"another name, confirmed":           {func(p *store.Pass) { p.LegalName, p.NameConfirmed = "Grace Hopper", true }, of(models.NameDiffers), []string{"/pass/legal_name"}},
		"a close name without the decision": {func(p *store.Pass) { p.LegalName = "Ada King Lovelace" }, of(models.NameNeedsDecision), []string{"/pass/name_confirmed"}},
		"all of it": {func(p *store.Pass) {
			p.Document.Number, p.Document.Expires, p.LegalName, p.Checklist = "12", "2020-01-01", "Grace Hopper", nil
		}, of(models.DocumentNotAccepted, models.DocumentExpired, models.ChecklistIncomplete, models.NameDiffers),
			[]string{"/pass/document_number", "/pass/document_expiry", "/pass/checklist/answers", "/pass/legal_name"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBooth(t)
			_, err := b.pass(c.change)
			wantFault(t, err, c.want[0])
			var got, at []string
			for _, f := range models.FaultsOf(err) {
				got, at = append(got, f.Type.Slug), append(at, f.Field)
			}
			if want := slugs(c.want); !slices.Equal(got, want) || !slices.Equal(at, c.at) {
				t.Errorf("refused for %v at %v, want %v at %v", got, at, want, c.at)
			}
			if text := err.Error(); strings.Contains(text, storetest.DocumentNumber.Reveal()) || strings.Contains(text, "Hopper") || strings.Contains(text, "2020") {
				t.Errorf("the refusal tells what was read: %s", text)
			}
			b.untouched()
			if n := query[int](t, b.st, "select count(*) from audit_events where kind = 'session.recorded' and outcome = 'failure' and detail->>'reason' = $1", c.want[0].Slug); n != 1 {
				t.Errorf("%d refusals are in the trail", n)
			}
		})
	}
}

func of(types ...*models.FaultType) []*models.FaultType { return types }

func slugs(types []*models.FaultType) (all []string) {
	for _, t := range types {
		all = append(all, t.Slug)
	}
	return all
}

// PRF-7, PRF-8: who may record, and when.
func TestOutcomeRefused(t *testing.T) {
	t.Run("by an agent whom it is not assigned to", func(t *testing.T) {
		b := newBooth(t)
		o := storetest.PassOf(b.session)
		o.AgentID = storetest.Reviewer(t, b.st).ID
		_, err := b.record(o)
		wantFault(t, err, models.NotTheAssignedAgent)
		b.untouched()
		if n := query[int](t, b.st, "select count(*) from audit_events where kind = 'session.recorded' and actor = $1 and outcome = 'failure'", o.AgentID); n != 1 {
			t.Error("the try is not in the trail")
		}
	})
	t.Run("before the session begins", func(t *testing.T) {
		b := newBooth(t)
		b.at = b.session.StartsAt.Add(-time.Second)
		_, err := b.pass(nil)
		wantFault(t, err, models.TooEarlyForOutcome)
		b.untouched()
	})
	t.Run("twice", func(t *testing.T) {
		b := newBooth(t)
		_, err := b.pass(nil)
		storetest.Must(t, err)
		_, err = b.pass(nil)
		wantFault(t, err, models.StateForbids)
		_, err = b.record(store.Outcome{AppointmentID: b.session.ID, AgentID: b.session.Agent.ID, Event: models.FailAppointment})
		wantFault(t, err, models.StateForbids)
	})
	t.Run("at once, by many", func(t *testing.T) {
		b := newBooth(t)
		got := atOnce(6, func(i int) error {
			if i%2 == 0 {
				_, err := b.pass(nil)
				return err
			}
			_, err := b.record(store.Outcome{AppointmentID: b.session.ID, AgentID: b.session.Agent.ID, Event: models.MissAppointment})
			return err
		})
		if got[""] != 1 || got[models.StateForbids.Slug] != 5 {
			t.Errorf("answers: %v", got)
		}
		codes := query[int](t, b.st, "select count(*) from activation_codes")
		if c := b.kase(); (c.Status == models.ProofingAwaitingCode) != (codes == 1) {
			t.Errorf("the case is %s with %d codes", c.Status, codes)
		}
	})
	t.Run("of an appointment that is none", func(t *testing.T) {
		b := newBooth(t)
		o := storetest.PassOf(b.session)
		o.AppointmentID = "ap_unknown"
		_, err := b.record(o)
		wantFault(t, err, models.NoSuchThing)
	})
	t.Run("of one that was cancelled", func(t *testing.T) {
		b := newBooth(t)
		storetest.Must(t, b.st.CancelAppointment(t.Context(), b.session.Case.ID, b.session.Case.AccountID, storetest.At))
		_, err := b.pass(nil)
		wantFault(t, err, models.StateForbids)
	})
	t.Run("a fail that says what was read", func(t *testing.T) {
		b := newBooth(t)
		o := storetest.PassOf(b.session)
		o.Event = models.FailAppointment
		_, err := b.record(o)
		wantFault(t, err, models.InvalidRequest)
		b.untouched()
	})
	t.Run("an event that no agent records", func(t *testing.T) {
		b := newBooth(t)
		_, err := b.record(store.Outcome{AppointmentID: b.session.ID, AgentID: b.session.Agent.ID, Event: models.CancelAppointment})
		wantFault(t, err, models.InvalidRequest)
		b.untouched()
	})
}

// PRF-6, PRF-7: what is no pass asks the person to choose another slot, with the agent's instructions.
func TestNotPassed(t *testing.T) {
	for event, want := range map[models.AppointmentEvent]struct {
		status models.AppointmentStatus
		cause  store.RescheduleCause
	}{
		models.FailAppointment:     {models.AppointmentFailed, store.RescheduleFailed},
		models.MissAppointment:     {models.AppointmentMissed, store.RescheduleMissed},
		models.BreakOffAppointment: {models.AppointmentBrokenOff, store.RescheduleTechnical},
	} {
		t.Run(string(event), func(t *testing.T) {
			b := newBooth(t)
			r, err := b.record(store.Outcome{AppointmentID: b.session.ID, AgentID: b.session.Agent.ID, Event: event, Instructions: "Bring the passport itself."})
			storetest.Must(t, err)
			if r.Appointment.Status != want.status || r.Case.Status != models.ProofingScheduling || r.Code != "" || r.Appointment.Instructions == "" || r.Appointment.OutcomeAt == nil {
				t.Errorf("recorded %+v", r)
			}
			if n := query[int](t, b.st, "select count(*) from notices where kind = 'reschedule' and params->>'cause' = $1 and params->>'appointment' = $2", string(want.cause), b.session.ID); n != 1 {
				t.Errorf("%d mails ask for another slot", n)
			}
			if n := query[int](t, b.st, "select count(*) from notices where params::text like '%passport itself%'"); n != 0 {
				t.Error("the instructions stand in the notice")
			}
		})
	}
}

// PRF-7: a close name passes by the agent's decision, which is written down with its reasons.
func TestCloseNameDecided(t *testing.T) {
	b := newBooth(t)
	r, err := b.pass(func(p *store.Pass) { p.LegalName, p.NameConfirmed = "Ada King Lovelace", true })
	storetest.Must(t, err)
	if n := query[int](t, b.st, "select count(*) from proofing_records where name_result = 'close' and jsonb_array_length(name_reasons) > 0 and review_wanted"); n != 1 || !r.ReviewWanted {
		t.Error("the decision is not in the record")
	}
}
