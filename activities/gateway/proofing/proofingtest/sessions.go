package proofingtest

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/proofing/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

func endings(t *testing.T, s Subject) {
	for name, want := range map[string]models.ProofingOutcome{
		"Passes": models.OutcomeVerified, "Muster": models.OutcomeVerified, "Misnamed": models.OutcomeNameIncorrect, "Disorder": models.OutcomeVerified,
		"Repeats": models.OutcomeVerified, "pAsSeS ": models.OutcomeVerified,
	} {
		session := begun(t, s, name, name)
		if session.Phase != models.SessionCapture {
			t.Fatalf("%s begins in %s", name, session.Phase)
		}
		s.Pictures(t, session.Ref)
		endedAs(t, s, session.Ref, want)
	}
	gone := begun(t, s, "Unlocated", "Unlocated")
	if gone.Phase != models.SessionEnded || gone.Outcome == nil || *gone.Outcome != models.OutcomeNotLocated {
		t.Fatalf("not located: %+v", gone)
	}
	endedAs(t, s, gone.Ref, models.OutcomeNotLocated)
}

func refuses(t *testing.T, s Subject) {
	cases := []struct {
		name  string
		spoil func(a *proofing.Applicant)
		want  *models.FaultType
		count int
	}{
		{"no key", func(a *proofing.Applicant) { a.IdempotencyKey = "" }, models.IdempotencyKeyMissing, 1},
		{"no reference", func(a *proofing.Applicant) { a.Reference = "" }, models.InvalidRequest, 1},
		{"no limits", func(a *proofing.Applicant) { a.Limits.Seconds = 0 }, models.InvalidRequest, 1},
		{"one option", func(a *proofing.Applicant) { a.Limits.Options = 1 }, models.InvalidRequest, 1},
		{"no name", func(a *proofing.Applicant) { a.Name.First = "" }, models.IdentityDataIncomplete, 1},
		{"no city", func(a *proofing.Applicant) { a.Address.City = "" }, models.IdentityDataIncomplete, 1},
		{"no such day", func(a *proofing.Applicant) { a.BirthDate = "1961-02-30" }, models.IdentityDataIncomplete, 1},
		{"no country code", func(a *proofing.Applicant) { a.Phone = "5095550142" }, models.IdentityDataIncomplete, 1},
		{"three digits", func(a *proofing.Applicant) { a.SSNLast4 = "789" }, models.IdentityDataIncomplete, 1},
		{"all of it", func(a *proofing.Applicant) {
			a.Name, a.Address, a.BirthDate, a.Phone, a.SSNLast4 = proofing.Name{}, models.Address{}, "", "", ""
		}, models.IdentityDataIncomplete, 5},
	}
	for _, c := range cases {
		a := Applicant("k", "Passes")
		c.spoil(&a)
		_, err := s.Provider.Start(t.Context(), a)
		wantFault(t, err, c.want)
		if got := len(models.FaultsOf(err)); got != c.count {
			t.Fatalf("%s: %d faults: %v", c.name, got, err)
		}
	}
	s.Disturb(t, sandbox.Order{Operation: "start", Match: "pc_k", Effect: sandbox.Refuse})
	_, err := s.Provider.Start(t.Context(), Applicant("k", "Passes"))
	wantFault(t, err, models.IdentityDataIncomplete)
	begun(t, s, "k", "Passes") // nothing was kept
}

func needsSSN(t *testing.T, s Subject) {
	session := begun(t, s, "k", "Needsssn")
	if session.Phase != models.SessionNeedsSSN {
		t.Fatalf("%+v", session)
	}
	_, err := s.Provider.SendCapture(t.Context(), session.Ref, Identity.Phone)
	wantFault(t, err, models.StateForbids)
	_, err = s.Provider.Questions(t.Context(), session.Ref)
	wantFault(t, err, models.StateForbids)
	for _, no := range []models.Secret{"", "6789", "000-12-3456", "666-12-3456", "900-12-3456", "219-00-6789", "219-45-0000", "21945678901", "21945678x"} {
		_, err := s.Provider.GiveSSN(t.Context(), session.Ref, no)
		wantFault(t, err, models.IdentityDataIncomplete)
	}
	stands(t, s, session.Ref, models.SessionNeedsSSN)
	for range 2 { // repeated after a lost answer
		after, err := s.Provider.GiveSSN(t.Context(), session.Ref, SSN)
		if err != nil || after.Phase != models.SessionCapture {
			t.Fatalf("%+v, %v", after, err)
		}
	}
	other := begun(t, s, "other", "Passes")
	_, err = s.Provider.GiveSSN(t.Context(), other.Ref, SSN)
	wantFault(t, err, models.StateForbids)
}

