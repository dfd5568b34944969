package simulator

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/meeting"
	"tokendesk/activities/gateway/meeting/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Path is where the simulator is to be mounted.
const Path = "/sandbox/meetings/"

//go:embed pages.html
var pagesText string

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") },
}).Parse(pagesText))

// Handler serves everything under Path:
//
//	v1/…                         the API of package wire; its base URL is …/sandbox/meetings
//	GET  rooms?key=ap_1/0        the rooms, newest first, as a page, or as JSON to who accepts application/json
//	GET  rooms/{ref}             one room, as whoever has its link sees it
//	POST, GET, DELETE orders     see sandbox.Order
//
// For example {"operation": "create", "effect": "fail", "times": 3} fails the next three, and {"operation": "create", "effect": "slow",
// "delay": "5s"} has the next one made late.
func (s *Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	s.handleAPI(mux)
	s.store.HandleOrders(mux, sandbox.Meetings, operations)
	mux.HandleFunc("GET "+Path+"{$}", s.list)
	mux.HandleFunc("GET "+Path+"rooms", s.list)
	mux.HandleFunc("GET "+Path+"rooms/{ref}", s.show)
	return mux
}

// Standing says what one finds behind the door of a room.
type Standing string

// The standings, by the sandbox's clock.
const (
	Early     Standing = "not begun"
	Live      Standing = "in session"
	Over      Standing = "over"
	Cancelled Standing = "cancelled"
)

// View is a room as the sandbox shows it.
type View struct {
	Ref      string    `json:"ref"`
	Key      string    `json:"key"` // the idempotency key
	Agent    string    `json:"agent"`
	Title    string    `json:"title"`
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
	Standing Standing  `json:"standing"`
	URL      string    `json:"url"`
}

const selectView = `SELECT ref, key, agent, title, starts_at, ends_at, cancelled FROM sandbox.meetings`

func (s *Simulator) scan(row pgx.CollectableRow) (v View, err error) {
	var cancelled bool
	if err := row.Scan(&v.Ref, &v.Key, &v.Agent, &v.Title, &v.StartsAt, &v.EndsAt, &cancelled); err != nil {
		return v, err
	}
	v.StartsAt, v.EndsAt, v.URL = v.StartsAt.UTC(), v.EndsAt.UTC(), s.config.PublicURL+Path+"rooms/"+v.Ref
	now := s.config.Now()
	switch {
	case cancelled:
		v.Standing = Cancelled
	case now.Before(v.StartsAt):
		v.Standing = Early
	case now.Before(v.EndsAt):
		v.Standing = Live
	default:
		v.Standing = Over
	}
	return v, nil
}

// Rooms lists the newest thousand rooms that were made under a key, or of all.
func (s *Simulator) Rooms(ctx context.Context, key string) ([]View, error) {
	rows, err := s.store.Pool.Query(ctx, selectView+` WHERE $1 = '' OR key = $1 ORDER BY created_at DESC, ref LIMIT 1000`, key)
	if err != nil {
		return nil, technical(err)
	}
	rooms, err := pgx.CollectRows(rows, s.scan)
	return rooms, technical(err)
}

// Room is one room.
func (s *Simulator) Room(ctx context.Context, ref string) (View, error) {
	rows, err := s.store.Pool.Query(ctx, selectView+` WHERE ref = $1`, ref)
	if err != nil {
		return View{}, technical(err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, s.scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return View{}, models.NoSuchThing.New("there is no such room")
	}
	return v, technical(err)
}

func (s *Simulator) list(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	rooms, err := s.Rooms(r.Context(), key)
	if err != nil || wantsJSON(r) {
		sandbox.Answer(w, http.StatusOK, map[string]any{"rooms": rooms}, err)
		return
	}
	page(w, "list", map[string]any{"Rooms": rooms, "Key": key, "Path": Path})
}

func (s *Simulator) show(w http.ResponseWriter, r *http.Request) {
	v, err := s.Room(r.Context(), r.PathValue("ref"))
	if err != nil || wantsJSON(r) {
		sandbox.Answer(w, http.StatusOK, v, err)
		return
	}
	page(w, "room", map[string]any{"Room": v, "Path": Path})
}

func page(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	_ = pages.ExecuteTemplate(w, name, data) // the client may be gone
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

// handleAPI mounts the API of package wire.
func (s *Simulator) handleAPI(mux *http.ServeMux) {
	mux.HandleFunc("POST "+Path+"v1/meetings", func(w http.ResponseWriter, r *http.Request) {
		var in wire.Meeting
		err := s.admit(r)
		if err == nil {
			err = sandbox.Read(w, r, &in)
		}
		var room meeting.Room
		if err == nil {
			room, err = s.Create(r.Context(), meeting.Request{IdempotencyKey: r.Header.Get("Idempotency-Key"),
				AgentID: in.Host, Title: in.Title, Starts: in.StartsAt, Ends: in.EndsAt})
		}
		if err != nil {
			refuse(w, err)
			return
		}
		sandbox.Answer(w, http.StatusCreated, wire.Room{ID: room.Ref, JoinURL: room.URL}, nil)
	})
	mux.HandleFunc("DELETE "+Path+"v1/meetings/{ref}", func(w http.ResponseWriter, r *http.Request) {
		known, err := false, s.admit(r)
		if err == nil {
			known, err = s.cancel(r.Context(), r.PathValue("ref"))
		}
		if err == nil && !known {
			err = models.NoSuchThing.New("there is no such room")
		}
		if err != nil {
			refuse(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func (s *Simulator) admit(r *http.Request) error {
	want := s.config.APIKey.Reveal()
	given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if want != "" && subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		return models.NotAuthenticated.New("the key is not ours")
	}
	return nil
}

var failures = []struct {
	fault  *models.FaultType
	code   string
	status int
}{
	{models.NotAuthenticated, wire.Unauthenticated, http.StatusUnauthorized},
	{models.IdempotencyKeyReused, wire.KeyReused, http.StatusConflict},
	{models.IdempotencyKeyMissing, wire.KeyMissing, http.StatusBadRequest},
	{models.InvalidRequest, wire.RequestInvalid, http.StatusBadRequest},
	{models.NoSuchThing, wire.NotFound, http.StatusNotFound},
}

func refuse(w http.ResponseWriter, err error) {
	code, status := wire.Unavailable, http.StatusServiceUnavailable
	for _, f := range failures {
		if errors.Is(err, f.fault) {
			code, status = f.code, f.status
		}
	}
	var failure wire.Failure
	failure.Error.Code, failure.Error.Message = code, "refused: "+code
	sandbox.Answer(w, status, failure, nil)
}
