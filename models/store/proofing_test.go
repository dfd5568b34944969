package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// identity is a bench with a person to be proofed.
type identity struct {
	*store.Store
	ring   *seal.Keyring
	person models.Account
	id     string // the case
	device *storetest.Device
	at     time.Time // the vendor's now
}

func newIdentity(t *testing.T, options ...storetest.AccountOption) *identity {
	t.Helper()
	st, ring := storetest.New(t), storetest.Keyring(t)
	person := storetest.Account(t, st, options...)
	c, device := storetest.Proofing(t, st, ring, person)
	return &identity{st, ring, person, c.ID, device, storetest.At}
}

func (i *identity) read(t *testing.T) models.ProofingCase {
	t.Helper()
	c, err := i.ProofingCase(t.Context(), i.id)
	storetest.Must(t, err)
	return c
}

func (i *identity) credential(t *testing.T) models.Credential {
	t.Helper()
	c, _, err := i.Credential(t.Context(), i.read(t).CredentialID)
	storetest.Must(t, err)
	return c
}

func (i *identity) advance(t *testing.T, at time.Time) store.ProofingStanding {
	t.Helper()
	i.at = at
	s, err := i.AdvanceProofing(t.Context(), i.id, at)
	storetest.Must(t, err)
	return s
}

// consent begins self-service a minute later, with a session at the provider.
func (i *identity) consent(t *testing.T) models.ProofingSession {
	t.Helper()
	i.at = i.at.Add(time.Minute)
	_, err := i.ConsentToSelfService(t.Context(), i.id, i.person.ID, models.DefaultPolicy().Proofing.TermsVersion, true, i.at)
	storetest.Must(t, err)
	return i.session(t)
}

func (i *identity) session(t *testing.T) models.ProofingSession {
	t.Helper()
	s, err := i.IntendProofingSession(t.Context(), i.id, i.person.ID, i.at)
	storetest.Must(t, err)
	s.ProviderRef = "idv_" + s.ID
	_, err = i.ProofingSessionStarted(t.Context(), s.ID, s.ProviderRef, models.ProofingResult{Phase: models.SessionCapture}, i.at)
	storetest.Must(t, err)
	return s
}

func (i *identity) result(t *testing.T, ref string, o models.ProofingOutcome) models.ProofingCase {
	t.Helper()
	c, err := i.RecordProofingResult(t.Context(), ref, models.ProofingResult{Phase: models.SessionEnded, Outcome: &o}, i.at)
	storetest.Must(t, err)
	return c
}

// posted leads to a letter that was posted, and returns its code.
func (i *identity) posted(t *testing.T) models.Secret {
	t.Helper()
	i.result(t, i.consent(t).ProviderRef, models.OutcomeLocated)
	return i.letter(t)
}

func (i *identity) letter(t *testing.T) models.Secret {
	t.Helper()
	code, row, err := i.IssueLetterCode(t.Context(), i.id, true, i.at)
	storetest.Must(t, err)
	storetest.Must(t, i.LetterPosted(t.Context(), i.id, row.ID, i.at))
	return code
}

func (i *identity) enter(t *testing.T, code models.Secret) error {
	t.Helper()
	_, err := i.EnterActivationCode(t.Context(), store.CodeEntry{CaseID: i.id, AccountID: i.person.ID, Code: code, Address: "192.0.2.9"}, i.at)
	return err
}

// told lists the kinds of mails about the case by the moment of their recording.
func (i *identity) told(t *testing.T) string {
	t.Helper()
	return query[string](t, i.Store, "select coalesce(string_agg(kind, ' ' order by created_at, kind), '') from notices where subject_ref = $1", i.id)
}

func (i *identity) signals(t *testing.T) int {
	t.Helper()
	return query[int](t, i.Store, "select count(*) from outbox where workflow_id = $1 and kind = 'signal'", models.ProofingLifecycle.WorkflowID(i.id))
}

