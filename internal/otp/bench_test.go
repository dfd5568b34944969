package otp

import "testing"

// The cost of a login: the window of the default policy, for each hash.
func BenchmarkVerify(b *testing.B) {
	for _, p := range []Parameters{button, clock} {
		for _, algorithm := range []Algorithm{SHA1, SHA256, SHA512} {
			p.Algorithm = algorithm
			counter := int64(9)
			if p.Kind == TOTP {
				counter = Step(p, noon)
			}
			right := Code(seed, p, counter)
			wrong := Code(seed, p, counter+50)
			b.Run(string(p.Kind)+"/"+string(algorithm)+"/right", func(b *testing.B) { benchVerify(b, p, right, true) })
			b.Run(string(p.Kind)+"/"+string(algorithm)+"/wrong", func(b *testing.B) { benchVerify(b, p, wrong, false) })
		}
	}
}

func benchVerify(b *testing.B, p Parameters, code string, want bool) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Verify(seed, p, State{}, code, loginWindow, noon); ok != want {
			b.Fatal("the outcome is wrong")
		}
	}
}

// The cost of a resync over 1,000 counters.
func BenchmarkResync(b *testing.B) {
	first, second := Code(seed, button, 500), Code(seed, button, 501)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Resync(seed, button, State{}, first, second, resyncWindow, noon); !ok {
			b.Fatal("refused")
		}
	}
}
