package api

import (
	"context"
	"encoding/json"
	"net/http"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

const verificationPath = "/v1/verifications"

// createVerification is the hot path (LOG-5): no Gin, no reflection, one look into a cache and one transaction. What it
// takes and answers is in the specification all the same; what does not fit goes the usual way, to be told why.
func (s *server) createVerification(w http.ResponseWriter, r *http.Request) {
	c := callOf(r.Context())
	c.op = s.verify
	ctx, cancel := context.WithTimeout(r.Context(), c.op.timeout)
	defer cancel()
	var err error
	if c.caller, err = s.authenticateKey(r); err == nil {
		err = c.permit()
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	q, err := readVerification(c.op, w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	q.Actor = c.caller.Actor
	v, err := s.Store.Verify(ctx, q, s.Keyring, s.Clock(), s.CodeClock())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	answer := gen.Verification{Result: v.Result, Accepted: v.Result == models.Accepted, Next: optional(v.Result.Next())}
	if answer.Accepted {
		level := int32(v.Level)
		answer.CredentialID, answer.Strength, answer.Level = &v.CredentialID, &v.Strength, &level
	}
	body, _ := json.Marshal(answer) // made of strings and numbers only
	w.Header().Set("Content-Type", mediaJSON)
	_, _ = w.Write(body) // the caller may be gone
}

func readVerification(op *operation, w http.ResponseWriter, r *http.Request) (q store.VerificationRequest, err error) {
	if r.URL.RawQuery != "" {
		return q, models.InvalidRequest.New("no parameters are taken here")
	}
	data, err := readBody(op, w, r)
	if err != nil {
		return q, err
	}
	value, err := parseJSON(data)
	if err != nil {
		return q, unreadable(err)
	}
	if q, ok := verificationOf(value); ok {
		return q, nil
	}
	if err := checkBody(op, value); err != nil {
		return q, err
	}
	return q, models.InvalidRequest.New("name the code, and exactly one of user_id, credential_id and serial")
}

// verificationOf reads the request without the help of the specification; ok reports that it fits.
func verificationOf(value any) (q store.VerificationRequest, ok bool) {
	object, _ := value.(map[string]any)
	if len(object) != 2 {
		return q, false
	}
	for name, member := range object {
		text, isText := member.(string)
		most := 0
		switch name {
		case "user_id":
			q.UserID, most = text, 100
		case "credential_id":
			q.CredentialID, most = text, 50
		case "serial":
			q.Serial, most = text, 64
		case "code":
			if isCode(text) {
				q.Code, most = models.Secret(text), 8
			}
		}
		if !isText || text == "" || len(text) > most { // in bytes: what is longer is counted in characters by the specification
			return q, false
		}
	}
	return q, q.Code != ""
}

func isCode(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(s) >= 6 && len(s) <= 8
}
