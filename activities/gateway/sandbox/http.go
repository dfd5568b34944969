package sandbox

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"

	"tokendesk/models"
)

// maxBody bounds the requests that simulators read, in bytes.
const maxBody = 1 << 20

// Operations says which effects each operation of a simulator knows.
type Operations map[string][]Effect

// check refuses orders that would never be obeyed.
func (known Operations) check(o Order) error {
	for operation, effects := range known {
		if (o.Operation == "" || o.Operation == operation) && slices.Contains(effects, o.Effect) {
			return nil
		}
	}
	return models.InvalidRequest.New("no operation %q knows the effect %q", o.Operation, o.Effect)
}

// HandleOrders mounts under /sandbox/<gateway>/orders: POST gives an order, GET lists the open ones, DELETE
// withdraws them all.
func (s *Store) HandleOrders(mux *http.ServeMux, gateway Gateway, known Operations) {
	path := "/sandbox/" + string(gateway) + "/orders"
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var o Order
		err := Read(w, r, &o)
		if err == nil {
			err = known.check(o)
		}
		if err == nil {
			o, err = s.Give(r.Context(), gateway, o)
		}
		Answer(w, http.StatusCreated, o, err)
	})
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		orders, err := s.Orders(r.Context(), gateway)
		Answer(w, http.StatusOK, map[string]any{"orders": orders, "operations": known}, err)
	})
	mux.HandleFunc("DELETE "+path, func(w http.ResponseWriter, r *http.Request) {
		Answer(w, http.StatusOK, struct{}{}, s.Forget(r.Context(), gateway))
	})
}

// Read decodes a JSON request strictly. The content type must be JSON: a page of another site cannot send that
// without asking, so it cannot give orders to a stack on the same machine.
func Read(w http.ResponseWriter, r *http.Request, into any) error {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return models.InvalidRequest.New("send application/json")
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return models.InvalidRequest.New("the body is not the JSON that is expected here")
	}
	return nil
}

// Answer writes a value, or the fault as a small JSON object with the status that fits its kind.
func Answer(w http.ResponseWriter, status int, value any, err error) {
	if err != nil {
		fault := models.FaultOf(err)
		status = statusOf(fault)
		value = map[string]string{"type": fault.Type.Slug, "title": fault.Type.Title, "detail": fault.Detail}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client may be gone
}

func statusOf(fault *models.Fault) int {
	if errors.Is(fault, models.IdempotencyKeyReused) {
		return http.StatusConflict
	}
	switch fault.Type.Kind {
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
	default:
		return http.StatusInternalServerError
	}
}
