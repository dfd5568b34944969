package pskc

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// maxSecret is the longest secret in bytes; HMAC-SHA-512 takes no more than 128 before it hashes them.
const maxSecret = 1024

// identify takes over what names a key.
func identify(d *xmlDevice, x *xmlKey) Key {
	return Key{
		ID:           strings.TrimSpace(x.ID),
		Serial:       strings.TrimSpace(d.Serial),
		Manufacturer: strings.TrimSpace(d.Manufacturer),
		Model:        strings.TrimSpace(d.Model),
		Issuer:       strings.TrimSpace(x.Issuer),
		UserID:       strings.TrimSpace(firstOf(x.UserID, d.UserID)),
	}
}

// convert fills in what a key does and its secret.
func convert(k *Key, d *xmlDevice, x *xmlKey, p *protection) *Error {
	if err := k.setAlgorithm(x.Algorithm, x.Parameters.Suite); err != nil {
		return err
	}
	if err := k.setResponse(&x.Parameters); err != nil {
		return err
	}
	if err := k.setDates(firstOf(x.Policy.Start, d.Start), firstOf(x.Policy.Expiry, d.Expiry)); err != nil {
		return err
	}
	if err := k.setMoving(&x.Data, p); err != nil {
		return err
	}
	return k.setSecret(x, p)
}

func firstOf(a, b string) string {
	if strings.TrimSpace(a) != "" {
		return a
	}
	return b
}

// setResponse takes over the form of the codes. A HOTP or TOTP code is decimal; the RFC's check digit is not of
// RFC 4226, and no verifier that follows that would accept it.
func (k *Key) setResponse(x *xmlParameters) *Error {
	if encoding := x.Response.Encoding; encoding != "" && !strings.EqualFold(encoding, "DECIMAL") {
		return wrong(ErrUnsupported, "codes that are not decimal")
	}
	switch strings.TrimSpace(x.Response.CheckDigits) {
	case "", "false", "0":
	default:
		return wrong(ErrUnsupported, "codes with a check digit")
	}
	if length := strings.TrimSpace(x.Response.Length); length != "" {
		return k.setDigits(length)
	}
	return nil
}

func (k *Key) setDigits(s string) *Error {
	digits, err := strconv.Atoi(s)
	if err != nil || digits < 1 || digits > 10 {
		return wrong(ErrMalformed, "the length of the codes is not a number that codes can have")
	}
	k.Digits = digits
	return nil
}

func (k *Key) setDates(start, expiry string) *Error {
	var err *Error
	if k.StartDate, err = parseDate(start); err == nil {
		k.ExpiryDate, err = parseDate(expiry)
	}
	return err
}

// parseDate reads an xs:dateTime. The RFC demands UTC and Z; a date without zone is taken for UTC.
func parseDate(s string) (time.Time, *Error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, wrong(ErrMalformed, "a start or expiry date that is no date")
}

// setMoving takes over counter or time: those that the algorithm has.
func (k *Key) setMoving(x *xmlData, p *protection) *Error {
	var err *Error
	if k.Algorithm == HOTP {
		if k.Counter, err = p.number(x.Counter, "counter"); err != nil {
			return err
		}
		if k.Counter < 0 {
			return wrong(ErrMalformed, "the counter is negative")
		}
		return nil
	}
	if k.TimeDrift, err = p.number(x.TimeDrift, "time drift"); err != nil {
		return err
	}
	if x.TimeInterval == nil {
		k.TimeInterval = DefaultTimeInterval
		return nil
	}
	seconds, err := p.number(x.TimeInterval, "time interval")
	if err != nil {
		return err
	}
	return k.setInterval(seconds)
}

func (k *Key) setInterval(seconds int64) *Error {
	if seconds < 1 || seconds > 24*60*60 {
		return wrong(ErrMalformed, "the time interval is not a number of seconds within a day")
	}
	k.TimeInterval = time.Duration(seconds) * time.Second
	return nil
}

// number is a value of RFC 6030's intDataType or longDataType: decimal in the plain, four or eight bytes in network
// order when encrypted. An absent value is zero.
func (p *protection) number(v *xmlValue, name string) (int64, *Error) {
	if v == nil {
		return 0, nil
	}
	if v.Encrypted == nil {
		if v.Plain == nil {
			return 0, wrong(ErrMalformed, "the %s has no value", name)
		}
		n, err := strconv.ParseInt(strings.TrimSpace(*v.Plain), 10, 64)
		if err != nil {
			return 0, wrong(ErrMalformed, "the %s is no number", name)
		}
		return n, nil
	}
	plain, err := p.decrypt(v.Encrypted, v.MAC, name)
	switch {
	case err != nil:
		return 0, err
	case len(plain) == 4:
		return int64(int32(binary.BigEndian.Uint32(plain))), nil
	case len(plain) == 8:
		return int64(binary.BigEndian.Uint64(plain)), nil
	default:
		return 0, wrong(ErrMalformed, "the encrypted %s has neither four nor eight bytes", name)
	}
}

func (k *Key) setSecret(x *xmlKey, p *protection) *Error {
	v := x.Data.Secret
	switch {
	case v == nil && x.Reference != nil:
		return wrong(ErrUnsupported, "the secret is named, not contained")
	case v == nil || v.Plain == nil && v.Encrypted == nil:
		return wrong(ErrMalformed, "there is no secret")
	case v.Plain != nil && v.Encrypted != nil:
		return wrong(ErrMalformed, "the secret stands there both plain and encrypted")
	case v.Plain != nil && (p.key != nil || p.mac != nil || v.MAC != nil || p.options.protected()):
		return wrong(ErrMAC, "the secret is not encrypted where it should be")
	}
	if v.Plain != nil {
		secret, err := decodeBase64(*v.Plain, "secret")
		if err != nil {
			return err
		}
		return k.takeSecret(secret)
	}
	secret, err := p.decrypt(v.Encrypted, v.MAC, "secret")
	if err != nil {
		return err
	}
	return k.takeSecret(secret)
}

func (k *Key) takeSecret(secret []byte) *Error {
	if len(secret) == 0 || len(secret) > maxSecret {
		return wrong(ErrMalformed, "the secret is empty, or longer than %d bytes", maxSecret)
	}
	k.Secret = secret
	return nil
}

// decodeBase64 reads an xs:base64Binary, in which white space may stand anywhere.
func decodeBase64(s, name string) ([]byte, *Error) {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return nil, wrong(ErrMalformed, "the %s is not base64", name)
	}
	return b, nil
}
