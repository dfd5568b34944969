package demodata

import (
	"crypto/hmac"
	"crypto/sha256"
	"io"

	"tokendesk/internal/otp"
	"tokendesk/internal/pskc"
)

// Manufacturer of the demo tokens.
const Manufacturer = "Demo Token Works"

// Parameters of the demo tokens.
var Parameters = otp.Parameters{Kind: otp.HOTP, Algorithm: otp.SHA1, Digits: 6}

// TokenMaker plays the manufacturer of the demo tokens. It derives every seed from its own secret and the serial, so that
// whoever plays a holder knows the codes of any token it ever made, whichever of them is shipped.
type TokenMaker string

func (m TokenMaker) derive(what string) []byte {
	h := hmac.New(sha256.New, []byte(m))
	h.Write([]byte(what))
	return h.Sum(nil)
}

// Seed of a token, 20 bytes.
func (m TokenMaker) Seed(serial string) []byte { return m.derive("seed of " + serial)[:20] }

// Code that a token shows at a counter.
func (m TokenMaker) Code(serial string, counter int64) string {
	return otp.Code(m.Seed(serial), Parameters, counter)
}

// FileKey is the pre-shared key under which the maker sends its seed files, 32 bytes (AES-256).
func (m TokenMaker) FileKey() []byte { return m.derive("key of seed files") }

// WriteFile writes the seed file of tokens of model TokenModel, encrypted under FileKey (RFC 6030).
func (m TokenMaker) WriteFile(w io.Writer, serials ...string) error {
	file := pskc.NewWriter(w, pskc.WriterOptions{PreSharedKey: m.FileKey(), KeyName: "Demo transport key"})
	for _, serial := range serials {
		err := file.Write(pskc.Key{Serial: serial, Manufacturer: Manufacturer, Model: TokenModel, Algorithm: pskc.HOTP,
			Digits: Parameters.Digits, Secret: m.Seed(serial)})
		if err != nil {
			return err
		}
	}
	return file.Close()
}
