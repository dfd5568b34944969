package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tokendesk/api/client"
	"tokendesk/models"
)

func resync(ctx context.Context, p *play) (scene, error) {
	w := p.grace
	c, err := client.Read[client.Credential](w.api.GetCredential(ctx, w.credential))
	if err != nil {
		return scene{}, err
	}
	codes := []string{w.token.press(), w.token.press()}
	a, err := client.Read[client.Authenticator](w.api.ResyncAuthenticator(ctx, w.credential, c.Authenticators[0].ID, nil, client.Resync{FirstCode: codes[0], SecondCode: codes[1]}))
	if err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailFor(ctx, w, "Your token works again"); err != nil {
		return scene{}, err
	}
	v, err := p.ask(ctx, w, w.token.press())
	err = all(err, same("the authenticator's status", a.Status, models.AuthenticatorActive), same("what the portal is told", v.Result, models.Accepted))
	return scene{fmt.Sprintf("%s and %s follow each other, though some codes were never used: the token is unlocked, a mail says so, and its very next code is accepted.",
		maskedCode(codes[0]), maskedCode(codes[1])), aboutCredential(w)}, err
}

func suspendAda(ctx context.Context, p *play) (scene, error) {
	w, reason := p.ada, "the token lay on the counter"
	c, err := client.Read[client.Credential](p.grace.api.SuspendCredential(ctx, w.credential, nil, client.Suspension{Reason: &reason}))
	if err != nil {
		return scene{}, err
	}
	m, err := p.sandbox.mailFor(ctx, w, "Your credential has been suspended")
	if err != nil {
		return scene{}, err
	}
	v, err := p.ask(ctx, w, w.token.press())
	err = all(err, same("the credential's status", c.Status, models.ShownSuspended), same("what the portal is told", v.Result, models.ResultSuspended),
		holds(strings.Contains(m.Text, "administrator"), "the mail says that it was an administrator"))
	return scene{fmt.Sprintf("She gives a reason, “%s”, which is kept in the audit trail. The portal hears “suspended” now, and Ada gets a mail.", reason), aboutCredential(w)}, err
}

func cannotLift(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	_, refusal := client.Read[client.Credential](w.api.ReenableCredential(ctx, w.credential, nil, client.Suspension{}))
	if err := refusedAs(models.SuspendedByAdministrator, refusal); err != nil {
		return scene{}, err
	}
	t, err := w.next(ctx)
	may := allowed(refusal)
	err = all(err, same("whose turn it is", t.WaitingOn, client.WaitingOnAdministrator), holds(len(may) > 0, "the refusal says what is allowed"),
		holds(!slices.Contains(may, string(models.ActionReenable)), "re-enabling is not allowed"))
	return told(models.SuspendedByAdministrator, fmt.Sprintf("The refusal lists what she may do: %s. %s", strings.Join(may, ", "), aloud(t)), aboutCredential(w)), err
}

// allowed is what a refusal says that the state allows.
func allowed(refusal error) []string {
	if problem, ok := errors.AsType[*client.Problem](refusal); ok {
		return problem.AllowedActions
	}
	return nil
}

func liftForAda(ctx context.Context, p *play) (scene, error) {
	w, reason := p.ada, "she has it again"
	c, err := client.Read[client.Credential](p.grace.api.ReenableCredential(ctx, w.credential, nil, client.Suspension{Reason: &reason}))
	if err != nil {
		return scene{}, err
	}
	v, err := p.ask(ctx, w, w.token.press())
	return scene{"The credential is active again, and the next code of the same token is accepted.", aboutCredential(w)},
		all(err, same("the credential's status", c.Status, models.ShownActive), same("what the portal is told", v.Result, models.Accepted))
}
