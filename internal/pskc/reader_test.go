package pskc

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// SHP-4: what a file may say of a key, in the forms that occur.
func TestReadFields(t *testing.T) {
	base := Key{Position: 1, ID: "A1", Serial: "A1", Algorithm: HOTP, Hash: SHA1, Digits: 6, Secret: Secret(rfcSecret)}
	with := func(change func(k *Key)) Key {
		k := base
		change(&k)
		return k
	}
	totp := func(k *Key) { k.Algorithm, k.TimeInterval = TOTP, DefaultTimeInterval }
	document := func(replacements ...string) string {
		return strings.NewReplacer(replacements...).Replace(keyPackage("A1", "HOTP", plainSecret(seedBase64)))
	}
	const format = `<ResponseFormat Length="6" Encoding="DECIMAL"/>`
	data := func(s string) string { return document("<Data>", "<Data>"+s) }
	for _, c := range []struct {
		name, document string
		want           Key
	}{
		{"URN of HOTP", document(`"HOTP"`, `"urn:ietf:params:xml:ns:keyprov:pskc:hotp"`), base},
		{"URN of TOTP", document(`"HOTP"`, `"urn:ietf:params:xml:ns:keyprov:pskc:totp"`), with(totp)},
		{"URN of a draft", document(`"HOTP"`, `"urn:ietf:params:xml:ns:keyprov:pskc#totp"`), with(totp)},
		{"another draft", document(`"HOTP"`, `"http://www.ietf.org/keyprov/pskc#hotp"`), base},
		{"short name", document(`"HOTP"`, `"TOTP"`), with(totp)},
		{"lower case", document(`"HOTP"`, `" totp "`), with(totp)},
		{"OATH-HOTP", document(`"HOTP"`, `"OATH-HOTP"`), base},
		{"hash in the name", document(`"HOTP"`, `"TOTP-SHA256"`), with(func(k *Key) { totp(k); k.Hash = SHA256 })},
		{"underscores", document(`"HOTP"`, `"OATH_TOTP_SHA512"`), with(func(k *Key) { totp(k); k.Hash = SHA512 })},
		{"suite", document(format, "<Suite>HMAC-SHA256</Suite>"+format), with(func(k *Key) { k.Hash = SHA256 })},
		{"suite in other words", document(format, "<Suite> SHA-512 </Suite>"+format), with(func(k *Key) { k.Hash = SHA512 })},
		{"suite by URI", document(format, "<Suite>http://www.w3.org/2001/04/xmldsig-more#hmac-sha256</Suite>"+format), with(func(k *Key) { k.Hash = SHA256 })},
		{"suite twice", document(`"HOTP"`, `"HOTP-SHA256"`, format, "<Suite>HMAC-SHA256</Suite>"+format), with(func(k *Key) { k.Hash = SHA256 })},
		{"eight digits", document(`"6"`, `"8"`), with(func(k *Key) { k.Digits = 8 })},
		{"no format", document(format, ""), with(func(k *Key) { k.Digits = 0 })},
		{"counter", data("<Counter><PlainValue> 12345678901 </PlainValue></Counter>"), with(func(k *Key) { k.Counter = 12345678901 })},
		{"TOTP has no counter", document(`"HOTP"`, `"TOTP"`, "<Data>", "<Data><Counter><PlainValue>x</PlainValue></Counter>"), with(totp)},
		{"TOTP", document(`"HOTP"`, `"TOTP"`, "<Data>", "<Data><Time><PlainValue>0</PlainValue></Time><TimeInterval><PlainValue>60</PlainValue></TimeInterval><TimeDrift><PlainValue>-4</PlainValue></TimeDrift>"),
			with(func(k *Key) { k.Algorithm, k.TimeInterval, k.TimeDrift = TOTP, time.Minute, -4 })},
		{"device", document("<SerialNo>", "<Manufacturer>M &amp; Co</Manufacturer><SerialNo>", "</SerialNo>", "</SerialNo><Model> X-1 </Model><UserId>u1</UserId><ExpiryDate>2031-01-02T03:04:05+01:00</ExpiryDate>"),
			with(func(k *Key) {
				k.Manufacturer, k.Model, k.UserID = "M & Co", "X-1", "u1"
				k.ExpiryDate = time.Date(2031, 1, 2, 2, 4, 5, 0, time.UTC)
			})},
		{"the key goes before the device", document("</SerialNo>", "</SerialNo><UserId>u1</UserId><ExpiryDate>2031-01-02</ExpiryDate>", "</Data>", "</Data><UserId>u2</UserId><Policy><StartDate>2026-01-01T00:00:00</StartDate><ExpiryDate>2030-01-01T00:00:00Z</ExpiryDate></Policy>"),
			with(func(k *Key) {
				k.UserID = "u2"
				k.StartDate = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				k.ExpiryDate = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
			})},
		{"PIN policy", document("</Data>", `</Data><Policy><PINPolicy PINKeyId="p" MaxFailedAttempts="8" PINUsageMode="Local"/><KeyUsage>OTP</KeyUsage><v:Else/></Policy>`), base},
		{"extensions everywhere", "<v:Key/><Extensions><v:Key Algorithm='x'/></Extensions>" + document("</DeviceInfo>", "<v:SerialNo>B2</v:SerialNo></DeviceInfo><Extensions><v:Key/></Extensions>",
			"<Data>", "<Data><v:Counter><PlainValue>9</PlainValue></v:Counter><v:Secret><PlainValue>AAAA</PlainValue></v:Secret>",
			"</Data>", "<v:Secret/></Data><Extensions><v:Data><Secret/></v:Data></Extensions>", format, format+"<Extensions><v:x/></Extensions>"), base},
		{"broken base64 lines", document(seedBase64, "MTIzNDU2Nzg5\r\n\t MDEyMzQ1 Njc4OTA=\n"), base},
		{"CDATA and comments", document(seedBase64, "<![CDATA[MTIzNDU2Nzg5]]><!-- - -->MDEyMzQ1Njc4OTA="), base},
		{"character references", document("MTIz", "&#77;&#x54;Iz"), base},
		{"a package without a key", "<KeyPackage><DeviceInfo/></KeyPackage><KeyPackage/>" + document(), base},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, errs := collect(container(c.document), Options{})
			if errs != nil || !reflect.DeepEqual(keys, []Key{c.want}) {
				t.Errorf("got  %+v, %v\nwant %+v", keys, errs, c.want)
			}
		})
	}
}

