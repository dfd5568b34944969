package journey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	api "tokendesk/api/client"
	"tokendesk/models"
)

// Consent agrees to self-service.
func (j *Journey) Consent(ctx context.Context) error {
	if j.Proofing.Terms == nil {
		return errors.New("there are no terms to agree to")
	}
	return j.change(ctx, "/consent", map[string]any{"terms_version": j.Proofing.Terms.Version, "credit_inquiry": true})
}

// GiveIdentity gives what self-service asks for. Nothing of it may be found anywhere.
func (j *Journey) GiveIdentity(ctx context.Context) error {
	ssn := "2" + digits(2) + digits(2) + digits(4)
	at := j.Person.Address
	at.Line1, at.City, at.PostalCode = "1 Concealed Way "+ssn[4:], "Veilburg"+digits(6), "62701"
	phone, born := "+1217555"+digits(4), "19"+digits(2)[:1]+"7-0"+digits(1)+"-1"+digits(1)
	j.ssn = ssn
	j.World.plantIdentity(ssn, ssn[:3]+"-"+ssn[3:5]+"-"+ssn[5:], `"`+ssn[5:]+`"`, at.Line1, at.City, phone, born)
	return j.change(ctx, "/self-service", map[string]any{"address": at, "birth_date": born, "phone": phone, "ssn_last4": ssn[5:]})
}

// GiveSSN gives all nine digits, where the provider asks for them.
func (j *Journey) GiveSSN(ctx context.Context) error {
	return j.change(ctx, "/self-service/ssn", map[string]any{"ssn": j.ssn})
}

// Answer answers the provider's questions, each by its first option.
func (j *Journey) Answer(ctx context.Context) error {
	var set api.QuestionSet
	if err := j.call(ctx, http.MethodGet, "/v1/proofing/cases/"+j.Proofing.ID+"/self-service/questions", "", nil, &set); err != nil {
		return err
	}
	var answers []map[string]any
	for _, q := range set.Questions {
		j.World.plantIdentity(q.Text, q.Options[0].Text)
		answers = append(answers, map[string]any{"question_id": q.ID, "option_id": q.Options[0].ID})
	}
	return j.change(ctx, "/self-service/questions", map[string]any{"set_id": set.SetID, "answers": answers})
}

// SessionAtProvider is the provider's reference of the person's self-service session.
func (j *Journey) SessionAtProvider(ctx context.Context) (string, error) {
	var list struct {
		Sessions []struct {
			Ref string `json:"ref"`
		} `json:"sessions"`
	}
	q := url.Values{"reference": {fmt.Sprintf("%s/%d", j.Proofing.ID, j.Proofing.Attempt)}}
	err := j.World.Do(ctx, Call{Method: http.MethodGet, Path: "/sandbox/proofing/sessions?" + q.Encode()}, &list)
	if err == nil && len(list.Sessions) != 1 {
		err = fmt.Errorf("the provider has %d sessions", len(list.Sessions))
	}
	if err != nil {
		return "", err
	}
	return list.Sessions[0].Ref, nil
}

// TakePictures takes the pictures that the provider asks for, on its page.
func (j *Journey) TakePictures(ctx context.Context) error {
	ref, err := j.SessionAtProvider(ctx)
	if err != nil {
		return err
	}
	return j.World.Do(ctx, Call{Method: http.MethodPost, Path: "/sandbox/proofing/sessions/" + ref + "/pictures"}, nil)
}

var codeLine = regexp.MustCompile(`(?m)^\s*([2-9A-Z]{5}(?: – [2-9A-Z]+)+)\s*$`)

// Letter is one that the printer has taken.
type Letter struct {
	Key  string // of the activation code
	Code string
}

// Letters reads the letters that were printed for a person under a name, newest first.
func (w *World) Letters(ctx context.Context, name string) (letters []Letter, err error) {
	var list struct {
		Letters []struct {
			Ref, Key, Name string
		} `json:"letters"`
	}
	if err := w.Do(ctx, Call{Method: http.MethodGet, Path: "/sandbox/post/letters"}, &list); err != nil {
		return nil, err
	}
	for _, l := range list.Letters {
		if l.Name != name {
			continue
		}
		text, err := w.read(ctx, "/sandbox/post/letters/"+l.Ref+"/text")
		if err != nil {
			return nil, err
		}
		found := codeLine.FindStringSubmatch(text)
		if found == nil {
			return nil, errors.New("there is no code in a letter")
		}
		code := strings.ReplaceAll(found[1], " – ", "-")
		w.plantActivationCode(code)
		letters = append(letters, Letter{l.Key, code})
	}
	return letters, nil
}

// ReceiveLetter waits for a letter to the person, and returns it.
func (j *Journey) ReceiveLetter(ctx context.Context) (l Letter, err error) {
	err = until(ctx, "a letter", func() (bool, error) {
		if err := j.Proof(ctx); err != nil || j.Proofing.Status != models.ProofingAwaitingCode {
			return false, err
		}
		letters, err := j.World.Letters(ctx, j.Person.Address.Name)
		if err != nil || len(letters) == 0 {
			return false, err
		}
		l = letters[0]
		return true, nil
	})
	return l, err
}
