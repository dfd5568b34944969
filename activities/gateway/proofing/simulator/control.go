package simulator

import (
	"context"
	_ "embed"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Path is where the simulator is to be mounted.
const Path = "/sandbox/proofing/"

//go:embed pages.html
var pagesText string

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05") },
}).Parse(pagesText))

// Handler serves everything under Path:
//
//	v1/…                            the API of package wire; its base URL is …/sandbox/proofing
//	GET  sessions?reference=…       the sessions, newest first, as a page, or as JSON to who accepts application/json
//	GET  sessions/{ref}             one session; its page stands for the person's phone
//	POST sessions/{ref}/pictures    takes the pictures that the capture link asks for
//	POST sessions/{ref}/end         ends the session as the test person's name has it
//	POST sessions/{ref}/outcome     {"outcome": "not_located"} ends it like that
//	POST, GET, DELETE orders        see sandbox.Order
//
// For example {"operation": "start", "effect": "fail", "times": 3} fails the next three starts, and {"operation": "webhook", "match":
// "session.ended", "effect": "late", "delay": "1h"} has the next result told an hour late.
func (s *Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	s.handleAPI(mux)
	s.store.HandleOrders(mux, sandbox.Proofing, operations)
	mux.HandleFunc("GET "+Path+"{$}", s.list)
	mux.HandleFunc("GET "+Path+"sessions", s.list)
	mux.HandleFunc("GET "+Path+"sessions/{ref}", s.show)
	mux.HandleFunc("POST "+Path+"sessions/{ref}/pictures", s.press(s.TakePictures))
	mux.HandleFunc("POST "+Path+"sessions/{ref}/end", s.press(func(ctx context.Context, ref string) (proofing.Session, error) {
		return s.End(ctx, ref, "")
	}))
	mux.HandleFunc("POST "+Path+"sessions/{ref}/outcome", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Outcome models.ProofingOutcome `json:"outcome"`
		}
		err := sandbox.Read(w, r, &in)
		if err == nil && in.Outcome == "" {
			err = models.InvalidRequest.New("name an outcome")
		}
		if err == nil {
			_, err = s.End(r.Context(), r.PathValue("ref"), in.Outcome)
		}
		s.answerView(w, r, err)
	})
	return mux
}

// View is a session as the sandbox shows it. There is nothing else to show: what was given is not kept.
type View struct {
	Ref       string                  `json:"ref"`
	Reference string                  `json:"reference"`
	Person    string                  `json:"person"` // which of the test people
	Phase     models.SessionPhase     `json:"phase"`
	Outcome   *models.ProofingOutcome `json:"outcome,omitempty"`
	Pictures  int                     `json:"pictures"` // how often they were taken
	Redacted  bool                    `json:"redacted"`
	CreatedAt time.Time               `json:"created_at"`
}

func viewOf(c *record) View {
	return View{Ref: c.ref, Reference: c.reference, Person: string(c.person), Phase: c.phase, Outcome: c.outcome, Pictures: c.pictures,
		Redacted: c.sealed == nil, CreatedAt: c.createdAt.UTC()}
}

// Sessions lists the newest thousand sessions of a reference, or of all.
func (s *Simulator) Sessions(ctx context.Context, reference string) ([]View, error) {
	rows, err := s.store.Pool.Query(ctx, selectRecord+` WHERE $1 = '' OR reference = $1 ORDER BY created_at DESC, ref LIMIT 1000`, reference)
	if err != nil {
		return nil, technical(err)
	}
	records, err := pgx.CollectRows(rows, s.scan)
	views := make([]View, len(records))
	for i, c := range records {
		views[i] = viewOf(c)
	}
	return views, technical(err)
}

func (s *Simulator) list(w http.ResponseWriter, r *http.Request) {
	reference := r.URL.Query().Get("reference")
	sessions, err := s.Sessions(r.Context(), reference)
	if err != nil || wantsJSON(r) {
		sandbox.Answer(w, http.StatusOK, map[string]any{"sessions": sessions}, err)
		return
	}
	page(w, "list", map[string]any{"Sessions": sessions, "Reference": reference, "Path": Path})
}

func (s *Simulator) show(w http.ResponseWriter, r *http.Request) {
	c, err := s.load(r.Context(), s.store.Pool, r.PathValue("ref"))
	switch {
	case err != nil:
		sandbox.Answer(w, 0, nil, technical(err))
	case wantsJSON(r):
		sandbox.Answer(w, http.StatusOK, viewOf(c), nil)
	default:
		page(w, "session", map[string]any{"Session": viewOf(c), "Path": Path})
	}
}

// sameSite refuses buttons on pages of other sites.
var sameSite = http.NewCrossOriginProtection()

// press does what a button of a session's page stands for.
func (s *Simulator) press(do func(ctx context.Context, ref string) (proofing.Session, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if sameSite.Check(r) != nil {
			sandbox.Answer(w, 0, nil, models.InvalidRequest.New("another site asks for this"))
			return
		}
		session, err := do(r.Context(), r.PathValue("ref"))
		if err != nil || wantsJSON(r) {
			s.answerView(w, r, err)
			return
		}
		http.Redirect(w, r, Path+"sessions/"+session.Ref, http.StatusSeeOther)
	}
}

// answerView tells how a session stands after something was done with it.
func (s *Simulator) answerView(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		sandbox.Answer(w, 0, nil, err)
		return
	}
	c, err := s.load(r.Context(), s.store.Pool, r.PathValue("ref"))
	if err != nil {
		sandbox.Answer(w, 0, nil, technical(err))
		return
	}
	sandbox.Answer(w, http.StatusOK, viewOf(c), nil)
}

func page(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	_ = pages.ExecuteTemplate(w, name, data) // the client may be gone
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}