// SHP-4: keys that are refused, each with its place and reason.
func TestReadRefusesKeys(t *testing.T) {
	document := func(replacements ...string) string {
		return strings.NewReplacer(replacements...).Replace(keyPackage("A1", "HOTP", plainSecret(seedBase64)))
	}
	data := func(s string) string { return document("<Data>", "<Data>"+s) }
	for _, c := range []struct {
		name, document string
		kind           error
		says           string
	}{
		{"HOTP-OCRA", document(`"HOTP"`, `"HOTP-OCRA"`), ErrUnsupported, "OCRA"},
		{"URN of OCRA", document(`"HOTP"`, `"urn:ietf:params:xml:ns:keyprov:pskc:OCRA-1"`), ErrUnsupported, "OCRA"},
		{"SecurID", document(`"HOTP"`, `"urn:ietf:params:xml:ns:keyprov:pskc:securid-aes-counter"`), ErrUnsupported, "neither HOTP nor TOTP"},
		{"no algorithm", document(` Algorithm="HOTP"`, ""), ErrUnsupported, "no algorithm"},
		{"MD5", document(`"HOTP"`, `"HOTP-MD5"`), ErrUnsupported, "suite"},
		{"suite against name", document(`"HOTP"`, `"HOTP-SHA1"`, "<ResponseFormat", "<Suite>HMAC-SHA256</Suite><ResponseFormat"), ErrMalformed, "different hash"},
		{"hexadecimal codes", document("DECIMAL", "HEXADECIMAL"), ErrUnsupported, "decimal"},
		{"check digits", document(`"6"`, `"6" CheckDigits="true"`), ErrUnsupported, "check digit"},
		{"digits of letters", document(`"6"`, `"six"`), ErrMalformed, "length"},
		{"too many digits", document(`"6"`, `"99999999999999999999"`), ErrMalformed, "length"},
		{"counter of letters", data("<Counter><PlainValue>x</PlainValue></Counter>"), ErrMalformed, "counter"},
		{"negative counter", data("<Counter><PlainValue>-1</PlainValue></Counter>"), ErrMalformed, "negative"},
		{"counter out of range", data("<Counter><PlainValue>9223372036854775808</PlainValue></Counter>"), ErrMalformed, "counter"},
		{"empty counter", data("<Counter/>"), ErrMalformed, "counter"},
		{"no time", document(`"HOTP"`, `"TOTP"`, "<Data>", "<Data><TimeInterval><PlainValue>0</PlainValue></TimeInterval>"), ErrMalformed, "interval"},
		{"half a minute", document(`"HOTP"`, `"TOTP"`, "<Data>", "<Data><TimeInterval><PlainValue>0.5</PlainValue></TimeInterval>"), ErrMalformed, "interval"},
		{"drift of letters", document(`"HOTP"`, `"TOTP"`, "<Data>", "<Data><TimeDrift><PlainValue>x</PlainValue></TimeDrift>"), ErrMalformed, "drift"},
		{"no date", document("</Data>", "</Data><Policy><StartDate>tomorrow</StartDate></Policy>"), ErrMalformed, "date"},
		{"no expiry", document("</Data>", "</Data><Policy><ExpiryDate>never</ExpiryDate></Policy>"), ErrMalformed, "date"},
		{"no secret", keyPackage("A1", "HOTP", ""), ErrMalformed, "no secret"},
		{"secret without value", keyPackage("A1", "HOTP", "<Secret/>"), ErrMalformed, "no secret"},
		{"empty secret", document(seedBase64, " "), ErrMalformed, "empty"},
		{"endless secret", document(seedBase64, strings.Repeat("AAAA", 1000)), ErrMalformed, "longer"},
		{"secret not base64", document(seedBase64, "MTIzNDU2Nzg5*"), ErrMalformed, "base64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, errs := collect(container(c.document), Options{})
			checkError(t, keys, errs, c.kind, c.says, false)
			if !strings.Contains(errs[0].Error(), `key 1 (serial "A1")`) {
				t.Errorf("the key is not named: %v", errs[0])
			}
		})
	}
}