func pictures(t *testing.T, s Subject) {
	ctx := t.Context()
	session := begun(t, s, "k", "Unreadable")
	if after, err := s.Provider.SendCapture(ctx, session.Ref, "+15095550199"); err != nil || after != session {
		t.Fatalf("send again: %+v, %v", after, err)
	}
	_, err := s.Provider.SendCapture(ctx, session.Ref, "911")
	wantFault(t, err, models.IdentityDataIncomplete)
	s.Pictures(t, session.Ref)
	stands(t, s, session.Ref, models.SessionCapture) // they may be taken again
	s.Pictures(t, session.Ref)
	endedAs(t, s, session.Ref, models.OutcomeUnreadable)
	_, err = s.Provider.SendCapture(ctx, session.Ref, Identity.Phone)
	wantFault(t, err, models.StateForbids)

	told, waits := begun(t, s, "told", "Slow"), begun(t, s, "waits", "Slow")
	for _, slow := range []proofing.Session{told, waits} {
		s.Pictures(t, slow.Ref)
		stands(t, s, slow.Ref, models.SessionChecking)
	}
	s.End(t, told.Ref, models.OutcomeLocated)
	endedAs(t, s, told.Ref, models.OutcomeLocated)
	stands(t, s, waits.Ref, models.SessionChecking)
	s.Pass(2 * time.Hour)
	endedAs(t, s, waits.Ref, models.OutcomeVerified)
}

func webhooks(t *testing.T, s Subject) {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	body := []byte(`{"id":"evt_1","type":"session.ended","session":"idv_1","occurred_at":"2026-05-04T11:59:00Z","verdict":"new field"}`)
	parse := func(body []byte, at time.Time, header string) (proofing.News, error) {
		return s.Provider.ParseWebhook(headerOf(header), body, at)
	}
	for _, secret := range Secrets { // both are valid during a rotation
		signature := webhook.Sign([]models.Secret{secret}, body, at)
		for range 2 { // repeated: it keeps its id
			if news, err := parse(body, at.Add(4*time.Minute), signature); err != nil || news != (proofing.News{EventID: "evt_1", Ref: "idv_1"}) {
				t.Fatalf("%+v, %v", news, err)
			}
		}
		for name, no := range map[string]func() (proofing.News, error){
			"replayed later":  func() (proofing.News, error) { return parse(body, at.Add(6*time.Minute), signature) },
			"from the future": func() (proofing.News, error) { return parse(body, at.Add(-6*time.Minute), signature) },
			"another body":    func() (proofing.News, error) { return parse(append(body, ' '), at, signature) },
		} {
			if news, err := no(); err == nil || news != (proofing.News{}) {
				t.Fatalf("%s: %+v", name, news)
			} else {
				wantFault(t, err, models.SignatureWrong)
			}
		}
	}
	for name, signature := range map[string]string{"no signature": "", "forged": webhook.Sign([]models.Secret{"whsec_guessed"}, body, at),
		"another rotation": webhook.Sign([]models.Secret{"whsec_next"}, body, at)} {
		t.Log(name)
		_, err := parse(body, at, signature)
		wantFault(t, err, models.SignatureWrong)
	}
	for _, no := range []string{`[]`, `{}`, `{"id":"evt_1"}`, `{"type":"session.ended","session":"idv_1"}`, `not JSON`} {
		_, err := parse([]byte(no), at, webhook.Sign(Secrets, []byte(no), at))
		wantFault(t, err, models.InvalidRequest)
	}
	other := []byte(`{"id":"evt_2","type":"report.ready","session":"idv_1"}`)
	if news, err := parse(other, at, webhook.Sign(Secrets, other, at)); err != nil || news != (proofing.News{EventID: "evt_2"}) {
		t.Fatalf("about something else: %+v, %v", news, err)
	}
	updated := []byte(`{"id":"evt_3","type":"session.updated","session":"idv_1"}`)
	if news, err := parse(updated, at, webhook.Sign(Secrets, updated, at)); err != nil || news.Ref != "idv_1" {
		t.Fatalf("an update: %+v, %v", news, err)
	}
}

