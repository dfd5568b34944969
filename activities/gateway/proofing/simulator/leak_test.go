package simulator_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/proofing/proofingtest"
	"tokendesk/activities/gateway/proofing/rest"
	"tokendesk/activities/gateway/proofing/simulator"
	"tokendesk/activities/gateway/proofing/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
	"tokendesk/models"
)

// somebody is a last name that is no test person's.
const somebody = "Quillfeather"

// planted is what the applicants of the contract give, in every spelling that it could be found in. What is so short that it
// could be there by chance is left out.
func planted() []string {
	var all []string
	for _, text := range []string{"219-45-6789", "219456789", "45-6789", "1961-07-23", "+15095550142", "5095550142", "5095550199", "Zelda", "Quillon", "Larkspur", "Wenatchee", somebody} {
		all = append(all, text, hex.EncodeToString([]byte(text)), base64.StdEncoding.EncodeToString([]byte(text)))
	}
	return append(all, `"6789"`, hex.EncodeToString([]byte(`"6789"`)))
}

func wantNone(t *testing.T, where, text string) {
	t.Helper()
	lower := strings.ToLower(text)
	for _, leak := range planted() {
		if strings.Contains(lower, strings.ToLower(leak)) {
			t.Errorf("%s holds %q: %.400s", where, leak, text)
		}
	}
}

// logged collects what is logged, at every level.
type logged struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *logged) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

func captureLog(t *testing.T) *logged {
	t.Helper()
	former, l := slog.Default(), &logged{}
	slog.SetDefault(slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(former) })
	return l
}

// tables renders every row of the sandbox, bytes in hexadecimal.
func tables(t *testing.T, store *sandbox.Store) string {
	t.Helper()
	rows, err := store.Pool.Query(t.Context(), `SELECT table_name FROM information_schema.tables WHERE table_schema = 'sandbox'`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		rows, err := store.Pool.Query(t.Context(), `SELECT r::text FROM `+pgx.Identifier{"sandbox", name}.Sanitize()+` r`)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s: %s\n", name, strings.Join(lines, "\n"))
	}
	return all.String()
}

// rendered is a value in every way that values get into logs and messages.
func rendered(v any) string {
	text, err := json.Marshal(v)
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("m", "value", v, slog.Group("g", "value", v))
	}
	inside := struct{ Value any }{v}
	return fmt.Sprintf("%v|%+v|%#v|%s|%q|%x|%+v|%#v|%v|%s|%v|%s", v, v, v, v, v, v, inside, inside, []any{v}, text, err, log.String())
}

// PRF-2, SEC-5: what a person gave shows itself nowhere, however a value is rendered.
func TestValuesRedactThemselves(t *testing.T) {
	a := proofingtest.Applicant("k", "Passes")
	message := wire.ApplicantOf(a)
	for name, v := range map[string]any{
		"applicant": a, "pointer": &a, "name": a.Name, "list": []proofing.Applicant{a}, "map": map[string]proofing.Applicant{"a": a},
		"an error about it": fmt.Errorf("start %+v: %w", a, models.ServiceDown), "ssn": proofingtest.SSN,
		"question set": proofing.QuestionSet{Questions: []proofing.Question{{Text: "Larkspur", Options: []proofing.Option{{Text: "Larkspur"}}}}},
	} {
		wantNone(t, name, rendered(v))
	}
	// Messages are plain in JSON, which is what they are for, and nowhere else.
	for name, v := range map[string]any{"message": message, "pointer to a message": &message, "address": message.Address, "ssn": wire.SSN{SSN: "219456789"},
		"phone": wire.Capture{Phone: "+15095550142"}} {
		wantNone(t, name, fmt.Sprintf("%v|%+v|%#v|%s|%q|%x", v, v, v, v, v, v))
	}
	if text, err := json.Marshal(message); err != nil || !strings.Contains(string(text), "1961-07-23") {
		t.Fatalf("the message does not say what it is for: %s, %v", text, err)
	}
}