// PRF-1, LIC-3: a key for a credential with proofing opens its case; the methods depend on the country.
func TestProofingOpens(t *testing.T) {
	i := newIdentity(t)
	c := i.read(t)
	if c.Status != models.ProofingChoosing || c.Attempt != 1 || c.Purpose != models.ProofingForActivation || c.Country != "US" {
		t.Errorf("opened as %+v", c)
	}
	if got := i.credential(t); got.Phase != models.PendingProofing || got.Level != 2 {
		t.Errorf("the credential is %s at level %d", got.Phase, got.Level)
	}
	if n := query[int](t, i.Store, "select count(*) from outbox where workflow_id = $1 and kind = 'start'", models.ProofingLifecycle.WorkflowID(i.id)); n != 1 {
		t.Errorf("%d lifecycles started", n)
	}
	if i.told(t) != "proofing_opened" {
		t.Errorf("told %s", i.told(t))
	}
	_, err := i.RegisterHardwareToken(t.Context(), store.Registration{CredentialID: c.CredentialID, AccountID: c.AccountID, Serial: i.device.Serial}, i.ring, i.at, codeNow)
	wantFault(t, err, models.ActionNotPossible)
}

// PRF-1, PRF-2: consent comes first, to the current terms and the credit inquiry, and only where self-service is offered.
func TestConsent(t *testing.T) {
	terms := models.DefaultPolicy().Proofing.TermsVersion
	abroad := newIdentity(t, storetest.From("DE"))
	_, err := abroad.ConsentToSelfService(t.Context(), abroad.id, abroad.person.ID, terms, true, abroad.at)
	wantFault(t, err, models.MethodNotOffered)
	i := newIdentity(t)
	for name, c := range map[string]struct {
		account, terms string
		inquiry        bool
		fault          *models.FaultType
	}{
		"somebody else": {storetest.Account(t, i.Store).ID, terms, true, models.NoSuchThing},
		"older terms":   {i.person.ID, "2019-07", true, models.ConsentMissing},
		"no inquiry":    {i.person.ID, terms, false, models.ConsentMissing},
	} {
		_, err := i.ConsentToSelfService(t.Context(), i.id, c.account, c.terms, c.inquiry, i.at)
		if !errors.Is(err, c.fault) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = i.IntendProofingSession(t.Context(), i.id, i.person.ID, i.at)
	wantFault(t, err, models.StateForbids)
	i.consent(t)
	if query[int](t, i.Store, "select count(*) from proofing_consents where case_id = $1 and terms_version = $2", i.id, terms) != 1 {
		t.Error("the consent is not on record")
	}
	_, err = i.ConsentToSelfService(t.Context(), i.id, i.person.ID, terms, true, i.at)
	wantFault(t, err, models.StateForbids)
}

// PRF-4: what each outcome leads to; why is never told. A late, repeated or foreign result changes nothing.
func TestOutcomes(t *testing.T) {
	for outcome, want := range map[models.ProofingOutcome]struct {
		status models.ProofingStatus
		mails  string
		level  int
	}{
		models.OutcomeVerified:      {models.ProofingDone, "proofing_opened proofed", 3},
		models.OutcomeLocated:       {models.ProofingAwaitingCode, "proofing_opened", 2},
		models.OutcomeNotLocated:    {models.ProofingScheduling, "proofing_opened video_invited", 2},
		models.OutcomeNameIncorrect: {models.ProofingScheduling, "proofing_opened video_invited", 2},
		models.OutcomeUnreadable:    {models.ProofingScheduling, "proofing_opened video_invited", 2},
		models.OutcomeTimedOut:      {models.ProofingChoosing, "proofing_opened", 2},
	} {
		t.Run(string(outcome), func(t *testing.T) {
			i := newIdentity(t)
			first := i.consent(t)
			second := i.session(t) // the person enters the data again
			if c := i.result(t, first.ProviderRef, models.OutcomeVerified); c.Status != models.ProofingSelfService {
				t.Fatalf("the result of an earlier session led to %s", c.Status)
			}
			for range 2 {
				if c := i.result(t, second.ProviderRef, outcome); c.Status != want.status || c.Attempt != 1 {
					t.Fatalf("%s, attempt %d", c.Status, c.Attempt)
				}
			}
			if c := i.result(t, second.ProviderRef, models.OutcomeNotLocated); c.Status != want.status {
				t.Errorf("a contradiction afterwards led to %s", c.Status)
			}
			if i.told(t) != want.mails || i.credential(t).Level != want.level {
				t.Errorf("told %q, level %d", i.told(t), i.credential(t).Level)
			}
			s := i.advance(t, i.at)
			if s.Letter != (outcome == models.OutcomeLocated) || !s.Tidying {
				t.Errorf("letter %v, tidying %v", s.Letter, s.Tidying)
			}
		})
	}
	i := newIdentity(t)
	_, err := i.RecordProofingResult(t.Context(), "idv_unknown", models.ProofingResult{Phase: models.SessionChecking}, i.at)
	wantFault(t, err, models.NoSuchThing)
}

// PRF-3: a webhook only nudges, and the same one nudges once; the result is fetched without any, too, less and less often.
func TestNews(t *testing.T) {
	i := newIdentity(t)
	session := i.consent(t)
	before := i.signals(t)
	for range 3 {
		storetest.Must(t, i.ProofingNews(t.Context(), "evt_1", session.ProviderRef, i.at))
	}
	storetest.Must(t, i.ProofingNews(t.Context(), "evt_2", "idv_stranger", i.at))
	if got := i.signals(t) - before; got != 1 {
		t.Errorf("%d signals", got)
	}
	looks := 0
	for at := i.at; at.Before(session.ExpiresAt); looks++ {
		s := i.advance(t, at)
		if s.FetchAt.IsZero() || looks > 20 {
			t.Fatalf("look %d at %s: fetched at %s", looks, at, s.FetchAt)
		}
		at = s.FetchAt
		if _, due, err := i.SessionToFetch(t.Context(), i.id, at); err != nil || !due {
			t.Fatalf("nothing is due: %v", err)
		}
		_, err := i.RecordProofingResult(t.Context(), session.ProviderRef, models.ProofingResult{Phase: models.SessionCapture}, at)
		storetest.Must(t, err)
	}
	if looks > 10 {
		t.Errorf("%d looks in a session", looks)
	}
	if s := i.advance(t, session.ExpiresAt); s.Case.Status != models.ProofingChoosing || !strings.HasSuffix(i.told(t), "proofing_nudge") {
		t.Errorf("timed out to %s, told %s", s.Case.Status, i.told(t))
	}
}

// PRF-9: a code proofs once, is kept as a hash only, and belongs to one case.
func TestActivationCode(t *testing.T) {
	i := newIdentity(t)
	code := i.posted(t)
	if found := query[int](t, i.Store, "select count(*) from activation_codes where position(convert_to($1, 'UTF8') in hash) > 0 or length(hash) <> 32", code.Reveal()); found != 0 {
		t.Error("more than the hash is kept")
	}
	wantFault(t, i.enter(t, "7KQ2M-WQ4PX-2XRT9"), models.ActivationCodeWrong)
	stranger := storetest.Account(t, i.Store)
	_, err := i.EnterActivationCode(t.Context(), store.CodeEntry{CaseID: i.id, AccountID: stranger.ID, Code: code}, i.at)
	wantFault(t, err, models.NoSuchThing)
	answers := atOnce(8, func(int) error { return i.enter(t, models.Secret(strings.ToLower(code.Reveal()))) })
	if answers[""] != 1 || answers[models.AlreadyProofed.Slug] != 7 {
		t.Errorf("at once: %v", answers)
	}
	c, credential := i.read(t), i.credential(t)
	if c.Status != models.ProofingDone || credential.Level != 3 || credential.Phase != models.PendingRegistration {
		t.Errorf("%s, %s at level %d", c.Status, credential.Phase, credential.Level)
	}
	if want := models.RegistrationDue(i.at, models.DefaultPolicy()); c.RegisterBy == nil || !c.RegisterBy.Equal(want) {
		t.Errorf("register by %v, want %v", c.RegisterBy, want)
	}
	first, second := i.device.Pair(codeNow)
	_, err = i.RegisterHardwareToken(t.Context(), store.Registration{CredentialID: credential.ID, AccountID: i.person.ID, Serial: i.device.Serial, First: first, Second: second}, i.ring, i.at, codeNow)
	storetest.Must(t, err)
	if c := i.read(t); c.Status != models.ProofingCompleted || c.EndedAt == nil {
		t.Errorf("after the registration %s", c.Status)
	}
}

// PRF-9: five wrong codes, then an hour's wait, also for the right one; they are all counted though they come at once.
func TestActivationCodeThrottled(t *testing.T) {
	i := newIdentity(t)
	code := i.posted(t)
	answers := atOnce(6, func(int) error { return i.enter(t, "AAAAA-AAAAA-AAAAA") })
	if answers[models.ActivationCodeWrong.Slug] != 5 || answers[models.TooManyTries.Slug] != 1 {
		t.Fatalf("%v", answers)
	}
	err := i.enter(t, code)
	wantFault(t, err, models.TooManyTries)
	if wait := models.FaultOf(err).RetryAfter; wait <= 0 || wait > time.Hour {
		t.Errorf("wait %s", wait)
	}
	i.at = i.at.Add(time.Hour)
	storetest.Must(t, i.enter(t, code))
}

// PRF-9: reminders 10 and 3 days before a code lapses, then it lapses and proofing is repeated; beyond the included attempts another is bought.
func TestActivationCodeLapses(t *testing.T) {
	i := newIdentity(t)
	policy := models.DefaultPolicy()
	for attempt := 1; attempt <= policy.Proofing.FreeAttempts; attempt++ {
		code := i.posted(t)
		if attempt > 1 {
			wantFault(t, i.enter(t, code+"X"), models.ActivationCodeWrong)
		}
		open, err := i.OpenActivationCode(t.Context(), i.id)
		storetest.Must(t, err)
		if want := models.StartOfDay(i.at, policy.Proofing.PostCodeDays+1, policy.Location()); !open.ExpiresAt.Equal(want) {
			t.Errorf("lapses %s, want %s", open.ExpiresAt, want)
		}
		mails := len(strings.Fields(i.told(t)))
		for _, days := range policy.Proofing.CodeReminders {
			day := models.StartOfDay(open.ExpiresAt, -1-days, policy.Location())
			i.advance(t, day.Add(-time.Second))
			i.advance(t, day)
			i.advance(t, day.Add(time.Hour))
		}
		if told := strings.Fields(i.told(t))[mails:]; !slices.Equal(told, []string{"code_ahead", "code_ahead"}) {
			t.Errorf("told %v", told)
		}
		if s := i.advance(t, open.ExpiresAt.Add(-time.Second)); s.Case.Status != models.ProofingAwaitingCode {
			t.Errorf("lapsed a second early: %s", s.Case.Status)
		}
		s := i.advance(t, open.ExpiresAt)
		if s.Case.Status != models.ProofingChoosing || s.Case.Attempt != attempt+1 {
			t.Fatalf("%s, attempt %d", s.Case.Status, s.Case.Attempt)
		}
		wantFault(t, i.enter(t, code), models.ActivationCodeLapsed)
	}
	_, err := i.ChooseVideo(t.Context(), i.id, i.person.ID, i.at)
	wantFault(t, err, models.ProofingFeeDue)
}

// PRF-9: a lost code is void at once; nobody retrieves it, and proofing is repeated.
func TestActivationCodeLost(t *testing.T) {
	i := newIdentity(t)
	code := i.posted(t)
	c, err := i.ReportCodeLost(t.Context(), i.id, i.person.ID, i.at)
	storetest.Must(t, err)
	if c.Status != models.ProofingChoosing || c.Attempt != 2 {
		t.Errorf("%s, attempt %d", c.Status, c.Attempt)
	}
	wantFault(t, i.enter(t, code), models.ActivationCodeWrong)
	_, err = i.ReportCodeLost(t.Context(), i.id, i.person.ID, i.at)
	wantFault(t, err, models.StateForbids)
}

// PRF-4, OPS-2: a letter whose fate is unknown is replaced by another code; only the newest is ever good, and only once its letter is posted.
func TestLetterAgain(t *testing.T) {
	i := newIdentity(t)
	i.result(t, i.consent(t).ProviderRef, models.OutcomeLocated)
	first, _, err := i.IssueLetterCode(t.Context(), i.id, true, i.at) // and then the worker dies
	storetest.Must(t, err)
	wantFault(t, i.enter(t, first), models.ActivationCodeInReview)
	letter, due, err := i.LetterDue(t.Context(), i.id)
	storetest.Must(t, err)
	if !due || letter.Asked == nil {
		t.Fatalf("due %v, asked %v", due, letter.Asked)
	}
	second := i.letter(t)
	storetest.Must(t, i.LetterPosted(t.Context(), i.id, letter.Asked.ID, i.at)) // told late of the first one
	if _, due, err := i.LetterDue(t.Context(), i.id); due || err != nil {
		t.Errorf("still due: %v, %v", due, err)
	}
	wantFault(t, i.enter(t, first), models.ActivationCodeWrong)
	storetest.Must(t, i.enter(t, second))
	if i.told(t) != "proofing_opened code_posted proofed" {
		t.Errorf("told %s", i.told(t))
	}
}

// PRF-4: where no letter can go, live video remains.
func TestLetterImpossible(t *testing.T) {
	i := newIdentity(t)
	i.result(t, i.consent(t).ProviderRef, models.OutcomeLocated)
	_, _, err := i.IssueLetterCode(t.Context(), i.id, true, i.at)
	storetest.Must(t, err)
	for range 2 {
		storetest.Must(t, i.LetterImpossible(t.Context(), i.id, i.at))
	}
	if c := i.read(t); c.Status != models.ProofingScheduling || i.told(t) != "proofing_opened video_invited" {
		t.Errorf("%s, told %s", c.Status, i.told(t))
	}
}

// REG-2: who registers nothing in time is told 7 and 1 days before, and must be proofed again.
func TestRegistrationLapses(t *testing.T) {
	i := newIdentity(t)
	i.result(t, i.consent(t).ProviderRef, models.OutcomeVerified)
	due := *i.read(t).RegisterBy
	i.advance(t, due.Add(-time.Second))
	if got := i.told(t); got != "proofing_opened proofed registration_ahead" { // both reminders were due by then: one mail says it all
		t.Errorf("told %s", got)
	}
	i.advance(t, due)
	c, credential := i.read(t), i.credential(t)
	if c.Status != models.ProofingChoosing || c.Attempt != 2 || credential.Phase != models.PendingProofing || credential.Level != 2 {
		t.Errorf("%s, attempt %d; %s at level %d", c.Status, c.Attempt, credential.Phase, credential.Level)
	}
}

// MGT-4, PRF-2: with its credential a proofing ends, wherever it stands; the provider is told to forget.
func TestProofingAbandoned(t *testing.T) {
	for name, lead := range map[string]func(*testing.T, *identity){
		"choosing":      func(*testing.T, *identity) {},
		"self-service":  func(t *testing.T, i *identity) { i.consent(t) },
		"scheduling":    func(t *testing.T, i *identity) { i.result(t, i.consent(t).ProviderRef, models.OutcomeNotLocated) },
		"awaiting code": func(t *testing.T, i *identity) { i.posted(t) },
		"proofed":       func(t *testing.T, i *identity) { i.result(t, i.consent(t).ProviderRef, models.OutcomeVerified) },
	} {
		t.Run(name, func(t *testing.T) {
			i := newIdentity(t)
			lead(t, i)
			r := models.Revocation{CredentialID: i.read(t).CredentialID, Reason: models.RevokeNotNeeded, By: models.BySubscriber}
			storetest.Must(t, i.RevokeCredential(t.Context(), r, i.ring, storetest.Hasher, models.Actor{ID: i.person.ID}, i.at))
			if c := i.read(t); c.Status != models.ProofingAbandoned || c.EndedAt == nil {
				t.Errorf("%s", c.Status)
			}
			if open, err := i.OpenActivationCode(t.Context(), i.id); err != nil || open != nil {
				t.Errorf("a code is open: %v", err)
			}
			sessions, err := i.SessionsToForget(t.Context(), i.id, i.at)
			storetest.Must(t, err)
			for _, s := range sessions {
				storetest.Must(t, i.SessionForgotten(t.Context(), s.ID, i.at))
			}
			if s := i.advance(t, i.at); s.Tidying || s.Letter || len(s.Timeline) > 0 {
				t.Errorf("left to do: %+v", s)
			}
		})
	}
}
