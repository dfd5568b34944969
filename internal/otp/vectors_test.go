package otp

import (
	"encoding/base32"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	pquerna "github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const rfcDigits = "1234567890123456789012345678901234567890123456789012345678901234"

// rfcSeed is the seed of the RFCs' vectors: as many ASCII digits as the hash is long (RFC 6238 errata 2866).
func rfcSeed(a Algorithm) []byte {
	return []byte(rfcDigits[:map[Algorithm]int{SHA1: 20, SHA256: 32, SHA512: 64}[a]])
}

// REG-1: RFC 4226, appendix D.
func TestCodeRFC4226(t *testing.T) {
	p := Parameters{Kind: HOTP, Algorithm: SHA1, Digits: 6}
	for counter, want := range []string{
		"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
	} {
		if got := Code(rfcSeed(SHA1), p, int64(counter)); got != want {
			t.Errorf("counter %d: got %s, want %s", counter, got, want)
		}
	}
}

// REG-1: RFC 6238, appendix B.
func TestCodeRFC6238(t *testing.T) {
	for _, v := range []struct {
		seconds              int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	} {
		at := time.Unix(v.seconds, 0)
		for algorithm, want := range map[Algorithm]string{SHA1: v.sha1, SHA256: v.sha256, SHA512: v.sha512} {
			p := Parameters{Kind: TOTP, Algorithm: algorithm, Digits: 8, Period: 30 * time.Second}
			if got := Code(rfcSeed(algorithm), p, Step(p, at)); got != want {
				t.Errorf("%s at %d: got %s, want %s", algorithm, v.seconds, got, want)
			}
			if _, ok := Verify(rfcSeed(algorithm), p, State{}, want, loginWindow, at); !ok {
				t.Errorf("%s at %d: %s was refused", algorithm, v.seconds, want)
			}
		}
	}
}

// REG-1: an independent implementation makes the same codes.
func TestCodeAgainstPquerna(t *testing.T) {
	random := rand.New(rand.NewPCG(4226, 6238))
	theirs := map[Algorithm]pquerna.Algorithm{
		SHA1: pquerna.AlgorithmSHA1, SHA256: pquerna.AlgorithmSHA256, SHA512: pquerna.AlgorithmSHA512,
	}
	for range 500 {
		seed := make([]byte, 16+random.IntN(150)) // also longer than a hash block
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		for algorithm, their := range theirs {
			digits := 6 + 2*random.IntN(2)
			counter := random.Uint64() >> (1 + random.IntN(63))
			want, err := hotp.GenerateCodeCustom(base32.StdEncoding.EncodeToString(seed), counter,
				hotp.ValidateOpts{Digits: pquerna.Digits(digits), Algorithm: their})
			if err != nil {
				t.Fatal(err)
			}
			p := Parameters{Kind: HOTP, Algorithm: algorithm, Digits: digits}
			if got := Code(seed, p, int64(counter)); got != want {
				t.Fatalf("%s, %d digits, counter %d: got %s, pquerna says %s", algorithm, digits, counter, got, want)
			}
		}
	}
}

func TestStep(t *testing.T) {
	p := Parameters{Kind: TOTP, Algorithm: SHA1, Digits: 6, Period: 30 * time.Second}
	for _, c := range []struct{ seconds, want int64 }{
		{0, 0}, {29, 0}, {30, 1}, {59, 1}, {60, 2}, {-1, -1}, {-30, -1}, {-31, -2},
	} {
		if got := Step(p, time.Unix(c.seconds, 999)); got != c.want {
			t.Errorf("step at %d s: got %d, want %d", c.seconds, got, c.want)
		}
	}
	if got := Step(Parameters{Kind: HOTP}, time.Unix(100, 0)); got != 0 {
		t.Errorf("a counter has no steps: got %d", got)
	}
}

// REG-1: 6 or 8 digits, SHA-1/256/512.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Parameters
		want string // part of the error, or empty
	}{
		{"HOTP", Parameters{HOTP, SHA1, 6, 0}, ""},
		{"HOTP of 8 digits", Parameters{HOTP, SHA512, 8, 0}, ""},
		{"TOTP", Parameters{TOTP, SHA1, 6, 30 * time.Second}, ""},
		{"TOTP of a minute", Parameters{TOTP, SHA256, 8, time.Minute}, ""},
		{"seven digits", Parameters{HOTP, SHA1, 7, 0}, "7 digits"},
		{"no digits", Parameters{HOTP, SHA1, 0, 0}, "0 digits"},
		{"MD5", Parameters{HOTP, "MD5", 6, 0}, `"MD5"`},
		{"no period", Parameters{TOTP, SHA1, 6, 0}, "period"},
		{"half seconds", Parameters{TOTP, SHA1, 6, 1500 * time.Millisecond}, "period"},
		{"two hours", Parameters{TOTP, SHA1, 6, 2 * time.Hour}, "period"},
		{"OCRA", Parameters{"ocra", SHA1, 6, 0}, `"ocra"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.p.Validate()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