// PRF-2, SEC-5: after sessions of every kind, disturbed in every way, nothing of what was given is in the simulator's tables, the
// log, or an error.
func TestNothingIsKept(t *testing.T) {
	log := captureLog(t)
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer down.Close()
	store, office := open(t, testpg.Empty(t), simulator.Config{WebhookURL: down.URL, WebhookSecrets: proofingtest.Secrets, APIKey: "key"})
	run(t, office)
	for name, provider := range map[string]proofing.Provider{"in process": office, "over HTTP": overHTTP(t, office, "key")} {
		t.Run(name, func(t *testing.T) {
			var errs []error
			for i, person := range []string{"Passes", "Asked", "Needsssn", "Located", "Unlocated", "Misnamed", "Unreadable", "Repeats", "Disorder", "Slow", "Timeout", "Unreachable", somebody} {
				errs = append(errs, live(t, store, office, provider, fmt.Sprintf("%s: %d", name, i), person)...)
			}
			if len(errs) < 100 {
				t.Fatalf("only %d errors", len(errs))
			}
			for _, err := range errs {
				wantNone(t, "an error", fmt.Sprintf("%v|%+v|%#v|%s", err, err, err, rendered(err)))
				slog.Error("a call failed", "error", err)
			}
		})
	}
	refused := rest.New(rest.Config{URL: overClosed(), APIKey: "key"})
	if _, err := refused.Start(t.Context(), proofingtest.Applicant("k", "Passes")); err == nil {
		t.Fatal("nobody is there")
	} else {
		wantNone(t, "an error", rendered(err))
	}
	kept := tables(t, store)
	// The search would find them: references and webhooks are in there, sealed data is.
	for _, there := range []string{"proofings: ", "calls: ", "webhooks: ", "pc_in process: 0", hex.EncodeToString([]byte(`"type":"session.ended"`))} {
		if !strings.Contains(kept, there) {
			t.Fatalf("the tables do not hold %q", there)
		}
	}
	wantNone(t, "a table", kept)
	if !strings.Contains(log.String(), "webhook not taken") {
		t.Fatal("nothing was logged")
	}
	wantNone(t, "the log", log.String())
}

// live takes a person through a session, disturbing each call, and returns the errors.
func live(t *testing.T, store *sandbox.Store, office *simulator.Simulator, provider proofing.Provider, key, lastName string) (errs []error) {
	t.Helper()
	ctx, a := t.Context(), proofingtest.Applicant(key, lastName)
	var ref string
	var set proofing.QuestionSet
	calls := map[string]func() error{
		"start": func() error {
			session, err := provider.Start(ctx, a)
			if err == nil {
				ref = session.Ref
				slog.Info("started", "applicant", a, "session", session)
			}
			return err
		},
		"give_ssn": func() error { _, err := provider.GiveSSN(ctx, ref, proofingtest.SSN); return err },
		"questions": func() (err error) {
			set, err = provider.Questions(ctx, ref)
			slog.Info("asked", "set", set)
			return err
		},
		"answer": func() error {
			_, err := provider.Answer(ctx, ref, set.ID, map[string]string{"q1": "1961-07-23"})
			return err
		},
		"send_capture": func() error { _, err := provider.SendCapture(ctx, ref, "+15095550199"); return err },
		"fetch":        func() error { _, err := provider.Fetch(ctx, ref); return err },
		"located":      func() error { _, err := provider.Located(ctx, ref); return err },
	}
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	for _, operation := range []string{"start", "give_ssn", "questions", "answer", "send_capture", "fetch", "located"} {
		for _, effect := range []sandbox.Effect{sandbox.Fail, sandbox.Refuse, sandbox.TimeOut} {
			give(t, store, sandbox.Order{Operation: operation, Effect: effect, Delay: 1})
			note(calls[operation]())
		}
		if err := store.Forget(ctx, sandbox.Proofing); err != nil {
			t.Fatal(err)
		}
		note(calls[operation]())
	}
	other := a
	other.SSNLast4 = "0000"
	_, err := provider.Start(ctx, other)
	note(err)
	wrong := a
	wrong.BirthDate, wrong.Phone, wrong.SSNLast4 = "23/07/1961-07-23", "5095550142", "219456789"
	_, err = provider.Start(ctx, wrong)
	note(err)
	_, err = provider.GiveSSN(ctx, ref, "219-45-67899")
	note(err)
	_, err = provider.SendCapture(ctx, ref, "5095550142")
	note(err)
	_, err = office.TakePictures(ctx, ref)
	note(err)
	_, err = office.End(ctx, ref, models.OutcomeLocated)
	note(err)
	_, err = provider.Located(ctx, ref)
	note(err)
	return errs
}

func overClosed() string {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return server.URL
}
