package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"tokendesk/models"
)

// Header values that never change are shared.
var (
	noSniff = []string{"nosniff"}
	noStore = []string{"no-store"}
)

// ServeHTTP gives every request its id, its headers and its measure, and a problem document even where the program panics.
// Verifications go past Gin: they are what the others wait for.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	c := &call{requestID: requestID(r)}
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	out := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	h := w.Header()
	h["X-Request-Id"] = []string{c.requestID}
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = noStore
	defer func() {
		if v := recover(); v != nil {
			s.panicked(out, r, v)
		}
		s.metrics.observe(c, out.status, time.Since(begun))
	}()
	switch path := r.URL.Path; {
	case path == verificationPath && r.Method == http.MethodPost && s.Certificates == nil:
		s.createVerification(out, r)
	case s.Sandbox != nil && strings.HasPrefix(path, "/sandbox/"):
		s.Sandbox.ServeHTTP(out, r)
	default:
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		s.engine.ServeHTTP(out, r)
	}
}

func (s *server) panicked(w *statusWriter, r *http.Request, v any) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	s.Logger.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("operation", callOf(r.Context()).operation()),
		slog.String("stack", string(debug.Stack())))
	if !w.written {
		s.refuse(w, r, models.InternalFault.Because(fmt.Errorf("panic: %T", v)))
	}
}

// statusWriter remembers how a request was answered.
type statusWriter struct {
	http.ResponseWriter
	status  int
	written bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.written {
		w.status, w.written = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.written = true
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// extend gives a connection more time than the server's own limits, which are for ordinary requests; the limit for reading would cancel the
// request as well.
func extend(w http.ResponseWriter, d time.Duration) {
	until, control := time.Now().Add(d), http.NewResponseController(w)
	_ = control.SetReadDeadline(until) // what has no limits needs none
	_ = control.SetWriteDeadline(until)
}

// metrics counts and times the requests of each operation.
type metrics struct{ requests *prometheus.HistogramVec }

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	m := metrics{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "tokendesk", Subsystem: "http", Name: "request_duration_seconds", Help: "Requests by operation and status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"operation", "status"})}
	if registry == nil {
		return m, nil
	}
	err := registry.Register(m.requests)
	if before, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok { // by the other listener of this process
		m.requests, ok = before.ExistingCollector.(*prometheus.HistogramVec)
		if ok {
			return m, nil
		}
	}
	if err != nil {
		return m, fmt.Errorf("register the API's metrics: %w", err)
	}
	return m, nil
}

func (m metrics) observe(c *call, status int, took time.Duration) {
	m.requests.WithLabelValues(c.operation(), strconv.Itoa(status)).Observe(took.Seconds())
}
