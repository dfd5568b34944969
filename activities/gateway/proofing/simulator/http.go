package simulator

import (
	"context"
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
	handle(http.MethodPost, "", http.StatusCreated, taking(func(r *http.Request, in wire.Applicant) (proofing.Session, error) {
		return s.Start(r.Context(), in.Applicant(r.Header.Get("Idempotency-Key")))
	}))
	handle(http.MethodGet, "/{ref}", http.StatusOK, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		session, err := s.Fetch(r.Context(), r.PathValue("ref"))
		return wire.SessionOf(session), err
	})
	handle(http.MethodPost, "/{ref}/ssn", http.StatusOK, taking(func(r *http.Request, in wire.SSN) (proofing.Session, error) {
		return s.GiveSSN(r.Context(), r.PathValue("ref"), models.Secret(in.SSN))
	}))
	handle(http.MethodPost, "/{ref}/questions", http.StatusOK, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		set, err := s.Questions(r.Context(), r.PathValue("ref"))
		return wire.QuestionsOf(set), err
	})
	handle(http.MethodPost, "/{ref}/answers", http.StatusOK, taking(func(r *http.Request, in wire.Answers) (proofing.Session, error) {
		return s.Answer(r.Context(), r.PathValue("ref"), in.Set, in.Answers)
	}))
	handle(http.MethodPost, "/{ref}/capture", http.StatusOK, taking(func(r *http.Request, in wire.Capture) (proofing.Session, error) {
		return s.SendCapture(r.Context(), r.PathValue("ref"), models.Secret(in.Phone))
	}))
	handle(http.MethodGet, "/{ref}/located-address", http.StatusOK, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		address, err := s.Located(r.Context(), r.PathValue("ref"))
		return wire.AddressOf(address), err
	})
	handle(http.MethodPost, "/{ref}/cancel", http.StatusOK, s.ending(s.Cancel))
	handle(http.MethodPost, "/{ref}/redact", http.StatusOK, s.ending(s.Redact))
}

// taking reads the body of a request for a call that changes a session.
func taking[T any](call func(r *http.Request, in T) (proofing.Session, error)) func(http.ResponseWriter, *http.Request) (any, error) {
	return func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in T
		if err := sandbox.Read(w, r, &in); err != nil {
			return nil, err
		}
		session, err := call(r, in)
		return wire.SessionOf(session), err
	}
}

// ending shows a session after a call that tells nothing about it.
func (s *Simulator) ending(call func(ctx context.Context, ref string) error) func(http.ResponseWriter, *http.Request) (any, error) {
	return func(_ http.ResponseWriter, r *http.Request) (any, error) {
		if err := call(r.Context(), r.PathValue("ref")); err != nil {
			return nil, err
		}
		c, err := s.load(r.Context(), s.store.Pool, r.PathValue("ref"))
		if err != nil {
			return nil, err
		}
		return wire.SessionOf(c.session()), nil
	}
}

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
