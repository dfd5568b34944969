package demo

import (
	"cmp"
	"context"
	"fmt"

	"tokendesk/api/client"
	"tokendesk/internal/keycode"
	"tokendesk/models"
)

func (w *person) activation(key string) client.NewActivation {
	inHand := true
	return client.NewActivation{LicenseKey: key, LegalName: w.legalName(), ProofingCountry: cmp.Or(w.documents, "US"), TokenInHand: &inHand}
}

func wrongKey(ctx context.Context, p *play) (scene, error) {
	never, err := keycode.New(keycode.LicenseKeyBits)
	if err != nil {
		return scene{}, err
	}
	_, err = client.Read[client.Credential](p.ada.api.ActivateLicenseKey(ctx, nil, p.ada.activation(never.Reveal())))
	return told(models.LicenseKeyWrong, "The try is counted: who guesses is soon stopped.", ""), refusedAs(models.LicenseKeyWrong, err)
}

// told is the scene of a refusal, with the words that its person reads.
func told(fault *models.FaultType, more, workflow string) scene {
	return scene{fmt.Sprintf("“%s”: %s. %s", fault.Title, fault.Next, more), workflow}
}

func activate(ctx context.Context, _ *play, w *person) (scene, error) {
	c, err := client.Read[client.Credential](w.api.ActivateLicenseKey(ctx, nil, w.activation(w.key)))
	if err != nil {
		return scene{}, err
	}
	w.credential, w.expires = c.ID, c.ExpiresAt.In(zone)
	// Meanwhile the carrier's last words have arrived.
	parcel, err := client.Read[client.Shipment](w.api.GetShipment(ctx, w.shipment))
	if err != nil {
		return scene{}, err
	}
	err = all(same("the shipment's status", parcel.Status, models.ShipmentDelivered), same("the credential's status", c.Status, models.ShownPendingActivation),
		same("the credential's phase", c.Phase, models.PendingRegistration), same("the credential's level", c.Level, 2))
	return scene{fmt.Sprintf("%s confirms that she is %s. The key is used up and hers for good; her credential %s runs until %s and waits for its token.",
		w.first, w.legalName(), c.ID, day(c.ExpiresAt)), aboutCredential(w)}, err
}

func wrongSerial(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	_, err := w.register(ctx, "DTW-0000000000-1", w.token.hopeless(2))
	return told(models.SerialIncorrect, "Serials that exist and serials that do not get the same answer.", aboutCredential(w)), refusedAs(models.SerialIncorrect, err)
}

func wrongCodes(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	_, err := w.register(ctx, w.token.serial, w.token.hopeless(2))
	return told(models.OTPIncorrect, "", aboutCredential(w)), refusedAs(models.OTPIncorrect, err)
}

func (w *person) register(ctx context.Context, serial string, codes []string) (client.Authenticator, error) {
	return client.Read[client.Authenticator](w.api.RegisterHardwareToken(ctx, w.credential, nil,
		client.NewHardwareToken{Serial: serial, FirstCode: codes[0], SecondCode: codes[1]}))
}

func register(ctx context.Context, p *play, w *person) (scene, error) {
	codes := []string{w.token.press(), w.token.press()}
	bound, err := w.register(ctx, w.token.serial, codes)
	if err != nil {
		return scene{}, err
	}
	c, err := client.Read[client.Credential](w.api.GetCredential(ctx, w.credential))
	if err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailFor(ctx, w, "Your token is registered"); err != nil {
		return scene{}, err
	}
	err = all(same("the authenticator's status", bound.Status, models.AuthenticatorActive), same("its serial", *bound.Serial, w.token.serial),
		same("the credential's status", c.Status, models.ShownActive))
	return scene{fmt.Sprintf("%s and %s belong to token %s and follow each other: her credential is active.",
		maskedCode(codes[0]), maskedCode(codes[1]), w.token.serial), aboutCredential(w)}, err
}

// ask is the question of a relying application.
func (p *play) ask(ctx context.Context, w *person, code string) (client.Verification, error) {
	return client.Read[client.Verification](p.portal.CreateVerification(ctx, client.NewVerification{UserID: &w.userID, Code: code}))
}

func verify(ctx context.Context, p *play, w *person) (scene, error) {
	w.spent = w.token.press()
	v, err := p.ask(ctx, w, w.spent)
	if err != nil {
		return scene{}, err
	}
	err = all(same("the result", v.Result, models.Accepted), holds(v.Accepted, "the code is accepted"))
	if err == nil {
		err = all(same("the level", *v.Level, 2), same("the strength", *v.Strength, models.StrengthHardware), same("the credential", *v.CredentialID, w.credential))
	}
	return scene{fmt.Sprintf("%s is accepted: level 2, by hardware token. No workflow took part in the answer.", maskedCode(w.spent)), aboutCredential(w)}, err
}

func verifyAgain(ctx context.Context, p *play) (scene, error) {
	v, err := p.ask(ctx, p.ada, p.ada.spent)
	err = all(err, same("the result", v.Result, models.ResultWrongCode), holds(!v.Accepted, "a used code is refused"))
	return scene{fmt.Sprintf("%s is refused like any wrong code: a code is good once.", maskedCode(p.ada.spent)), aboutCredential(p.ada)}, err
}

func guess(ctx context.Context, p *play) (scene, error) {
	w, limit := p.grace, models.DefaultPolicy().OTP.FailuresToLock()
	for i, code := range w.token.hopeless(limit) {
		v, err := p.ask(ctx, w, code)
		if err = all(err, same(fmt.Sprintf("the result of guess %d", i+1), v.Result, models.ResultWrongCode)); err != nil {
			return scene{}, err
		}
	}
	c, err := client.Read[client.Credential](w.api.GetCredential(ctx, w.credential))
	if err != nil {
		return scene{}, err
	}
	err = all(same("the authenticator's status", c.Authenticators[0].Status, models.AuthenticatorLocked), same("the credential's status", c.Status, models.ShownLocked))
	return scene{fmt.Sprintf("After %d wrong codes in a row the token is locked, as the policy says.", limit), aboutCredential(w)}, err
}

func locked(ctx context.Context, p *play) (scene, error) {
	w := p.grace
	if _, err := p.sandbox.mailFor(ctx, w, "Your token is locked"); err != nil {
		return scene{}, err
	}
	v, err := p.ask(ctx, w, w.token.press())
	err = all(err, same("the result", v.Result, models.ResultLocked))
	return scene{"The mail tells her what to do. Until then the portal hears “locked”, whatever the code.", aboutCredential(w)}, err
}
