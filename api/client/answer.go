package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"tokendesk/models"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 32 << 20

// Read reads the JSON of an answer. It takes what a call returns: Read[Order](c.GetOrder(ctx, number)). Errors: *Problem
// where the API refused; others where no answer came, or one that is not the API's.
func Read[T any](response *http.Response, failure error) (answer T, err error) {
	body, err := ReadFile(response, failure)
	if err != nil || len(body) == 0 { // 204
		return answer, err
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, fmt.Errorf("read the answer of %s: %w", response.Request.URL.Path, err)
	}
	return answer, nil
}

// ReadFile is Read for an answer that is no JSON, such as a PDF.
func ReadFile(response *http.Response, failure error) ([]byte, error) {
	if failure != nil {
		return nil, failure
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", response.Request.URL.Path, err)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		return body, nil
	}
	var p Problem
	if json.Unmarshal(body, &p) != nil || p.Type == "" {
		return nil, fmt.Errorf("%s answered %s", response.Request.URL.Path, response.Status)
	}
	return nil, &p
}

// Error is the problem in a sentence.
func (p *Problem) Error() string {
	s := p.Title
	if p.Detail != nil {
		s += ": " + *p.Detail
	}
	for _, e := range p.Errors {
		if p.Detail == nil || e.Detail != *p.Detail {
			s += "; " + e.Detail
		}
	}
	return s
}

// Is lets errors.Is compare a problem with the fault that it tells of, such as models.LicenseKeyWrong.
func (p *Problem) Is(target error) bool {
	fault, ok := errors.AsType[*models.FaultType](target)
	return ok && strings.TrimPrefix(p.Type, "/problems/") == fault.Slug
}
