package simulator

import (
	"crypto/subtle"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"tokendesk/activities/gateway/post"
	"tokendesk/activities/gateway/post/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Path is where the simulator is to be mounted.
const Path = "/sandbox/post/"

//go:embed pages.html
var pagesText string

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05") },
}).Parse(pagesText))

// Handler serves everything under Path:
//
//	v1/…                          the API of package wire; its base URL is …/sandbox/post
//	GET    letters?key=cd_1       the letters, newest first, as a page, or as JSON to who accepts application/json
//	GET    letters/{ref}          one letter, likewise
//	GET    letters/{ref}/pdf      as it would be printed
//	GET    letters/{ref}/text     what it says, as plain text
//	POST   letters/{ref}/erase    throws away what is in it
//	DELETE letters                throws away what is in all of them
//	POST, GET, DELETE orders      see sandbox.Order
//
// For example {"operation": "send", "effect": "fail", "times": 3} fails the next three, {"operation": "send", "effect": "time_out"} takes
// the next one and loses the answer, "slow" with "delay": "5s" takes it late, and "refuse" finds its address not usable, as it always
// finds one with the postal code Unreachable.
func (s *Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	s.handleAPI(mux)
	s.store.HandleOrders(mux, sandbox.Post, operations)
	mux.HandleFunc("GET "+Path+"{$}", s.list)
	mux.HandleFunc("GET "+Path+"letters", s.list)
	mux.HandleFunc("GET "+Path+"letters/{ref}", s.show)
	mux.HandleFunc("GET "+Path+"letters/{ref}/pdf", s.serve("application/pdf", func(o Opened) []byte { return o.PDF }))
	mux.HandleFunc("GET "+Path+"letters/{ref}/text", s.serve("text/plain; charset=utf-8", func(o Opened) []byte { return []byte(textOf(o.PDF)) }))
	mux.HandleFunc("POST "+Path+"letters/{ref}/erase", s.erase)
	mux.HandleFunc("DELETE "+Path+"letters", func(w http.ResponseWriter, r *http.Request) {
		sandbox.Answer(w, http.StatusOK, struct{}{}, s.Erase(r.Context(), ""))
	})
	return mux
}

func (s *Simulator) list(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	letters, err := s.Letters(r.Context(), key)
	if err != nil || wantsJSON(r) {
		sandbox.Answer(w, http.StatusOK, map[string]any{"letters": letters}, err)
		return
	}
	page(w, "list", map[string]any{"Letters": letters, "Key": key, "Path": Path})
}

func (s *Simulator) show(w http.ResponseWriter, r *http.Request) {
	o, err := s.Letter(r.Context(), r.PathValue("ref"))
	if err != nil || wantsJSON(r) {
		sandbox.Answer(w, http.StatusOK, o.Item, err)
		return
	}
	page(w, "letter", map[string]any{"Letter": o, "Address": o.To.Lines(), "Text": textOf(o.PDF), "Path": Path})
}

// serve gives out something of a letter. Nobody keeps a copy: it holds a code.
func (s *Simulator) serve(kind string, part func(Opened) []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o, err := s.Letter(r.Context(), r.PathValue("ref"))
		if err == nil && o.Erased {
			err = models.NoSuchThing.New("the letter is erased")
		}
		if err != nil {
			sandbox.Answer(w, 0, nil, err)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(part(o)) // the client may be gone
	}
}

// sameSite refuses buttons on pages of other sites.
var sameSite = http.NewCrossOriginProtection()

func (s *Simulator) erase(w http.ResponseWriter, r *http.Request) {
	if sameSite.Check(r) != nil {
		sandbox.Answer(w, 0, nil, models.InvalidRequest.New("another site asks for this"))
		return
	}
	if err := s.Erase(r.Context(), r.PathValue("ref")); err != nil || wantsJSON(r) {
		sandbox.Answer(w, http.StatusOK, struct{}{}, err)
		return
	}
	http.Redirect(w, r, Path, http.StatusSeeOther)
}

func page(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	_ = pages.ExecuteTemplate(w, name, data) // the client may be gone
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

// handleAPI mounts the API of package wire.
func (s *Simulator) handleAPI(mux *http.ServeMux) {
	handle := func(method string, status int, call func(w http.ResponseWriter, r *http.Request) (any, error)) {
		mux.HandleFunc(method+" "+Path+"v1/letters", func(w http.ResponseWriter, r *http.Request) {
			var answer any
			err := s.admit(r)
			if err == nil {
				answer, err = call(w, r)
			}
			if err != nil {
				refuse(w, err)
				return
			}
			sandbox.Answer(w, status, answer, nil)
		})
	}
	handle(http.MethodPost, http.StatusCreated, func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in wire.Letter
		if err := sandbox.Read(w, r, &in); err != nil {
			return nil, err
		}
		ref, err := s.Send(r.Context(), post.Letter{IdempotencyKey: r.Header.Get("Idempotency-Key"), To: in.To.Address(), PDF: in.PDF})
		return wire.Receipt{ID: ref}, err
	})
	handle(http.MethodGet, http.StatusOK, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		ref, found, err := s.Find(r.Context(), r.URL.Query().Get("idempotency_key"))
		taken := wire.Receipts{Letters: []wire.Receipt{}}
		if found {
			taken.Letters = append(taken.Letters, wire.Receipt{ID: ref})
		}
		return taken, err
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
	{models.PostalAddressNotUsable, wire.AddressInvalid, http.StatusUnprocessableEntity},
	{models.IdempotencyKeyReused, wire.KeyReused, http.StatusConflict},
	{models.IdempotencyKeyMissing, wire.KeyMissing, http.StatusBadRequest},
	{models.InvalidRequest, wire.RequestInvalid, http.StatusBadRequest},
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
