package otp

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawParameters(t *rapid.T) Parameters {
	p := Parameters{
		Kind:      rapid.SampledFrom([]Kind{HOTP, TOTP}).Draw(t, "kind"),
		Algorithm: rapid.SampledFrom([]Algorithm{SHA1, SHA256, SHA512}).Draw(t, "algorithm"),
		Digits:    rapid.SampledFrom([]int{6, 8}).Draw(t, "digits"),
	}
	if p.Kind == TOTP {
		p.Period = time.Duration(rapid.SampledFrom([]int{30, 60}).Draw(t, "period")) * time.Second
	}
	return p
}

func drawSeed(t *rapid.T) []byte {
	return rapid.SliceOfN(rapid.Byte(), 16, 80).Draw(t, "seed")
}

// LOG-3: whatever is typed in whatever order, counters only go forward, and the same digits are never accepted
// twice within a window. The codes have two digits here, so that windows are full of digits that stand twice.
func TestPropertyAcceptedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawParameters(t)
		g := newGenerator(drawSeed(t), p)
		g.modulus = 100
		type use struct {
			counter int64
			value   uint32
		}
		var used []use
		state, at := State{}, noon
		_, size := span(p, State{Next: 1}, loginWindow, at)
		for range rapid.IntRange(1, 60).Draw(t, "codes") {
			if p.Kind == TOTP {
				at = at.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "seconds")) * time.Second)
			}
			first, _ := span(p, state, loginWindow, at)
			value := g.value(first + rapid.Int64Range(-3, int64(size)+2).Draw(t, "offset"))
			if len(used) > 0 && rapid.Bool().Draw(t, "replay") {
				value = rapid.SampledFrom(used).Draw(t, "used").value
			}
			next, ok := verify(g, p, state, number{value: value, digits: 1}, loginWindow, at)
			if !ok {
				if next != state {
					t.Fatalf("a refused code changed %+v to %+v", state, next)
				}
				continue
			}
			counter := next.Next - 1
			if counter < state.Next || g.value(counter) != value {
				t.Fatalf("accepted at %d with the state %+v", counter, state)
			}
			for _, u := range used {
				if u.value == value && counter-u.counter < int64(size) {
					t.Fatalf("%02d was accepted at %d and again at %d", value, u.counter, counter)
				}
			}
			used = append(used, use{counter, value})
			state = next
		}
	})
}

// LOG-3: a code that was accepted is not accepted again, and neither is any code shown before it.
func TestPropertyUsedCodeNeverAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, seed := drawParameters(t), drawSeed(t)
		state := State{Next: rapid.Int64Range(0, 1<<40).Draw(t, "next")}
		at := time.Unix(rapid.Int64Range(0, 1<<34).Draw(t, "at"), 0)
		if p.Kind == TOTP {
			state = State{Drift: rapid.Int64Range(-40, 40).Draw(t, "drift")}
		}
		first, size := span(p, state, loginWindow, at)
		if size == 0 {
			t.Skip("before 1970")
		}
		counter := first + rapid.Int64Range(0, int64(size)-1).Draw(t, "offset")
		code := Code(seed, p, counter)
		next, ok := Verify(seed, p, state, code, loginWindow, at)
		if !ok {
			t.Fatalf("the code at %d was refused with %+v", counter, state)
		}
		for c := first; c <= counter; c++ {
			if got, ok := Verify(seed, p, next, Code(seed, p, c), loginWindow, at); ok {
				t.Fatalf("the code at %d was accepted after the one at %d: %+v", c, counter, got)
			}
		}
	})
}

// MGT-2: after a resync, the very next code works, and so does every later one of a token whose clock keeps
// drifting by less than the window between two logins.
func TestPropertyResyncThenNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, seed := drawParameters(t), drawSeed(t)
		p.Digits = 8 // so that chance never repeats a code within this test
		state, at := State{Next: rapid.Int64Range(0, 1<<40).Draw(t, "next")}, noon
		counter := state.Next + rapid.Int64Range(0, 999).Draw(t, "pressed")
		if p.Kind == TOTP {
			state = State{Drift: rapid.Int64Range(-40, 40).Draw(t, "remembered")}
			counter = Step(p, at) + state.Drift + rapid.Int64Range(-20, 20).Draw(t, "drift")
		}
		state, ok := Resync(seed, p, state, Code(seed, p, counter), Code(seed, p, counter+1), resyncWindow, at)
		if !ok {
			t.Fatal("two consecutive codes within the window were refused")
		}
		counter += 2
		for login := range 10 {
			if login > 0 {
				skipped := rapid.Int64Range(0, 9).Draw(t, "skipped")
				if p.Kind == TOTP {
					skipped = rapid.Int64Range(0, 1<<20).Draw(t, "pause")
					drift := rapid.Int64Range(max(-2, -skipped), 2).Draw(t, "drift since")
					counter += drift
				}
				counter += skipped
				at = at.Add(time.Duration(skipped) * p.Period)
			}
			at = at.Add(p.Period)
			state, ok = Verify(seed, p, state, Code(seed, p, counter), loginWindow, at)
			if !ok {
				t.Fatalf("login %d was refused with %+v", login, state)
			}
			counter++
		}
	})
}
