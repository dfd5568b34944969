package pskc

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Values encrypted with OpenSSL (AES) and Python (HMAC, PBKDF2, GCM), not with this package: the seed of the RFC,
// the MAC key 40…53 and the counter 7, under the keys 00 01 02 … of each length; a0…af is the initialization vector.
var cbcVectors = []struct {
	bits                     int
	seed, macKey, counter    string
	mac                      map[string]string // over the seed
	counterMAC               map[string]string
	macUnderEncryptionKey    string // HMAC-SHA-256
	wrapped24, wrappedPadded string // the 24 bytes of seed24; the seed
}{
	{
		bits: 128,
		seed: "oKGio6SlpqeoqaqrrK2ur9uQb2pjzSt2waP8XXruA6vh2N1VdM8jtl7nTz6tgh1O", macKey: "oKGio6SlpqeoqaqrrK2ur96OjZYraQdLKjiUO601vFJjT+of2pIi7tbXE8UR0z4/",
		counter: "oKGio6SlpqeoqaqrrK2urzgtZchguUwUp+4t6feYPco=",
		mac:     map[string]string{"sha1": "Ph2I1EJYWX8a7jSC6VlGt2oU+D4=", "sha256": "API9w9Qpv8YWMWpoTjO7PcNeghKqtp7Q7v8X9yN1EUE=", "sha512": "bzjlM11NZzVDK/8vAyUxFKtM1BpaLkv9r9lBZyegYL7F609DPIdjl7lxfjUwK9YpuGpoRdy8GZrxqgNgmt9alQ=="},
		counterMAC: map[string]string{"sha1": "fbGP9Bq//h3yL7etzDMAuhVZdtY=", "sha256": "+632FFRVcj62BD58SRfFGI644TtLQQ2y3EX/ZqHyOu8=",
			"sha512": "dkGnUCLq43iilPbHANDoicXPnF+mh1WJYtNtl6vL8apWyOg2dQTG9qXWlJOVG8QXNbSSkQhr85dpW69GGBV77g=="},
		macUnderEncryptionKey: "QkOCqe++ljWktp+4rl2TidQ+gHOY9AH2f9PVSaoQV6A=",
		wrapped24:             "xXgjHUfzie3hwNJtmUYWoTfdh9H+5c6lDScBrP0RzvI=", wrappedPadded: "NVBt430dHkYU8R/ckxzqqoEL0uADnw/7k4xrS9RswSs=",
	},
	{
		bits: 192,
		seed: "oKGio6SlpqeoqaqrrK2ur4bX4e3fpzZKmRJABNmRl0aKwjpqVO0W0HTKaO3szhn7", macKey: "oKGio6SlpqeoqaqrrK2ur62x8bj7KbCb8W66+K+MtcJzRFgI+2lN05uGjLMwIpon",
		counter: "oKGio6SlpqeoqaqrrK2urx1eqDQlv5D3gSXd0SROmlA=",
		mac:     map[string]string{"sha1": "fEKtvbyW9v2AK/phuBnTjBN8EY0=", "sha256": "Sug5hJUh3U5+X2Wu8bt0D0SZMBp9+OrSAXZ6kJyH5H4=", "sha512": "qvZrL8QV2UC38T1UhujCt9yjEr3Jcn3NynAw07n8bNhe7AE3IluW+Uerzlav0zZ4jYTscmTSFNEVsvH2DgHVxg=="},
		counterMAC: map[string]string{"sha1": "RMsWNDv2mH3ekzd10wqUMS8eJBY=", "sha256": "X5XUyzq254zr04c+9o//FlLim9VNcTbrJiN7VGw5dnQ=",
			"sha512": "9iOYGpqEyVeo+zYmPz0/HhOajwkcT1h97W+dyseOPZwzC7YlSdwFam+agYuvst7efZ+pdD0wwy/pLeYXyKy9qA=="},
		macUnderEncryptionKey: "9Hi7JsD7ilxwxVuXzKoQgL6PZa0jnF4I1d/wtPOlc5g=",
		wrapped24:             "kHGr/OpGCJrNWqS8Lv68yhnuL10/yAtJOt2m79DN/CQ=", wrappedPadded: "AZmna22mZKsxbacpOiakL3BQCYFE07N8Tl8IJg2q4DE=",
	},
	{
		bits: 256,
		seed: "oKGio6SlpqeoqaqrrK2ur5E+C6WmwRF/yKAVS/ia9VNQ4z+NgClwnDmBdFDMtVe9", macKey: "oKGio6SlpqeoqaqrrK2ur/l9JjG1RnL54enlL1xRZIUvIS59DtL00Tc49ogYxyEW",
		counter: "oKGio6SlpqeoqaqrrK2ur0vK8LdLF9MK73MdBKkHaLA=",
		mac:     map[string]string{"sha1": "TIQkZJ28El7U34g3eqDhyj+J2qM=", "sha256": "6XcR2lRkk6T6e/MXG2flZvQKjdkoUqqykAI/upaAnhw=", "sha512": "Z93wbZkYeEzdSI3vlJlIoH2wYytAN9LtrAgGzkxYxNWRHfTVz7YEZGkEuyd4gEo32L+qJl51Vf3bWiOw/gKIKw=="},
		counterMAC: map[string]string{"sha1": "fYxa+Y2PlrCjEBtWjVSxU2QnKbY=", "sha256": "OajaZva1Gygre1+wadcB9j+diIbZfoYfwWu5okxGUWM=",
			"sha512": "KJy+cdzqFBDtV41hHSm/67sOZdlFX6YKOdzm23quILTtRJNwXPMU0276Vz3uMPLRpee0F2b8zkYrS8OJ+V/Utg=="},
		macUnderEncryptionKey: "FKejGefMe/VjI3Bk7Jkq34x+ympaS2yFTfiaCUSuw7c=",
		wrapped24:             "QuX4qdcQB2Q/e7I4aum48OOZ8sWpdaFwN6YSKLVcTjM=", wrappedPadded: "X3D7zxE1N/zMVnqeZpq20K3IoEfdU2O5z0XyD5IvssM=",
	},
}