func locates(t *testing.T, s Subject) {
	session := begun(t, s, "k", "Located")
	_, err := s.Provider.Located(t.Context(), session.Ref)
	wantFault(t, err, models.StateForbids)
	set := asked(t, s, session.Ref)
	answered(t, s, session.Ref, set, rightly(s, set)) // located whatever is answered
	endedAs(t, s, session.Ref, models.OutcomeLocated)
	for range 2 {
		address, err := s.Provider.Located(t.Context(), session.Ref)
		if err != nil || address != Identity.Address {
			t.Fatalf("%v, %v", address, err)
		}
	}
	verified := begun(t, s, "verified", "Passes")
	s.Pictures(t, verified.Ref)
	_, err = s.Provider.Located(t.Context(), verified.Ref)
	wantFault(t, err, models.StateForbids)
}

func redacts(t *testing.T, s Subject) {
	ctx := t.Context()
	session := begun(t, s, "k", "Passes")
	s.End(t, session.Ref, models.OutcomeLocated)
	for range 2 {
		if err := s.Provider.Redact(ctx, session.Ref); err != nil {
			t.Fatal(err)
		}
	}
	endedAs(t, s, session.Ref, models.OutcomeLocated)
	_, err := s.Provider.Located(ctx, session.Ref)
	wantFault(t, err, models.NoSuchThing)
	other := Applicant("k", "Passes")
	other.BirthDate = "1990-01-01" // it can no longer know that this is somebody else
	if again, err := s.Provider.Start(ctx, other); err != nil || again.Ref != session.Ref {
		t.Fatalf("%+v, %v", again, err)
	}
	live := begun(t, s, "live", "Passes")
	if err := s.Provider.Redact(ctx, live.Ref); err != nil {
		t.Fatal(err)
	}
	endedAs(t, s, live.Ref, models.OutcomeCancelled)
}

func cancels(t *testing.T, s Subject) {
	session := begun(t, s, "k", "Slow")
	s.Pictures(t, session.Ref)
	for range 2 {
		if err := s.Provider.Cancel(t.Context(), session.Ref); err != nil {
			t.Fatal(err)
		}
	}
	s.Pass(25 * time.Hour) // its check would have ended, and its time be over
	endedAs(t, s, session.Ref, models.OutcomeCancelled)
	verified := begun(t, s, "verified", "Passes")
	s.Pictures(t, verified.Ref)
	if err := s.Provider.Cancel(t.Context(), verified.Ref); err != nil {
		t.Fatal(err)
	}
	endedAs(t, s, verified.Ref, models.OutcomeVerified)
}

func timesOut(t *testing.T, s Subject) {
	early, taken, late := begun(t, s, "early", "Timeout"), begun(t, s, "taken", "Timeout"), begun(t, s, "late", "Passes")
	s.Pictures(t, taken.Ref)
	stands(t, s, taken.Ref, models.SessionChecking)
	s.Pass(31 * time.Minute)
	endedAs(t, s, early.Ref, models.OutcomeTimedOut)
	endedAs(t, s, taken.Ref, models.OutcomeTimedOut)
	stands(t, s, late.Ref, models.SessionCapture)
	s.Pass(24 * time.Hour)
	endedAs(t, s, late.Ref, models.OutcomeTimedOut)
	if err := s.Provider.Cancel(t.Context(), late.Ref); err != nil {
		t.Fatal(err)
	}
	endedAs(t, s, late.Ref, models.OutcomeTimedOut)
}

func unknown(t *testing.T, s Subject) {
	ctx := t.Context()
	for _, ref := range []string{"idv_unknown", "a/b?c#d"} {
		for _, call := range []func() error{
			func() error { _, err := s.Provider.Fetch(ctx, ref); return err },
			func() error { _, err := s.Provider.GiveSSN(ctx, ref, SSN); return err },
			func() error { _, err := s.Provider.Questions(ctx, ref); return err },
			func() error { _, err := s.Provider.Answer(ctx, ref, "s", nil); return err },
			func() error { _, err := s.Provider.SendCapture(ctx, ref, Identity.Phone); return err },
			func() error { _, err := s.Provider.Located(ctx, ref); return err },
			func() error { return s.Provider.Cancel(ctx, ref) },
			func() error { return s.Provider.Redact(ctx, ref) },
		} {
			wantFault(t, call(), models.NoSuchThing)
		}
	}
}

