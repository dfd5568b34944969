// Package webhook signs and verifies the messages that gateways push to us.
//
// The scheme is the one that Stripe documents and others copied: the header reads
// "t=<unix seconds>,v1=<hex>[,v1=<hex>…]", and each v1 is HMAC-SHA256 over "<t>.<body>" under one shared secret.
// The timestamp is under the signature, so an old message cannot be made young again.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"tokendesk/models"
)

// Tolerance is how far the signed timestamp may lie from the receiver's now, on either side.
const Tolerance = 5 * time.Minute

// maxSignatures bounds the work that one header can cause.
const maxSignatures = 8

// Sign makes the header for a body sent at a moment. With several secrets, as during a rotation, it carries one
// signature for each, so that receivers on either secret accept it.
func Sign(secrets []models.Secret, body []byte, at time.Time) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	var header strings.Builder
	header.WriteString("t=" + stamp)
	for _, secret := range secrets {
		header.WriteString(",v1=" + hex.EncodeToString(mac(secret, stamp, body)))
	}
	return header.String()
}

// Verify accepts a body whose header holds at least one signature under at least one of the secrets, and whose
// timestamp lies within tolerance of at. Everything else is a models.SignatureWrong fault. Signatures are compared
// in constant time, and all of them, whichever fits.
//
// A message can still be repeated inside the tolerance: receivers remember event ids (SHP-2).
func Verify(secrets []models.Secret, header string, body []byte, at time.Time, tolerance time.Duration) error {
	stamp, signatures, ok := parse(header)
	if !ok {
		return models.SignatureWrong.New("the signature header is malformed")
	}
	fits := false
	for _, secret := range secrets {
		if secret == "" { // an unset secret must not verify what anyone could sign
			continue
		}
		want := mac(secret, stamp, body)
		for _, got := range signatures {
			fits = hmac.Equal(got, want) || fits
		}
	}
	if !fits {
		return models.SignatureWrong.New("no signature fits the body")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return models.SignatureWrong.New("the signature header is malformed")
	}
	if age := at.Sub(time.Unix(seconds, 0)).Abs(); age > tolerance {
		return models.SignatureWrong.New("the message is too old or from the future")
	}
	return nil
}

func mac(secret models.Secret, stamp string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret.Reveal()))
	h.Write([]byte(stamp))
	h.Write([]byte("."))
	h.Write(body)
	return h.Sum(nil)
}

// parse reads the header. Schemes other than v1 are skipped, as the scheme demands; a second timestamp is refused.
func parse(header string) (stamp string, signatures [][]byte, ok bool) {
	if len(header) > 2048 {
		return "", nil, false
	}
	for part := range strings.SplitSeq(header, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		if !found {
			return "", nil, false
		}
		switch name {
		case "t":
			if stamp != "" || value == "" {
				return "", nil, false
			}
			stamp = value
		case "v1":
			signature, err := hex.DecodeString(value)
			if err != nil || len(signature) != sha256.Size || len(signatures) == maxSignatures {
				return "", nil, false
			}
			signatures = append(signatures, signature)
		}
	}
	return stamp, signatures, stamp != "" && len(signatures) > 0
}
