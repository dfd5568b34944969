package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"tokendesk/api/gen"
	"tokendesk/models"
)

const mediaProblem = "application/problem+json"

// rejection is an InvalidRequest that names several members at once.
type rejection struct {
	detail string
	errors []gen.ProblemError
}

func (r *rejection) Error() string { return r.detail }
func (r *rejection) Unwrap() error { return models.InvalidRequest }

// statusOf maps a fault to its HTTP status, here and nowhere else.
func statusOf(t *models.FaultType) int {
	switch t {
	case models.RequestTooLarge:
		return http.StatusRequestEntityTooLarge
	case models.MediaTypeUnsupported:
		return http.StatusUnsupportedMediaType
	case models.PreconditionMissing:
		return http.StatusPreconditionRequired
	case models.PreconditionFailed:
		return http.StatusPreconditionFailed
	case models.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	}
	switch t.Kind {
	case models.Invalid:
		return http.StatusBadRequest
	case models.Unauthenticated:
		return http.StatusUnauthorized
	case models.Forbidden:
		return http.StatusForbidden
	case models.NotFound:
		return http.StatusNotFound
	case models.Conflict:
		return http.StatusConflict
	case models.Refused:
		return http.StatusUnprocessableEntity
	case models.Throttled:
		return http.StatusTooManyRequests
	case models.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// faultOf finds the fault of an error. A call that took too long or was given up is no mistake of ours.
func faultOf(err error) *models.Fault {
	f := models.FaultOf(err)
	if f.Type == models.InternalFault && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		f = models.ServiceDown.Because(err)
	}
	if f.Type.Kind == models.Unavailable && f.RetryAfter == 0 {
		f.RetryAfter = 2 * time.Second
	}
	return f
}

// refuse answers with the problem document of an error (RFC 9457). What is our own mistake is logged, and nothing told of it.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	c, f := callOf(r.Context()), faultOf(err)
	status := statusOf(f.Type)
	if status >= http.StatusInternalServerError {
		level := slog.LevelError
		if f.Type.Kind == models.Unavailable { // trouble elsewhere, or a caller who hung up
			level = slog.LevelWarn
		}
		s.Logger.LogAttrs(r.Context(), level, "request failed", slog.String("request_id", c.requestID),
			slog.String("operation", c.operation()), slog.Int("status", status), slog.String("error", causeOf(err)))
	}
	h := w.Header()
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(f.RetryAfter.Seconds())), 10))
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="tokendesk"`)
	}
	h.Set("Content-Type", mediaProblem)
	p := problem(c, f, err)
	p.AllowedActions = slices.DeleteFunc(slices.Clone(f.Allowed), func(action string) bool { return !s.operations.offer(action, c.caller.roles) })
	body, _ := json.Marshal(p) // made of strings and numbers only
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the caller may be gone
}

func problem(c *call, f *models.Fault, err error) gen.Problem {
	p := gen.Problem{
		Type: "/problems/" + f.Type.Slug, Title: f.Type.Title, Status: int32(statusOf(f.Type)),
		Instance: "/requests/" + c.requestID, RequestID: c.requestID,
		Detail: optional(f.Detail), Next: optional(f.Type.Next),
	}
	if f.Field != "" {
		if p.Errors = pointed(err); len(p.Errors) > 1 {
			p.Detail = optional(fmt.Sprintf("%d members are wrong", len(p.Errors)))
		}
	}
	if r, ok := errors.AsType[*rejection](err); ok {
		p.Detail, p.Errors = optional(r.detail), r.errors
	}
	return p
}

// pointed says of each member that a fault points at what is wrong with it.
func pointed(err error) (all []gen.ProblemError) {
	for _, f := range models.FaultsOf(err) {
		if f.Field == "" {
			continue
		}
		detail := f.Detail
		if detail == "" {
			detail = f.Type.Title
		}
		all = append(all, gen.ProblemError{Pointer: &f.Field, Detail: detail})
	}
	return all
}

// causeOf says what went wrong, for the log. A database error may quote what a person has typed, so only its code is kept.
func causeOf(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "database: " + pg.Code + " " + pg.TableName + " " + pg.ConstraintName
	}
	return err.Error()
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
