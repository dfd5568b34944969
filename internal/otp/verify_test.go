package otp

import (
	"math"
	"testing"
	"time"
)

var (
	seed   = rfcSeed(SHA1)
	button = Parameters{Kind: HOTP, Algorithm: SHA1, Digits: 6}
	clock  = Parameters{Kind: TOTP, Algorithm: SHA1, Digits: 6, Period: 30 * time.Second}
	// The windows of the default policy.
	loginWindow  = Window{Ahead: 10, Skew: 2}
	resyncWindow = Window{Ahead: 1000, Skew: 20}

	noon = time.Date(2026, 3, 2, 12, 0, 7, 0, time.UTC)
)

// LOG-3: the windows of the default policy, their edges, and what is remembered.
func TestVerify(t *testing.T) {
	now := Step(clock, noon)
	for _, c := range []struct {
		name    string
		p       Parameters
		state   State
		counter int64 // whose code is typed
		want    State
		ok      bool
	}{
		{"HOTP: the next counter", button, State{Next: 5}, 5, State{Next: 6}, true},
		{"HOTP: the last counter of the window", button, State{Next: 5}, 14, State{Next: 15}, true},
		{"HOTP: just beyond the window", button, State{Next: 5}, 15, State{}, false},
		{"HOTP: the counter used last", button, State{Next: 5}, 4, State{}, false},
		{"HOTP: the first counter long ago", button, State{Next: 5}, 0, State{}, false},
		{"HOTP: the last counter there can be", button, State{Next: math.MaxInt64 - 2}, math.MaxInt64 - 2, State{Next: math.MaxInt64 - 1}, true},
		{"HOTP: counters are used up", button, State{Next: math.MaxInt64}, math.MaxInt64, State{}, false},
		{"TOTP: on time", clock, State{}, now, State{Next: now + 1}, true},
		{"TOTP: two steps late", clock, State{}, now - 2, State{Next: now - 1, Drift: -2}, true},
		{"TOTP: two steps early", clock, State{}, now + 2, State{Next: now + 3, Drift: 2}, true},
		{"TOTP: three steps late", clock, State{}, now - 3, State{}, false},
		{"TOTP: three steps early", clock, State{}, now + 3, State{}, false},
		{"TOTP: the remembered drift moves the window", clock, State{Drift: 7}, now + 9, State{Next: now + 10, Drift: 9}, true},
		{"TOTP: and leaves nothing behind", clock, State{Drift: 7}, now + 4, State{}, false},
		{"TOTP: a step used before", clock, State{Next: now + 1}, now, State{}, false},
		{"TOTP: the step behind a used one", clock, State{Next: now + 1}, now + 1, State{Next: now + 2, Drift: 1}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.ok {
				c.want = c.state
			}
			code := Code(seed, c.p, c.counter)
			got, ok := Verify(seed, c.p, c.state, code, loginWindow, noon)
			if got != c.want || ok != c.ok {
				t.Fatalf("got %+v, %v; want %+v, %v", got, ok, c.want, c.ok)
			}
			if again, ok := Verify(seed, c.p, got, code, loginWindow, noon); ok || again != got {
				t.Errorf("accepted a second time: %+v", again)
			}
		})
	}
}

// LOG-3: what is no code of this token.
func TestVerifyRefuses(t *testing.T) {
	for name, code := range map[string]string{
		"nothing":                "",
		"too short":              "75522",
		"too long":               "7552240",
		"blanks around":          " 75522",
		"letters":                "75522x",
		"a sign":                 "+55224",
		"another token's":        "000000",
		"digits of elsewhere":    "７５", // six bytes, two full-width digits
		"below the digits":       "75522/",
		"above the digits":       "75522:",
		"wraps to the code":      "75521\x3e", // 14 in the last place: 755210 + 14 = 755224
		"bytes that are no text": "\xff\xff\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			if state, ok := Verify(seed, button, State{}, code, loginWindow, noon); ok || state != (State{}) {
				t.Errorf("%q was accepted: %+v", code, state)
			}
			if _, ok := Resync(seed, button, State{}, code, "287082", resyncWindow, noon); ok {
				t.Errorf("%q was accepted as the first code", code)
			}
			if _, ok := Resync(seed, button, State{}, "755224", code, resyncWindow, noon); ok {
				t.Errorf("%q was accepted as the second code", code)
			}
		})
	}
	t.Run("unsupported parameters", func(t *testing.T) {
		p := clock
		p.Period = 0
		if _, ok := Verify(seed, p, State{}, Code(seed, p, 0), loginWindow, time.Unix(0, 0)); ok {
			t.Error("a period of zero was accepted")
		}
	})
	t.Run("no window", func(t *testing.T) {
		if _, ok := Verify(seed, button, State{}, "755224", Window{Ahead: -1}, noon); ok {
			t.Error("a window of no counters accepted a code")
		}
	})
}

