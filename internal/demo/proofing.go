package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"tokendesk/api/client"
	"tokendesk/models"
)

func aboutProofing(w *person) string { return models.ProofingLifecycle.WorkflowID(w.proofing) }

// buyProofed has a person buy a token with proofing, receive it and activate the key: the proofing is open then.
func (p *play) buyProofed(ctx context.Context, w *person) (client.Proofing, error) {
	if err := p.openLogin(ctx, w, models.RoleSubscriber); err != nil {
		return client.Proofing{}, err
	}
	if err := w.buyByCard(ctx); err != nil {
		return client.Proofing{}, err
	}
	for _, do := range []func(context.Context, *play, *person) (scene, error){readKey, handToCarrier, arrives} {
		if _, err := do(ctx, p, w); err != nil {
			return client.Proofing{}, err
		}
	}
	c, err := client.Read[client.Credential](w.api.ActivateLicenseKey(ctx, nil, w.activation(w.key)))
	if err != nil {
		return client.Proofing{}, err
	}
	w.credential, w.expires = c.ID, c.ExpiresAt.In(zone)
	if err := same("the credential's phase", c.Phase, models.PendingProofing); err != nil {
		return client.Proofing{}, err
	}
	all, err := client.Read[client.ProofingList](w.api.ListProofings(ctx, w.credential))
	if err != nil {
		return client.Proofing{}, err
	}
	if err := same("the number of proofings", len(all.Items), 1); err != nil {
		return client.Proofing{}, err
	}
	w.proofing = all.Items[0].ID
	return all.Items[0], nil
}

func dorothyBegins(ctx context.Context, p *play) (scene, error) {
	w := p.dorothy
	opened, err := p.buyProofed(ctx, w)
	if err != nil {
		return scene{}, err
	}
	_, refusal := w.register(ctx, w.token.serial, []string{w.token.press(), w.token.press()})
	if err := refusedAs(models.ActionNotPossible, refusal); err != nil {
		return scene{}, err
	}
	_, err = p.sandbox.mailFor(ctx, w, "Please have your identity proofed")
	return scene{fmt.Sprintf("Her key is activated, and her token cannot be registered yet: %s. She may choose between %s and %s.", opened.WaitingFor, opened.Methods[0], opened.Methods[1]), aboutProofing(w)},
		all(err, same("the number of methods", len(opened.Methods), 2), same("the proofing's status", opened.Status, models.ProofingChoosing))
}

func consents(ctx context.Context, p *play) (scene, error) {
	w := p.dorothy
	seen, err := client.Read[client.Proofing](w.api.GetProofing(ctx, w.proofing))
	if err != nil {
		return scene{}, err
	}
	consent := client.SelfServiceConsent{TermsVersion: seen.Terms.Version}
	_, refusal := client.Read[client.Proofing](w.api.ConsentToSelfService(ctx, w.proofing, nil, consent))
	if err := refusedAs(models.ConsentMissing, refusal); err != nil {
		return scene{}, err
	}
	consent.CreditInquiry = true
	begun, err := client.Read[client.Proofing](w.api.ConsentToSelfService(ctx, w.proofing, nil, consent))
	return scene{fmt.Sprintf("She agrees to the terms of %s; without the notice of the credit inquiry it is no consent.", consent.TermsVersion), aboutProofing(w)},
		all(err, same("the proofing's status", begun.Status, models.ProofingSelfService))
}

