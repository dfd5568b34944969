package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"tokendesk/models/store"
)

const (
	idempotencyKey = "Idempotency-Key"
	replayed       = "Idempotency-Replayed"

	redacted     = "[redacted]"
	settlingTime = 5 * time.Second // to keep an answer, though its caller is gone
)

// kept are the headers that belong to an answer.
var keptHeaders = []string{"Content-Type", "Etag", "Location"}

// once performs an unsafe operation once for each Idempotency-Key of a caller, and gives its answer again afterwards.
func (s *server) once(c *gin.Context) {
	call := callOf(c.Request.Context())
	if !call.op.keyed {
		c.Next()
		return
	}
	call.key = store.IdempotentCall{Principal: call.caller.ID, Key: c.GetHeader(idempotencyKey), Operation: call.op.id, RequestHash: requestHash(c.Request)}
	claim, err := s.Store.ClaimKey(c.Request.Context(), call.key, s.Keyring, s.CodeClock(), call.op.timeout+leaseMargin)
	if err != nil {
		s.abort(c, err)
		return
	}
	if claim.Answer != nil {
		replay(c.Writer, *claim.Answer)
		c.Abort()
		return
	}
	call.resource, call.since = claim.Resource, claim.Since
	answer := &heldAnswer{ResponseWriter: c.Writer, status: http.StatusOK}
	c.Writer = answer
	c.Next()
	c.Writer = answer.ResponseWriter
	s.settle(c.Request.Context(), call, answer)
	answer.release()
}

// settle keeps the answer before the caller gets it, so that a crash in between cannot make a repeated call do the work
// again. An answer that may be another one next time is not kept.
func (s *server) settle(ctx context.Context, c *call, answer *heldAnswer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlingTime)
	defer cancel()
	var err error
	if answer.status >= http.StatusInternalServerError || answer.status == http.StatusTooManyRequests {
		err = s.Store.ReleaseKey(ctx, c.key, s.CodeClock())
	} else {
		header := map[string]string{}
		for _, name := range keptHeaders {
			if value := answer.Header().Get(name); value != "" {
				header[name] = value
			}
		}
		err = s.Store.SettleKey(ctx, c.key, store.IdempotentAnswer{Status: answer.status, Header: header, Body: redact(answer.body.Bytes(), c.op.secrets)})
	}
	if err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelError, "the answer to a keyed call was not kept", slog.String("request_id", c.requestID),
			slog.String("operation", c.op.id), slog.String("error", causeOf(err)))
	}
}

func replay(w http.ResponseWriter, a store.IdempotentAnswer) {
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set(replayed, "true")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the caller may be gone
}

// requestHash covers everything that makes a request what it is.
func requestHash(r *http.Request) []byte {
	h := sha256.New()
	parts := []string{r.Method, r.URL.Path, r.URL.Query().Encode(), r.Header.Get("Content-Type"), r.Header.Get(importKeyHeader), r.Header.Get(importPassphraseHeader)}
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part))
		h.Write(sum[:])
	}
	body := r.Body.(checkedBody) // check comes before
	_, _ = io.Copy(h, body)      // from memory
	_, _ = body.Seek(0, io.SeekStart)
	return h.Sum(nil)
}

// redact replaces the members of an answer that are shown once (SEC-5).
func redact(body []byte, secrets []string) []byte {
	if len(secrets) == 0 || len(body) == 0 {
		return bytes.TrimSpace(body)
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return []byte(`"` + redacted + `"`)
	}
	out, _ := json.Marshal(redactValue(value, secrets)) // was JSON before
	return out
}

func redactValue(value any, secrets []string) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if slices.Contains(secrets, name) {
				v[name] = redacted
			} else {
				v[name] = redactValue(member, secrets)
			}
		}
	case []any:
		for i := range v {
			v[i] = redactValue(v[i], secrets)
		}
	}
	return value
}

// heldAnswer holds an answer back until it is kept.
type heldAnswer struct {
	gin.ResponseWriter
	status int
	sent   bool
	body   bytes.Buffer
}

func (a *heldAnswer) WriteHeader(status int) {
	if !a.sent {
		a.status, a.sent = status, true
	}
}
func (a *heldAnswer) WriteHeaderNow()                   { a.sent = true }
func (a *heldAnswer) Write(p []byte) (int, error)       { a.sent = true; return a.body.Write(p) }
func (a *heldAnswer) WriteString(p string) (int, error) { a.sent = true; return a.body.WriteString(p) }
func (a *heldAnswer) Status() int                       { return a.status }
func (a *heldAnswer) Size() int                         { return a.body.Len() }
func (a *heldAnswer) Written() bool                     { return a.sent }
func (a *heldAnswer) Flush()                            {}

func (a *heldAnswer) release() {
	a.ResponseWriter.WriteHeader(a.status)
	a.ResponseWriter.WriteHeaderNow()
	_, _ = a.ResponseWriter.Write(bytes.TrimSpace(a.body.Bytes())) // the caller may be gone
}

// making performs what a keyed call makes, in one transaction with the note of what was made. A call that was interrupted
// after that commit finds the note and makes nothing again.
func making[T any](ctx context.Context, s *server, perform func(tx *store.Store) (T, string, error), load func(id string) (T, error)) (made T, err error) {
	c := callOf(ctx)
	if c.resource != "" {
		return load(c.resource)
	}
	err = s.Store.InTx(ctx, func(tx *store.Store) error {
		var id string
		if made, id, err = perform(tx); err != nil {
			return err
		}
		return tx.NoteResource(ctx, c.key, id)
	})
	return made, err
}