const (
	seed24       = rfcSecret + "1234"                                                 // key wrap takes multiples of eight bytes
	seedISO10126 = "oKGio6SlpqeoqaqrrK2ur9uQb2pjzSt2waP8XXruA6ubst/yw2rwjOdBkifyOEWj" // 128 bits; arbitrary bytes as padding
	macISO10126  = "mJ0eANWqbls4sLJEEIUYeHTmDfo="
	seedGCM      = "oKGio6Slpqeoqaqrm7QLj0u/BDKzSIQydSaFVmTWGjjTl42BTupGoPULSCU0RLu9" // 128 bits

	// Under PBKDF2-HMAC-SHA-256 of "Käse&Brot", salt "saltsalt", 4096 iterations, 32 bytes.
	seedDerived   = "oKGio6SlpqeoqaqrrK2ur+nhuei55cBZmfm3aa1/zzhZopD1EZWtGVyK14scNldH"
	macKeyDerived = "oKGio6SlpqeoqaqrrK2ur4kON8trwcbVVEyXXnALuh6pfIqn7bB9SBMBZP7xQkxI"
	macDerived    = "2lwYgA0D6u0kt/hZQ7ur8PCjuhxyLjEwqyrS6jgU3gY="
)

func preSharedKey(bits int) Secret {
	key := make(Secret, bits/8)
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

// container puts a document around its parts. The name spaces are as in the RFC.
func container(parts ...string) *strings.Reader {
	return strings.NewReader(`<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc"` +
		` xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"` +
		` xmlns:xenc11="http://www.w3.org/2009/xmlenc11#" xmlns:v="urn:vendor">` + strings.Join(parts, "\n") + `</KeyContainer>`)
}

// keyPackage is a package of one key with 6 digits.
func keyPackage(serial, algorithm, data string) string {
	return fmt.Sprintf(`<KeyPackage><DeviceInfo><SerialNo>%s</SerialNo></DeviceInfo><Key Id="%[1]s" Algorithm="%s">`+
		`<AlgorithmParameters><ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters>`+
		`<Data>%s</Data></Key></KeyPackage>`, serial, algorithm, data)
}

func element(name, text string) string { return "<" + name + ">" + text + "</" + name + ">" }

func plainSecret(secret string) string { return element("Secret", element("PlainValue", secret)) }

const seedBase64 = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=" // of rfcSecret

func cipherData(method, value string) string {
	return `<xenc:EncryptionMethod Algorithm="` + method + `"/>` + element("xenc:CipherData", element("xenc:CipherValue", value))
}

func encryptedValue(name, method, value, mac string) string {
	inner := element("EncryptedValue", cipherData(method, value))
	if mac != "" {
		inner += element("ValueMAC", mac)
	}
	return element(name, inner)
}

const keyNamed = `<EncryptionKey><ds:KeyName>any</ds:KeyName></EncryptionKey>`

func macMethod(hash, key string) string {
	return `<MACMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-` + hash + `">` + key + `</MACMethod>`
}

// SHP-4: AES-CBC of all key sizes with every MAC, also of the counter.
func TestCBC(t *testing.T) {
	for _, v := range cbcVectors {
		for hash := range v.mac {
			t.Run(fmt.Sprint(v.bits, " ", hash), func(t *testing.T) {
				method := fmt.Sprintf("%saes%d-cbc", xmlenc, v.bits)
				document := container(keyNamed, macMethod(hash, element("MACKey", cipherData(method, v.macKey))),
					keyPackage("A1", "HOTP", encryptedValue("Secret", method, v.seed, v.mac[hash])+
						encryptedValue("Counter", method, v.counter, v.counterMAC[hash])))
				keys, errs := collect(document, Options{PreSharedKey: preSharedKey(v.bits)})
				if errs != nil || len(keys) != 1 || string(keys[0].Secret) != rfcSecret || keys[0].Counter != 7 {
					t.Errorf("got %+v, %v", keys, errs)
				}
			})
		}
	}
}

// SHP-4: other protections that open.
func TestProtections(t *testing.T) {
	const cbc128 = xmlenc + "aes128-cbc"
	v := cbcVectors[0]
	macKey := element("MACKey", cipherData(cbc128, v.macKey))
	type protectedCase struct {
		name, head, secret string
		o                  Options
		want               string
	}
	cases := []protectedCase{
		{"the encryption key authenticates", keyNamed + macMethod("sha256", ""),
			encryptedValue("Secret", cbc128, v.seed, v.macUnderEncryptionKey), Options{PreSharedKey: preSharedKey(128)}, rfcSecret},
		{"no EncryptionKey element", macMethod("sha1", macKey),
			encryptedValue("Secret", cbc128, v.seed, v.mac["sha1"]), Options{PreSharedKey: preSharedKey(128)}, rfcSecret},
		{"arbitrary padding", keyNamed + macMethod("sha1", macKey),
			encryptedValue("Secret", cbc128, seedISO10126, macISO10126), Options{PreSharedKey: preSharedKey(128)}, rfcSecret},
		{"GCM", keyNamed, encryptedValue("Secret", xmlenc11+"aes128-gcm", seedGCM, ""), Options{PreSharedKey: preSharedKey(128)}, rfcSecret},
		{"PBKDF2 with HMAC-SHA-256, all of XML Encryption 1.1", derivation(pbkdf2XMLEnc, "c2FsdHNhbHQ=", "4096", "32", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256") +
			macMethod("sha256", element("MACKey", cipherData(xmlenc+"aes256-cbc", macKeyDerived))),
			encryptedValue("Secret", xmlenc+"aes256-cbc", seedDerived, macDerived), Options{Passphrase: Secret("Käse&Brot")}, rfcSecret},
		{"PBKDF2 without a key length", derivation(pbkdf2PKCS5, "c2FsdHNhbHQ=", " 4096 ", "", "hmac-sha256") +
			macMethod("sha256", element("MACKey", cipherData(xmlenc+"aes256-cbc", macKeyDerived))),
			encryptedValue("Secret", xmlenc+"aes256-cbc", seedDerived, macDerived), Options{Passphrase: Secret("Käse&Brot")}, rfcSecret},
	}
	for _, v := range cbcVectors {
		o := Options{PreSharedKey: preSharedKey(v.bits)}
		cases = append(cases,
			protectedCase{fmt.Sprint("key wrap ", v.bits), keyNamed, encryptedValue("Secret", fmt.Sprintf("%skw-aes%d", xmlenc, v.bits), v.wrapped24, ""), o, seed24},
			protectedCase{fmt.Sprint("padded key wrap ", v.bits), keyNamed, encryptedValue("Secret", fmt.Sprintf("%skw-aes-%d-pad", xmlenc11, v.bits), v.wrappedPadded, ""), o, rfcSecret},
		)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			keys, errs := collect(container(c.head, keyPackage("A1", "HOTP", c.secret)), c.o)
			if errs != nil || len(keys) != 1 || string(keys[0].Secret) != c.want {
				t.Errorf("got %+v, %v", keys, errs)
			}
		})
	}
}

