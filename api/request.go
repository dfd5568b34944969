package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"tokendesk/api/gen"
	"tokendesk/models"
)

const (
	mediaJSON = "application/json"
	ifMatch   = "If-Match"
	maxErrors = 20 // members that one answer names
)

// check holds a request against the specification: parameters, media type, size, body. The generated server binds exactly
// the value that was checked here.
func (s *server) check(c *gin.Context) {
	op := callOf(c.Request.Context()).op
	if err := checkParameters(op, c); err != nil {
		s.abort(c, err)
		return
	}
	data, err := readBody(op, c.Writer, c.Request)
	if err != nil {
		s.abort(c, err)
		return
	}
	body := checkedBody{Reader: bytes.NewReader(data)}
	if op.body != nil && !slices.Contains(op.roles, gateway) { // a gateway's signature comes before everything else
		if body.value, err = parseJSON(data); err != nil {
			s.abort(c, unreadable(err))
			return
		}
		if err := checkBody(op, body.value); err != nil {
			s.abort(c, err)
			return
		}
	}
	c.Request.Body = body
	c.Next()
}

// unreadable is the fault of a body that parseJSON refuses.
func unreadable(err error) error {
	if r, ok := errors.AsType[*rejection](err); ok {
		return r
	}
	return models.InvalidRequest.New("%s", err)
}

// checkedBody is a body that has been read; the generated server asks it for the value that was validated.
type checkedBody struct {
	*bytes.Reader
	value any
}

func (checkedBody) Close() error          { return nil }
func (b checkedBody) ValidatedValue() any { return b.value }

// readBody reads what the operation takes. Faults: MediaTypeUnsupported, RequestTooLarge, InvalidRequest.
func readBody(op *operation, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if len(op.mediaTypes) > 0 {
		if err := checkMediaType(op, r.Header); err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, op.maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, models.RequestTooLarge.New("at most %d bytes are taken here", op.maxBody)
	}
	switch {
	case err != nil:
		return nil, models.InvalidRequest.New("the body could not be read to its end")
	case len(op.mediaTypes) == 0 && len(data) > 0:
		return nil, models.InvalidRequest.New("no body is taken here")
	case len(op.mediaTypes) > 0 && len(data) == 0:
		return nil, models.InvalidRequest.New("the body is missing")
	}
	return data, nil
}

func checkMediaType(op *operation, h http.Header) error {
	media, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := parameters["charset"]
	switch {
	case err != nil || len(h["Content-Type"]) != 1 || !slices.Contains(op.mediaTypes, media):
		return models.MediaTypeUnsupported.New("send %s", strings.Join(op.mediaTypes, " or "))
	case charset != "" && !strings.EqualFold(charset, "utf-8"):
		return models.MediaTypeUnsupported.New("send UTF-8")
	case h.Get("Content-Encoding") != "":
		return models.MediaTypeUnsupported.New("send the body without a content encoding")
	}
	return nil
}

// checkBody validates a JSON value and names everything that is wrong with it.
func checkBody(op *operation, value any) error {
	err := op.body.VisitJSON(value, openapi3.VisitAsRequest(), openapi3.MultiErrors(), openapi3.EnableFormatValidation())
	if err == nil {
		return nil
	}
	r := &rejection{detail: "the body does not fit the specification"}
	r.add(err, func(path []string, detail string) gen.ProblemError {
		pointer := jsonPointer(path)
		return gen.ProblemError{Pointer: &pointer, Detail: detail}
	})
	return r
}

// add walks the errors of a validation. Reasons never quote the value that was sent.
func (r *rejection) add(err error, name func(path []string, detail string) gen.ProblemError) {
	if many, ok := errors.AsType[openapi3.MultiError](err); ok {
		for _, one := range many {
			r.add(one, name)
		}
		return
	}
	if len(r.errors) == maxErrors {
		return
	}
	path, detail := []string(nil), "it is not valid"
	if e, ok := errors.AsType[*openapi3.SchemaError](err); ok {
		path, detail = e.JSONPointer(), shorten(e.Reason)
	}
	r.errors = append(r.errors, name(path, detail))
}

func jsonPointer(path []string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, p := range path {
		b.WriteString("/" + shorten(escape.Replace(p)))
	}
	return b.String()
}

func shorten(s string) string {
	const most = 200
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most]) + "…"
	}
	return s
}

// checkParameters validates the parameters in path, query and header.
func checkParameters(op *operation, c *gin.Context) error {
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return models.InvalidRequest.New("the query is malformed")
	}
	r := &rejection{detail: "the parameters do not fit the specification"}
	for _, p := range op.parameters {
		var values []string
		switch p.In {
		case openapi3.ParameterInPath:
			values = []string{c.Param(p.Name)}
		case openapi3.ParameterInQuery:
			values = query[p.Name]
			delete(query, p.Name)
		default:
			values = c.Request.Header.Values(p.Name)
		}
		switch {
		case p.Name == idempotencyKey && len(values) == 0:
			return models.IdempotencyKeyMissing.New("")
		case p.Name == ifMatch && len(values) == 0:
			return models.PreconditionMissing.New("")
		}
		r.checkParameter(p, values)
	}
	for name := range query {
		r.refuseParameter(shorten(name), "it is not known here")
	}
	if len(r.errors) > 0 {
		return r
	}
	return nil
}

func (r *rejection) refuseParameter(name, detail string) {
	if len(r.errors) < maxErrors {
		r.errors = append(r.errors, gen.ProblemError{Parameter: &name, Detail: strings.ToValidUTF8(detail, "?")})
	}
}

func (r *rejection) checkParameter(p *openapi3.Parameter, values []string) {
	switch {
	case len(values) == 0:
		if p.Required {
			r.refuseParameter(p.Name, "it is missing")
		}
		return
	case len(values) > 1:
		r.refuseParameter(p.Name, "it is given more than once")
		return
	case !utf8.ValidString(values[0]) || checkText(values[0]) != nil:
		r.refuseParameter(p.Name, "it has characters that are not allowed")
		return
	}
	var value any = values[0]
	if p.Schema.Value.Type.Is(openapi3.TypeInteger) {
		if _, err := strconv.ParseInt(values[0], 10, 64); err != nil {
			r.refuseParameter(p.Name, "it must be an integer")
			return
		}
		value = json.Number(values[0])
	}
	if err := p.Schema.Value.VisitJSON(value, openapi3.EnableFormatValidation()); err != nil {
		r.add(err, func(_ []string, detail string) gen.ProblemError {
			return gen.ProblemError{Parameter: &p.Name, Detail: detail}
		})
	}
}
