package simulator

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/proofing/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// handleAPI mounts the API of package wire.
func (s *Simulator) handleAPI(mux *http.ServeMux) {
	handle := func(method, path string, status int, call func(w http.ResponseWriter, r *http.Request) (any, error)) {
		mux.HandleFunc(method+" "+Path+"v1/sessions"+path, func(w http.ResponseWriter, r *http.Request) {
			if !s.admitted(r) {
				refuse(w, wire.Unauthenticated)
				return
			}
			given, err := call(w, r)
			if err != nil {
				refuse(w, codeOf(err))
				return
			}
			sandbox.Answer(w, status, given, nil)
		})
	}
	handle(http.MethodPost, "", http.StatusCreated, func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in wire.Applicant
		if err := sandbox.Read(w, r, &in); err != nil {
			return nil, err
		}
		return sessionOf(s.Start(r.Context(), in.Applicant(r.Header.Get("Idempotency-Key"))))
	})
	handle(http.MethodGet, "/{ref}", http.StatusOK, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return sessionOf(s.Fetch(r.Context(), r.PathValue("ref")))
	})
	handle(http.MethodPost, "/{ref}/ssn", http.StatusOK, func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in wire.SSN
		if err := sandbox.Read(w, r, &in); err != nil {
			return nil, err
		}
		return sessionOf(s.GiveSSN(r.Context(), r.PathValue("ref"), models.Secret(in.SSN)))
	})
	handle(http.MethodPost, "/{ref}/questions", http.StatusOK, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		set, err := s.Questions(r.Context(), r.PathValue("ref"))
		return wire.QuestionsOf(set), err
	})
	handle(http.MethodPost, "/{ref}/answers", http.StatusOK, func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in wire.Answers
		if err := sandbox.Read(w, r, &in); err != nil {
			return nil, err
		}
		return sessionOf(s.Answer(r.Context(), r.PathValue("ref"), in.Set, in.Answers))
	})
	handle(http.MethodPost, "/{ref}/capture", http.StatusOK, func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in wire.Capture
		if err := sandbox.Read(w, r, &in); err != nil {
			return nil, err
		}
		return sessionOf(s.SendCapture(r.Context(), r.PathValue("ref"), models.Secret(in.Phone)))
	})
	handle(http.MethodGet, "/{ref}/located-address", http.StatusOK, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		address, err := s.Located(r.Context(), r.PathValue("ref"))
		return wire.AddressOf(address), err
	})
	for path, call := range map[string]func(r *http.Request) error{
		"/{ref}/cancel": func(r *http.Request) error { return s.Cancel(r.Context(), r.PathValue("ref")) },
		"/{ref}/redact": func(r *http.Request) error { return s.Redact(r.Context(), r.PathValue("ref")) },
	} {
		handle(http.MethodPost, path, http.StatusOK, func(_ http.ResponseWriter, r *http.Request) (any, error) {
			if err := call(r); err != nil {
				return nil, err
			}
			c, err := s.load(r.Context(), s.store.Pool, r.PathValue("ref"))
			if err != nil {
				return nil, err
			}
			return wire.SessionOf(c.session()), nil
		})
	}
}

func sessionOf(session proofing.Session, err error) (any, error) { return wire.SessionOf(session), err }

func (s *Simulator) admitted(r *http.Request) bool {
	want := s.config.APIKey.Reveal()
	given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	return want == "" || subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}

var statusOf = map[string]int{
	wire.IdentityIncomplete: http.StatusUnprocessableEntity,
	wire.AnswersTooLate:     http.StatusConflict,
	wire.KeyReused:          http.StatusConflict,
	wire.KeyMissing:         http.StatusBadRequest,
	wire.StateForbidden:     http.StatusConflict,
	wire.NotFound:           http.StatusNotFound,
	wire.RequestInvalid:     http.StatusBadRequest,
	wire.Unauthenticated:    http.StatusUnauthorized,
	wire.Unavailable:        http.StatusServiceUnavailable,
}

var codes = []struct {
	fault *models.FaultType
	code  string
}{
	{models.IdentityDataIncomplete, wire.IdentityIncomplete},
	{models.QuestionsTooLate, wire.AnswersTooLate},
	{models.IdempotencyKeyReused, wire.KeyReused},
	{models.IdempotencyKeyMissing, wire.KeyMissing},
	{models.StateForbids, wire.StateForbidden},
	{models.NoSuchThing, wire.NotFound},
	{models.InvalidRequest, wire.RequestInvalid},
}

func codeOf(err error) string {
	for _, c := range codes {
		if errors.Is(err, c.fault) {
			return c.code
		}
	}
	return wire.Unavailable
}

func refuse(w http.ResponseWriter, code string) {
	var failure wire.Failure
	failure.Error.Code, failure.Error.Message = code, "refused: "+code
	sandbox.Answer(w, statusOf[code], failure, nil)
}
