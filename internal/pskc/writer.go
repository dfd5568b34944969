package pskc

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// WriterOptions say how a container is protected.
type WriterOptions struct {
	// PreSharedKey encrypts the secrets with AES-CBC, authenticated by HMAC-SHA-256. It has 16, 24 or 32 bytes. None
	// leaves the secrets in the plain.
	PreSharedKey Secret
	// KeyName tells the receiver which key that is. Empty means "Pre-shared-key".
	KeyName string
}

// Writer writes keys into a container, one by one. The first error stays, and Close returns it too.
type Writer struct {
	w      *bufio.Writer
	o      WriterOptions
	block  cipher.Block // nil if plain
	macKey []byte
	opened bool
	closed bool
	err    error
}

// NewWriter makes a writer. Nothing is written before the first key or Close.
func NewWriter(w io.Writer, o WriterOptions) *Writer {
	x := &Writer{w: bufio.NewWriter(w), o: o}
	if len(o.PreSharedKey) > 0 {
		if x.block, x.err = aes.NewCipher(o.PreSharedKey); x.err != nil {
			x.err = wrong(ErrKey, "a pre-shared key has 16, 24 or 32 bytes, not %d", len(o.PreSharedKey))
			return x
		}
		x.macKey = make([]byte, sha256.Size)
		rand.Read(x.macKey) // never fails: it ends the program instead
	}
	return x
}

// Write adds a key. Its ID is its serial number where it has none, and its position does not count.
func (w *Writer) Write(k Key) error {
	if w.err == nil && w.closed {
		w.err = fmt.Errorf("pskc: a key after the end of the container")
	}
	if w.err != nil {
		return w.err
	}
	if k.Algorithm != HOTP && k.Algorithm != TOTP {
		return wrong(ErrUnsupported, "algorithm %q", k.Algorithm).of(k)
	}
	if len(k.Secret) == 0 || len(k.Secret) > maxSecret {
		return wrong(ErrMalformed, "the secret is empty, or longer than %d bytes", maxSecret).of(k)
	}
	w.open()
	w.raw("  <KeyPackage>\n")
	w.device(k)
	w.key(k)
	w.raw("  </KeyPackage>\n")
	return w.err
}

// Close ends the container. It does not close what it was written to.
func (w *Writer) Close() error {
	if w.err == nil && !w.closed {
		w.open()
		w.raw("</KeyContainer>\n")
		w.closed = true
		if err := w.w.Flush(); err != nil {
			w.err = err
		}
	}
	return w.err
}

func (w *Writer) open() {
	if w.opened {
		return
	}
	w.opened = true
	w.raw(xml.Header)
	w.raw(`<KeyContainer Version="1.0" xmlns="` + namespace + `"`)
	if w.block == nil {
		w.raw(">\n")
		return
	}
	w.raw("\n    xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:xenc=\"" + xmlenc + "\">\n")
	w.raw("  <EncryptionKey><ds:KeyName>" + escape(firstOf(w.o.KeyName, "Pre-shared-key")) + "</ds:KeyName></EncryptionKey>\n")
	w.raw("  <MACMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256\">\n")
	w.raw("    <MACKey>" + w.encrypted(w.seal(w.macKey)) + "</MACKey>\n")
	w.raw("  </MACMethod>\n")
}

func (w *Writer) device(k Key) {
	w.raw("    <DeviceInfo>\n")
	w.text("      ", "Manufacturer", k.Manufacturer)
	w.text("      ", "SerialNo", k.Serial)
	w.text("      ", "Model", k.Model)
	w.raw("    </DeviceInfo>\n")
}

func (w *Writer) key(k Key) {
	w.raw(`    <Key Id="` + escape(firstOf(k.ID, k.Serial)) + `" Algorithm="` + namespace + ":" + string(k.Algorithm) + "\">\n")
	w.text("      ", "Issuer", k.Issuer)
	w.raw("      <AlgorithmParameters>\n")
	if k.Hash != "" && k.Hash != SHA1 {
		w.text("        ", "Suite", "HMAC-"+string(k.Hash))
	}
	if k.Digits > 0 {
		w.raw(`        <ResponseFormat Length="` + strconv.Itoa(k.Digits) + "\" Encoding=\"DECIMAL\"/>\n")
	}
	w.raw("      </AlgorithmParameters>\n      <Data>\n")
	w.secret(k.Secret)
	if k.Algorithm == HOTP {
		w.number("Counter", k.Counter)
	} else {
		w.number("Time", 0)
		w.number("TimeInterval", int64(k.TimeInterval/time.Second))
		if k.TimeDrift != 0 {
			w.number("TimeDrift", k.TimeDrift)
		}
	}
	w.raw("      </Data>\n")
	w.text("      ", "UserId", k.UserID)
	if !k.StartDate.IsZero() || !k.ExpiryDate.IsZero() {
		w.raw("      <Policy>\n")
		w.date("StartDate", k.StartDate)
		w.date("ExpiryDate", k.ExpiryDate)
		w.raw("      </Policy>\n")
	}
	w.raw("    </Key>\n")
}

func (w *Writer) secret(s Secret) {
	w.raw("        <Secret>")
	if w.block == nil {
		w.raw("<PlainValue>" + base64.StdEncoding.EncodeToString(s) + "</PlainValue>")
	} else {
		sealed := w.seal(s)
		mac := hmac.New(sha256.New, w.macKey)
		mac.Write(sealed)
		w.raw("\n          <EncryptedValue>" + w.encrypted(sealed) + "</EncryptedValue>\n")
		w.raw("          <ValueMAC>" + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + "</ValueMAC>\n        ")
	}
	w.raw("</Secret>\n")
}

// seal encrypts with a random initialization vector, which stands before the ciphertext (XML Encryption 5.2).
func (w *Writer) seal(plain []byte) []byte {
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	out := make([]byte, aes.BlockSize+len(plain)+padding)
	iv, body := out[:aes.BlockSize], out[aes.BlockSize:]
	rand.Read(iv)
	copy(body, plain)
	for i := len(plain); i < len(body); i++ {
		body[i] = byte(padding)
	}
	cipher.NewCBCEncrypter(w.block, iv).CryptBlocks(body, body)
	return out
}

func (w *Writer) encrypted(sealed []byte) string {
	method := fmt.Sprintf("%saes%d-cbc", xmlenc, 8*len(w.o.PreSharedKey))
	return `<xenc:EncryptionMethod Algorithm="` + method + `"/><xenc:CipherData><xenc:CipherValue>` +
		base64.StdEncoding.EncodeToString(sealed) + `</xenc:CipherValue></xenc:CipherData>`
}

func (w *Writer) number(name string, n int64) {
	w.raw("        <" + name + "><PlainValue>" + strconv.FormatInt(n, 10) + "</PlainValue></" + name + ">\n")
}

func (w *Writer) date(name string, at time.Time) {
	if !at.IsZero() {
		w.text("        ", name, at.UTC().Format(time.RFC3339))
	}
}

// text writes an element of text, unless that is empty.
func (w *Writer) text(indent, name, text string) {
	if text != "" {
		w.raw(indent + "<" + name + ">" + escape(text) + "</" + name + ">\n")
	}
}

func (w *Writer) raw(s string) {
	if w.err == nil {
		_, w.err = w.w.WriteString(s)
	}
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder never fails
	return b.String()
}