func once(t *testing.T, s Subject) {
	first := begun(t, s, "k", "Passes")
	if again := begun(t, s, "k", "Passes"); again != first {
		t.Fatalf("one key began two sessions: %+v, %+v", first, again)
	}
	for name, spoil := range map[string]func(a *proofing.Applicant){
		"birth date": func(a *proofing.Applicant) { a.BirthDate = "1961-07-24" },
		"digits":     func(a *proofing.Applicant) { a.SSNLast4 = "6780" },
		"phone":      func(a *proofing.Applicant) { a.Phone = "+15095550143" },
		"street":     func(a *proofing.Applicant) { a.Address.Line1 = "4712 Larkspur Terrace" },
		"name":       func(a *proofing.Applicant) { a.Name.Middle = "" },
		"reference":  func(a *proofing.Applicant) { a.Reference = "pc_2" },
		"limits":     func(a *proofing.Applicant) { a.Limits.Questions = false },
	} {
		t.Log(name)
		a := Applicant("k", "Passes")
		spoil(&a)
		_, err := s.Provider.Start(t.Context(), a)
		wantFault(t, err, models.IdempotencyKeyReused)
	}
	if other := begun(t, s, "other", "Passes"); other.Ref == first.Ref {
		t.Fatal("another key gave the first session")
	}
	s.Pictures(t, first.Ref)
	if again := begun(t, s, "k", "Passes"); again.Ref != first.Ref || again.Phase != models.SessionEnded { // as it stands
		t.Fatalf("%+v", again)
	}
}

func atOnce(t *testing.T, s Subject) {
	const callers = 24 // more than there are connections
	refs := make([]string, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			session, err := s.Provider.Start(t.Context(), Applicant("k", "Passes"))
			if err != nil {
				t.Errorf("start: %v", err)
			}
			refs[i] = session.Ref
		})
	}
	all.Wait()
	for _, ref := range refs {
		if ref != refs[0] {
			t.Fatalf("one key began several sessions: %v", refs)
		}
	}
}

func lostAnswers(t *testing.T, s Subject) {
	ctx := t.Context()
	lose := func(operation string, call func() error) {
		t.Helper()
		s.Disturb(t, sandbox.Order{Operation: operation, Effect: sandbox.TimeOut, Delay: sandbox.Duration(time.Millisecond)})
		wantFault(t, call(), models.ServiceDown)
		if err := call(); err != nil {
			t.Fatalf("%s again: %v", operation, err)
		}
	}
	var session proofing.Session
	lose("start", func() (err error) { session, err = s.Provider.Start(ctx, Applicant("k", "Needsssn")); return err })
	lose("give_ssn", func() error { _, err := s.Provider.GiveSSN(ctx, session.Ref, SSN); return err })
	lose("send_capture", func() error { _, err := s.Provider.SendCapture(ctx, session.Ref, Identity.Phone); return err })
	stands(t, s, session.Ref, models.SessionCapture)
	lose("fetch", func() error { _, err := s.Provider.Fetch(ctx, session.Ref); return err })

	quiz := begun(t, s, "quiz", "Asked")
	var set proofing.QuestionSet
	lose("questions", func() (err error) { set, err = s.Provider.Questions(ctx, quiz.Ref); return err })
	lose("answer", func() error { _, err := s.Provider.Answer(ctx, quiz.Ref, set.ID, rightly(s, set)); return err })
	stands(t, s, quiz.Ref, models.SessionCapture)
	s.End(t, quiz.Ref, models.OutcomeLocated)
	lose("located", func() error { _, err := s.Provider.Located(ctx, quiz.Ref); return err })
	lose("cancel", func() error { return s.Provider.Cancel(ctx, session.Ref) })
	lose("redact", func() error { return s.Provider.Redact(ctx, session.Ref) })
	endedAs(t, s, session.Ref, models.OutcomeCancelled)
}

func failures(t *testing.T, s Subject) {
	s.Disturb(t, sandbox.Order{Operation: "start", Effect: sandbox.Fail, Times: 2})
	for range 2 {
		_, err := s.Provider.Start(t.Context(), Applicant("k", "Needsssn"))
		wantFault(t, err, models.ServiceDown)
	}
	corrected := Applicant("k", "Needsssn")
	corrected.SSNLast4 = "1111" // the key was not used up
	session, err := s.Provider.Start(t.Context(), corrected)
	if err != nil {
		t.Fatal(err)
	}
	s.Disturb(t, sandbox.Order{Operation: "give_ssn", Match: session.Ref, Effect: sandbox.Fail})
	_, err = s.Provider.GiveSSN(t.Context(), session.Ref, SSN)
	wantFault(t, err, models.ServiceDown)
	stands(t, s, session.Ref, models.SessionNeedsSSN)
}

func unreachable(t *testing.T, s Subject) {
	for range 3 {
		_, err := s.Provider.Start(t.Context(), Applicant("k", "Unreachable"))
		wantFault(t, err, models.ServiceDown)
	}
}

func headerOf(signature string) http.Header {
	h := http.Header{}
	if signature != "" {
		h.Set(wire.SignatureHeader, signature)
	}
	return h
}