func derivation(algorithm, salt, iterations, length, prf string) string {
	if length != "" {
		length = element("KeyLength", length)
	}
	return element("EncryptionKey", element("xenc11:DerivedKey", `<xenc11:KeyDerivationMethod Algorithm="`+algorithm+`">`+
		element("xenc11:PBKDF2-params", element("xenc11:Salt", element("xenc11:Specified", salt))+
			element("IterationCount", iterations)+length+`<PRF Algorithm="`+prf+`"/>`)+`</xenc11:KeyDerivationMethod>`))
}

// SHP-4: a bad MAC or key, and what is not supported, each told apart.
func TestProtectionsRefused(t *testing.T) {
	const cbc = xmlenc + "aes128-cbc"
	v := cbcVectors[0]
	good := Options{PreSharedKey: preSharedKey(128)}
	pass := Options{Passphrase: Secret("Käse&Brot")}
	mac := macMethod("sha1", element("MACKey", cipherData(cbc, v.macKey)))
	secret := encryptedValue("Secret", cbc, v.seed, v.mac["sha1"])
	const sha256URI = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
	for _, c := range []struct {
		name, head, secret string
		o                  Options
		kind               error
		says               string
		fatal              bool
	}{
		{"altered ciphertext", mac, encryptedValue("Secret", cbc, "oKGio6SlpqeoqaqrrK2ur9uQb2pjzSt2waP8XXruA6vh2N1VdM8jtl7nTz6tgh1P", v.mac["sha1"]), good, ErrMAC, "altered", false},
		{"altered vector", mac, encryptedValue("Secret", cbc, "0"+v.seed[1:], v.mac["sha1"]), good, ErrMAC, "altered", false},
		{"altered MAC", mac, encryptedValue("Secret", cbc, v.seed, "Ph2I1EJYWX8a7jSC6VlGt2oU+D8="), good, ErrMAC, "altered", false},
		{"shortened MAC", mac, encryptedValue("Secret", cbc, v.seed, "Ph2I1A=="), good, ErrMAC, "altered", false},
		{"empty MAC", mac, element("Secret", element("EncryptedValue", cipherData(cbc, v.seed))+"<ValueMAC/>"), good, ErrMAC, "altered", false},
		{"no MAC", mac, encryptedValue("Secret", cbc, v.seed, ""), good, ErrMAC, "no MAC", false},
		{"MAC of the wrong kind", macMethod("sha256", element("MACKey", cipherData(cbc, v.macKey))), secret, good, ErrMAC, "altered", false},
		{"no MAC method", keyNamed, secret, good, ErrMAC, "no MAC method", true},
		{"MAC not base64", mac, encryptedValue("Secret", cbc, v.seed, "%"), good, ErrMalformed, "base64", false},
		{"unknown MAC method", macMethod("md5", ""), secret, good, ErrUnsupported, "MAC method", true},
		{"MAC key by reference", macMethod("sha1", element("MACKeyReference", "k1")), secret, good, ErrUnsupported, "named", true},
		{"MAC key not base64", macMethod("sha1", element("MACKey", cipherData(cbc, "%"))), secret, good, ErrMalformed, "MAC key", true},
		{"MAC key by 3DES", macMethod("sha1", element("MACKey", cipherData(xmlenc+"tripledes-cbc", v.macKey))), secret, good, ErrUnsupported, "MAC key", true},
		{"MAC key of another size", macMethod("sha1", element("MACKey", cipherData(xmlenc+"aes256-cbc", v.macKey))), secret, good, ErrKey, "demands 32", true},
		{"plain secret in an encrypted container", mac, plainSecret(seedBase64), Options{}, ErrMAC, "not encrypted", false},
		{"plain secret with a MAC", "", element("Secret", element("PlainValue", seedBase64)+element("ValueMAC", "AAAA")), Options{}, ErrMAC, "not encrypted", false},
		{"both plain and encrypted", mac, element("Secret", element("PlainValue", seedBase64)+element("EncryptedValue", cipherData(cbc, v.seed))), good, ErrMalformed, "both", false},
		{"3DES", mac, encryptedValue("Secret", xmlenc+"tripledes-cbc", v.seed, v.mac["sha1"]), good, ErrUnsupported, "not AES", false},
		{"no method", mac, element("Secret", element("EncryptedValue", element("xenc:CipherData", element("xenc:CipherValue", v.seed)))), good, ErrMalformed, "no encryption method", false},
		{"no ciphertext", mac, encryptedValue("Secret", cbc, "", v.mac["sha1"]), good, ErrMAC, "altered", false},
		{"half a block wrapped", keyNamed, encryptedValue("Secret", xmlenc+"kw-aes128", "AAAA", ""), good, ErrMAC, "altered", false},
		{"wrapped under another key", keyNamed, encryptedValue("Secret", xmlenc+"kw-aes128", v.wrapped24, ""), Options{PreSharedKey: make(Secret, 16)}, ErrMAC, "altered", false},
		{"padded key taken for unpadded", keyNamed, encryptedValue("Secret", xmlenc+"kw-aes128", v.wrappedPadded, ""), good, ErrMAC, "altered", false},
		{"wrapped, with a wrong MAC", mac, encryptedValue("Secret", xmlenc+"kw-aes128", v.wrapped24, v.mac["sha1"]), good, ErrMAC, "altered", false},
		{"altered GCM", keyNamed, encryptedValue("Secret", xmlenc11+"aes128-gcm", "0"+seedGCM[1:], ""), good, ErrMAC, "altered", false},
		{"short GCM", keyNamed, encryptedValue("Secret", xmlenc11+"aes128-gcm", "AAAA", ""), good, ErrMAC, "altered", false},
		{"certificate", `<EncryptionKey><ds:X509Data/></EncryptionKey>` + mac, secret, good, ErrUnsupported, "asymmetric", true},
		{"carried key", `<EncryptionKey><xenc:EncryptedKey/></EncryptionKey>` + mac, secret, good, ErrUnsupported, "carried", true},
		{"other derivation", derivation(xmlenc11+"ConcatKDF", "c2FsdHNhbHQ=", "4096", "16", sha256URI) + mac, secret, pass, ErrUnsupported, "PBKDF2", true},
		{"derivation without parameters", `<EncryptionKey><xenc11:DerivedKey><xenc11:KeyDerivationMethod Algorithm="` + pbkdf2PKCS5 + `"/></xenc11:DerivedKey></EncryptionKey>` + mac, secret, pass, ErrMalformed, "parameters", true},
		{"no salt", derivation(pbkdf2PKCS5, "", "4096", "16", sha256URI) + mac, secret, pass, ErrMalformed, "salt", true},
		{"salt not base64", derivation(pbkdf2PKCS5, "%", "4096", "16", sha256URI) + mac, secret, pass, ErrMalformed, "salt", true},
		{"no iterations", derivation(pbkdf2PKCS5, "c2FsdHNhbHQ=", "0", "16", sha256URI) + mac, secret, pass, ErrMalformed, "iteration", true},
		{"endless iterations", derivation(pbkdf2PKCS5, "c2FsdHNhbHQ=", "2147483647", "16", sha256URI) + mac, secret, pass, ErrTooLarge, "iterations", true},
		{"other length", derivation(pbkdf2PKCS5, "c2FsdHNhbHQ=", "4096", "1073741824", sha256URI) + mac, secret, pass, ErrMalformed, "length", true},
		{"other function", derivation(pbkdf2PKCS5, "c2FsdHNhbHQ=", "4096", "16", "#hmac-md5") + mac, secret, pass, ErrUnsupported, "HMAC", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, errs := collect(container(c.head, keyPackage("A1", "HOTP", c.secret)), c.o)
			checkError(t, keys, errs, c.kind, c.says, c.fatal)
		})
	}
}