// SHP-4: files that are no containers, or not whole.
func TestReadRefusesFiles(t *testing.T) {
	whole := keyPackage("A1", "HOTP", plainSecret(seedBase64))
	const open, end = `<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">`, `</KeyContainer>`
	for _, c := range []struct {
		name, document string
		keys           int
		kind           error
		says           string
	}{
		{"empty", "", 0, ErrMalformed, "no key container"},
		{"text", "serial,seed\n", 0, ErrMalformed, "text outside"},
		{"HTML", "<html/>", 0, ErrMalformed, "not a key container"},
		{"a draft", `<KeyContainer xmlns="urn:ietf:params:xml:ns:keyprov:pskc:1.0"/>`, 0, ErrUnsupported, "name space"},
		{"no name space", `<KeyContainer/>`, 0, ErrUnsupported, "name space"},
		{"version 2", strings.Replace(open, "1.0", "2.0", 1) + end, 0, ErrUnsupported, "version"},
		{"cut off", open + whole, 1, ErrMalformed, "well-formed"},
		{"cut off within a key", open + whole + whole[:len(whole)-30], 1, ErrMalformed, "well-formed"},
		{"crossed tags", open + "<KeyPackage><Key></KeyPackage></Key>" + end, 0, ErrMalformed, "well-formed"},
		{"two containers", open + end + open + end, 0, ErrMalformed, "follows"},
		{"text behind", open + end + "x", 0, ErrMalformed, "text outside"},
		{"another encoding", `<?xml version="1.0" encoding="EBCDIC"?>` + open + end, 0, ErrMalformed, "UTF-8"},
		{"not UTF-8", open + "\xff" + end, 0, ErrMalformed, "UTF-8"},
		{"two encryption keys", open + "<EncryptionKey/><EncryptionKey/>" + end, 0, ErrMalformed, "encryption key"},
		{"encryption key behind a key", open + whole + "<EncryptionKey/>" + end, 1, ErrMalformed, "encryption key"},
		{"MAC method behind a key", open + whole + "<MACMethod/>" + end, 1, ErrMalformed, "MAC method"},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, errs := collect(strings.NewReader(c.document), Options{})
			if len(keys) != c.keys {
				t.Errorf("got %d keys", len(keys))
			}
			checkError(t, nil, errs, c.kind, c.says, true)
		})
	}
}

