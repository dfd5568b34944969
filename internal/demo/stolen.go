package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"

	"tokendesk/api/client"
	"tokendesk/models"
)

// revoke has a person revoke her credential.
func (w *person) revoke(ctx context.Context, confirmed bool) (client.Credential, error) {
	return client.Read[client.Credential](w.api.RevokeCredential(ctx, w.credential, nil, client.RevocationRequest{Reason: models.RevokeStolen, Confirm: &confirmed}))
}

func unconfirmed(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	_, refusal := w.revoke(ctx, false)
	if err := refusedAs(models.ConfirmationMissing, refusal); err != nil {
		return scene{}, err
	}
	problem, ok := errors.AsType[*client.Problem](refusal)
	err := holds(ok && problem.Detail != nil, "the refusal says what would happen")
	if err != nil {
		return scene{}, err
	}
	c, err := client.Read[client.Credential](w.api.GetCredential(ctx, w.credential))
	return told(models.ConfirmationMissing, fmt.Sprintf("“%s.”", *problem.Detail), aboutCredential(w)), all(err, same("the credential's status", c.Status, models.ShownActive))
}

var passwordLine = regexp.MustCompile(`(?m)^ {4}(\S+)\r?$`)

func stolen(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	c, err := w.revoke(ctx, true)
	if err != nil {
		return scene{}, err
	}
	_, out := client.Read[client.Account](w.api.GetOwnAccount(ctx))
	v, err := p.ask(ctx, w, w.token.press())
	if err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailFor(ctx, w, "Your credential has been revoked"); err != nil {
		return scene{}, err
	}
	m, err := p.sandbox.mailFor(ctx, w, "Your password was reset")
	if err != nil {
		return scene{}, err
	}
	found := passwordLine.FindStringSubmatch(m.Text)
	if found == nil {
		return scene{}, errors.New("there is no temporary password in its mail")
	}
	w.password = found[1]
	return scene{"At once and for good: the session in which she did it has ended, the portal hears “revoked”, and a temporary password is in her mailbox.", aboutCredential(w)},
		all(same("the credential's status", c.Status, models.ShownRevoked), refusedAs(models.NotAuthenticated, out), same("what the portal is told", v.Result, models.ResultRevoked))
}

func temporaryPassword(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	session, err := p.login(ctx, w)
	if err != nil {
		return scene{}, err
	}
	_, refusal := client.Read[client.CredentialList](w.api.ListCredentials(ctx, nil))
	err = all(holds(session.MustChangePassword != nil && *session.MustChangePassword, "the session says that the password must be changed"),
		refusedAs(models.PasswordChangeRequired, refusal))
	if err != nil {
		return scene{}, err
	}
	own := rand.Text()
	if _, err := client.Read[struct{}](w.api.ChangePassword(ctx, nil, client.PasswordChange{OldPassword: w.password, NewPassword: own})); err != nil {
		return scene{}, err
	}
	w.password = own
	t, err := w.next(ctx)
	if err != nil {
		return scene{}, err
	}
	_, again := w.revoke(ctx, true)
	return scene{fmt.Sprintf("It opens one door only: “%s”. She chooses her own, and the house is open again. Her credential stays as it is: “%s”.",
			models.PasswordChangeRequired.Title, t.WaitingFor), aboutCredential(w)},
		all(same("what the timeline shows", t.Status, string(models.ShownRevoked)), refusedAs(models.AlreadyRevoked, again))
}
