package otp

import (
	"testing"
	"time"
)

// FuzzVerify throws any input at Verify and Resync: nothing panics, and what is accepted is the code of an unspent
// counter (LOG-3).
func FuzzVerify(f *testing.F) {
	f.Add([]byte(rfcDigits[:20]), true, 0, 6, int64(30), int64(0), int64(0), "755224", "287082", 10, 2, int64(0))
	f.Add([]byte(rfcDigits[:20]), false, 0, 8, int64(30), int64(0), int64(0), "94287082", "37359152", 10, 2, int64(59))
	f.Add([]byte{}, false, 2, 6, int64(-1), int64(-1), int64(1)<<62, "\xff9999/", "", -1, 1<<20, int64(-1)<<62)
	f.Fuzz(func(t *testing.T, seed []byte, counter bool, algorithm, digits int, period, next, drift int64,
		code, second string, ahead, skew int, at int64) {
		p := Parameters{Kind: TOTP, Digits: digits, Period: time.Duration(period) * time.Second}
		if counter {
			p.Kind = HOTP
		}
		p.Algorithm = []Algorithm{SHA1, SHA256, SHA512, "MD5"}[uint(algorithm)%4]
		w := Window{Ahead: ahead % 100, Skew: skew % 50}
		state := State{Next: next, Drift: drift}
		check := func(what, code string, got State, ok bool) {
			if !ok && got != state {
				t.Fatalf("%s: refused, but %+v became %+v", what, state, got)
			}
			if ok && (got.Next <= state.Next || got.Next <= 0 || Code(seed, p, got.Next-1) != code) {
				t.Fatalf("%s: %+v became %+v by %q", what, state, got, code)
			}
		}
		got, ok := Verify(seed, p, state, code, w, time.Unix(at, 0))
		check("verify", code, got, ok)
		got, ok = Resync(seed, p, state, code, second, w, time.Unix(at, 0))
		check("resync", second, got, ok)
	})
}