// SHP-4: a byte order mark, comments and instructions around the container are nothing.
func TestReadTolerates(t *testing.T) {
	keys, errs := collect(io.MultiReader(strings.NewReader("\ufeff<?xml version='1.0' encoding='utf-8'?>\n<!-- x --><?y?>\n"),
		container(keyPackage("A1", "HOTP", plainSecret(seedBase64))), strings.NewReader("\n<!-- end -->\n")), Options{})
	if errs != nil || len(keys) != 1 {
		t.Errorf("got %v, %v", keys, errs)
	}
	if keys, errs := collect(container(), Options{}); keys != nil || errs != nil {
		t.Errorf("an empty container: %v, %v", keys, errs)
	}
}

// SHP-4: what the source of a file says is passed on, and ends the reading.
func TestReadSourceFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	source := func() io.Reader {
		return io.MultiReader(strings.NewReader(`<KeyContainer xmlns="urn:ietf:params:xml:ns:keyprov:pskc"><KeyPackage>`), iotest.ErrReader(broken))
	}
	if _, errs := collect(source(), Options{}); len(errs) != 1 || !errors.Is(errs[0], broken) {
		t.Errorf("got %v", errs)
	}
	r := NewReader(source(), Options{})
	for range 3 {
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
}

// SHP-4: a caller may stop, and Next says io.EOF for ever.
func TestReadStops(t *testing.T) {
	document := container(keyPackage("A1", "HOTP", plainSecret(seedBase64)), keyPackage("A2", "HOTP", plainSecret(seedBase64)))
	for key, err := range Read(document, Options{}) {
		if err != nil || key.Serial != "A1" {
			t.Errorf("got %+v, %v", key, err)
		}
		break
	}
	r := NewReader(container(), Options{})
	for range 3 {
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("got %v", err)
		}
	}
}

// SHP-4: no error carries a value of the file, whichever byte of a file is damaged.
func TestErrorsCarryNoSecrets(t *testing.T) {
	b, err := io.ReadAll(figure(t, "3"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		for _, damage := range []byte{'<', '&', '"', 0} {
			document := strings.NewReader(string(b[:i]) + string(damage) + string(b[i+1:]))
			_, errs := collect(document, Options{})
			for _, err := range errs {
				for _, leak := range []string{"MTIz", "NDU2", "Nzg5", "MDEy", "MzQ1", "Njc4", "OTA="} {
					if strings.Contains(err.Error(), leak) {
						t.Fatalf("byte %d as %q: %v", i, damage, err)
					}
				}
			}
		}
	}
}

func TestSecretIsRedacted(t *testing.T) {
	key := Key{Secret: Secret("geheim")}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "secret", key.Secret, "key", key)
	asJSON, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	asXML, err := xml.Marshal(key.Secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		log.String(), string(asJSON), string(asXML), fmt.Sprint(key), fmt.Sprintf("%+v %#v", key, key),
		fmt.Sprintf("%s %q %x %X %d %v", key.Secret, key.Secret, key.Secret, key.Secret, key.Secret, &key.Secret),
	} {
		for _, leak := range []string{"geheim", "67656865", "Z2VoZWlt", "103 101", "0x67"} {
			if strings.Contains(s, leak) {
				t.Errorf("%q in %s", leak, s)
			}
		}
		if !strings.Contains(s, redacted) {
			t.Errorf("no placeholder in %s", s)
		}
	}
}