// SHP-4: one bad MAC does not hide the other keys from the report.
func TestBadMACAmongGood(t *testing.T) {
	const cbc = xmlenc + "aes128-cbc"
	v := cbcVectors[0]
	good := encryptedValue("Secret", cbc, v.seed, v.mac["sha1"])
	bad := encryptedValue("Secret", cbc, v.seed, v.mac["sha256"])
	keys, errs := collect(container(macMethod("sha1", element("MACKey", cipherData(cbc, v.macKey))),
		keyPackage("A1", "HOTP", good), keyPackage("A2", "HOTP", bad), keyPackage("A3", "HOTP", good)),
		Options{PreSharedKey: preSharedKey(128)})
	if len(keys) != 2 || keys[0].Serial != "A1" || keys[1].Serial != "A3" || keys[1].Position != 3 {
		t.Errorf("got %+v", keys)
	}
	checkError(t, nil, errs, ErrMAC, `key 2 (serial "A2")`, false)
}

// SHP-4: RFC 3394 section 4 and RFC 5649 section 6.
func TestKeyWrapVectors(t *testing.T) {
	key := "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	data := "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"
	for _, c := range []struct {
		name             string
		open             func(key, ciphertext []byte) ([]byte, bool)
		key, cipher, out string
	}{
		{"RFC 3394 4.1", unwrap, key[:32], "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5", data[:32]},
		{"RFC 3394 4.2", unwrap, key[:48], "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d", data[:32]},
		{"RFC 3394 4.3", unwrap, key, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7", data[:32]},
		{"RFC 3394 4.4", unwrap, key[:48], "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2", data[:48]},
		{"RFC 3394 4.5", unwrap, key, "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1", data[:48]},
		{"RFC 3394 4.6", unwrap, key, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21", data},
		{"RFC 5649 6, 20 bytes", unwrapPadded, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
			"138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a", "c37b7e6492584340bed12207808941155068f738"},
		{"RFC 5649 6, 7 bytes", unwrapPadded, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
			"afbeb0f07dfbf5419200f2ccb50bb24f", "466f7250617369"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ciphertext := unhex(t, c.cipher)
			got, ok := c.open(unhex(t, c.key), ciphertext)
			if !ok || !bytes.Equal(got, unhex(t, c.out)) {
				t.Errorf("got %x, %v", got, ok)
			}
			for i := range ciphertext {
				ciphertext[i] ^= 0x10
				if got, ok := c.open(unhex(t, c.key), ciphertext); ok {
					t.Errorf("altered in byte %d it opens to %x", i, got)
				}
				ciphertext[i] ^= 0x10
			}
		})
	}
}