// LOG-3: digits that stand twice in a window are one code. With the seed of the RFCs and six digits, these
// counters share their code; a time step is placed on them for TOTP.
func TestVerifyDuplicateCodes(t *testing.T) {
	for _, c := range []struct {
		name         string
		first, again int64
		code         string
	}{
		{"neighbours", 910737, 910738, "911617"},
		{"next but one", 153567, 153569, "468457"},
		{"far apart in the HOTP window", 2386, 2394, "709847"},
	} {
		for _, p := range []Parameters{button, clock} {
			if p.Kind == TOTP && c.again-c.first > 4 {
				continue // never in one window
			}
			t.Run(string(p.Kind)+" "+c.name, func(t *testing.T) {
				if Code(seed, p, c.first) != c.code || Code(seed, p, c.again) != c.code {
					t.Fatal("the counters do not share their code")
				}
				at := time.Unix((c.first+1)*30, 0) // the code could be a step late
				state, ok := Verify(seed, p, State{Next: c.first}, c.code, loginWindow, at)
				if !ok || state.Next != c.first+1 {
					t.Fatalf("the earliest is to be taken: %+v, %v", state, ok)
				}
				if p.Kind == TOTP && state.Drift != 0 {
					t.Errorf("drift %d was learned from a code that does not tell its step", state.Drift)
				}
				// It stays refused at its second place, at once and when that is reached step by step.
				for next := c.first + 1; next <= c.again; next++ {
					state := State{Next: next}
					at := time.Unix(next*30, 0)
					if got, ok := Verify(seed, p, state, c.code, loginWindow, at); ok {
						t.Fatalf("accepted again with the state at %d: %+v", next, got)
					}
				}
				// The codes between and behind are not spent by it.
				for next := c.first + 1; next <= c.again+1; next++ {
					if next == c.again {
						continue
					}
					at := time.Unix(next*30, 0)
					if _, ok := Verify(seed, p, state, Code(seed, p, next), loginWindow, at); !ok {
						t.Errorf("the code at %d was lost", next)
					}
				}
			})
		}
	}
}

// LOG-3: a slow clock is followed as far as it goes, in steps that each stay within the window.
func TestVerifyFollowsDrift(t *testing.T) {
	state, at := State{}, noon
	for drift := int64(0); drift >= -60; drift -= 2 {
		var ok bool
		state, ok = Verify(seed, clock, state, Code(seed, clock, Step(clock, at)+drift), loginWindow, at)
		if !ok || state.Drift != drift {
			t.Fatalf("at drift %d: %+v, %v", drift, state, ok)
		}
		at = at.AddDate(0, 1, 0)
	}
}

// REG-1, MGT-2: two consecutive codes in the large window; and the very next code works.
func TestResync(t *testing.T) {
	now := Step(clock, noon)
	for _, c := range []struct {
		name          string
		p             Parameters
		state         State
		first, second int64
		want          State
		ok            bool
	}{
		{"HOTP: new token", button, State{}, 0, 1, State{Next: 2}, true},
		{"HOTP: pressed often", button, State{Next: 3}, 700, 701, State{Next: 702}, true},
		{"HOTP: last of the window", button, State{Next: 3}, 1002, 1003, State{Next: 1004}, true},
		{"HOTP: beyond the window", button, State{Next: 3}, 1003, 1004, State{}, false},
		{"HOTP: never back", button, State{Next: 3}, 2, 3, State{}, false},
		{"HOTP: not consecutive", button, State{}, 4, 6, State{}, false},
		{"HOTP: wrong order", button, State{}, 5, 4, State{}, false},
		{"HOTP: the same code twice", button, State{}, 4, 4, State{}, false},
		{"HOTP: neighbours that share their code", button, State{Next: 910737}, 910737, 910738, State{}, false},
		{"TOTP: on time", clock, State{}, now - 1, now, State{Next: now + 1}, true},
		{"TOTP: far behind", clock, State{}, now - 20, now - 19, State{Next: now - 18, Drift: -19}, true},
		{"TOTP: far ahead", clock, State{}, now + 20, now + 21, State{Next: now + 22, Drift: 21}, true},
		{"TOTP: too far behind", clock, State{}, now - 21, now - 20, State{}, false},
		{"TOTP: too far ahead", clock, State{}, now + 21, now + 22, State{}, false},
		{"TOTP: around the remembered drift", clock, State{Drift: 15}, now + 34, now + 35, State{Next: now + 36, Drift: 35}, true},
		{"TOTP: never back", clock, State{Next: now}, now - 1, now, State{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.ok {
				c.want = c.state
			}
			first, second := Code(seed, c.p, c.first), Code(seed, c.p, c.second)
			got, ok := Resync(seed, c.p, c.state, first, second, resyncWindow, noon)
			if got != c.want || ok != c.ok {
				t.Fatalf("got %+v, %v; want %+v, %v", got, ok, c.want, c.ok)
			}
			if !ok {
				return
			}
			if _, ok := Resync(seed, c.p, got, first, second, resyncWindow, noon); ok {
				t.Error("the same two codes were accepted again")
			}
			if _, ok := Verify(seed, c.p, got, second, loginWindow, noon); ok {
				t.Error("the second code was accepted as a login")
			}
			next := Code(seed, c.p, c.second+1)
			if _, ok := Verify(seed, c.p, got, next, loginWindow, noon.Add(30*time.Second)); !ok {
				t.Error("the very next code was refused")
			}
		})
	}
}