func givesIdentity(ctx context.Context, p *play) (scene, error) {
	w := p.dorothy
	home := w.address()
	begun, err := client.Read[client.Proofing](w.api.StartSelfService(ctx, w.proofing, nil,
		client.IdentityData{Address: home, BirthDate: "1910-09-20", Phone: "+12175550142", SsnLast4: "6789"}))
	if err != nil {
		return scene{}, err
	}
	if err := holds(begun.Session != nil && begun.Session.Phase == models.SessionQuestions, "the provider asks questions"); err != nil {
		return scene{}, err
	}
	set, err := client.Read[client.QuestionSet](w.api.GetIdentityQuestions(ctx, w.proofing))
	if err != nil {
		return scene{}, err
	}
	answers := client.QuestionAnswers{SetID: set.SetID}
	for _, q := range set.Questions {
		for _, o := range q.Options {
			if strings.Contains(strings.ToLower(o.Text), "yes") { // the simulator's rule
				answers.Answers = append(answers.Answers, client.QuestionAnswer{QuestionID: q.ID, OptionID: o.ID})
			}
		}
	}
	answered, err := client.Read[client.Proofing](w.api.AnswerIdentityQuestions(ctx, w.proofing, nil, answers))
	return scene{fmt.Sprintf("Address, date of birth, phone and four digits go to the identity provider and nowhere else. It asks her %d questions, and she answers them in time.", len(set.Questions)),
			aboutProofing(w)},
		all(err, holds(answered.Session != nil && answered.Session.Phase == models.SessionCapture, "pictures come next"))
}

// phone is a session as the provider's page on the person's phone shows it.
type phone struct {
	Ref string `json:"ref"`
}

func takesPictures(ctx context.Context, p *play) (scene, error) {
	w := p.dorothy
	sessions, err := call[struct{ Sessions []phone }](ctx, p.sandbox, http.MethodGet, "/sandbox/proofing/sessions?reference="+url.QueryEscape(w.proofing+"/1"), nil)
	if err != nil {
		return scene{}, err
	}
	if err := same("the number of sessions at the provider", len(sessions.Sessions), 1); err != nil {
		return scene{}, err
	}
	if _, err := call[struct{}](ctx, p.sandbox, http.MethodPost, "/sandbox/proofing/sessions/"+sessions.Sessions[0].Ref+"/pictures", nil); err != nil {
		return scene{}, err
	}
	return proofedNow(ctx, p, w, "Front, back and a selfie, on the provider's page. Its webhook only says that there is news; the result is fetched.")
}

// proofedNow waits until a person is proofed.
func proofedNow(ctx context.Context, p *play, w *person, how string) (scene, error) {
	done, err := await(ctx, w.first+" to be proofed", func() (client.Proofing, bool, error) {
		c, err := client.Read[client.Proofing](w.api.GetProofing(ctx, w.proofing))
		return c, c.Status == models.ProofingDone, err
	})
	if err != nil {
		return scene{}, err
	}
	c, err := client.Read[client.Credential](w.api.GetCredential(ctx, w.credential))
	if err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailFor(ctx, w, "Your identity has been proofed"); err != nil {
		return scene{}, err
	}
	return scene{fmt.Sprintf("%s Her credential has level 3 and waits for its token, until %s.", how, day(done.RegisterBy.Add(-1))), aboutProofing(w)},
		all(same("the credential's level", c.Level, 3), same("its phase", c.Phase, models.PendingRegistration))
}

// registerProofed registers a person's token and asks the portal about its first code.
func registerProofed(ctx context.Context, p *play, w *person) (scene, error) {
	if _, err := register(ctx, p, w); err != nil {
		return scene{}, err
	}
	v, err := p.ask(ctx, w, w.token.press())
	if err = all(err, same("the result", v.Result, models.Accepted)); err != nil {
		return scene{}, err
	}
	c, err := await(ctx, "the proofing to be complete", func() (client.Proofing, bool, error) {
		c, err := client.Read[client.Proofing](w.api.GetProofing(ctx, w.proofing))
		return c, c.Status == models.ProofingCompleted, err
	})
	return scene{fmt.Sprintf("Token %s is hers, and the portal hears: accepted, level 3. The proofing is %s.", w.token.serial, c.Status), aboutCredential(w)},
		all(err, same("the level", *v.Level, 3))
}

func dorothy(p *play) *person { return p.dorothy }
