package otp

import (
	"crypto/subtle"
	"math"
	"time"
)

// Verify matches a code against the window around a token's state at a moment, and returns the state to remember
// and whether the code is accepted. A refused code leaves the state as it was.
//
// A code is accepted once (LOG-3): its counter or step and all before it are spent. The same digits standing a
// second time in the window count as the same code and stay refused there too. Of several matches the earliest is
// taken, so that no code is spent that may not have been shown yet.
//
// The whole window is computed and compared, without an early exit, also for a code that is not made of digits;
// only the length of the code and the outcome can be told from the time it takes.
func Verify(seed []byte, p Parameters, s State, code string, w Window, at time.Time) (State, bool) {
	want, ok := parse(code, p)
	if !ok {
		return s, false
	}
	return verify(newGenerator(seed, p), p, s, want, w, at)
}

func verify(g *generator, p Parameters, s State, want number, w Window, at time.Time) (State, bool) {
	first, size := span(p, s, w, at)
	found, matches := 0, 0
	for i := size - 1; i >= 0; i-- {
		match := want.equals(g.value(first+int64(i))) & unspent(first+int64(i), s)
		found = subtle.ConstantTimeSelect(match, i, found)
		matches += match
	}
	counter := first + int64(found)
	if matches == 0 || recentlySpent(g, s, want, counter, size) {
		return s, false
	}
	next := State{Next: counter + 1, Drift: s.Drift}
	// Digits that stand twice in the window do not tell which step they belong to: they teach nothing of the clock.
	if p.Kind == TOTP && matches == 1 {
		next.Drift = counter - Step(p, at)
	}
	return next, true
}

// Resync finds two consecutive codes in the window, which is large, and returns the state to remember and whether
// they were found. It serves registration, with a fresh state (REG-1), and resync (MGT-2). The first code must
// stand in the window and the second right behind it; both must be unspent, so a resync never goes back. After
// it the very next code is accepted by Verify.
//
// Two equal codes are refused: they are one code, typed twice.
func Resync(seed []byte, p Parameters, s State, first, second string, w Window, at time.Time) (State, bool) {
	one, ok := parse(first, p)
	two, ok2 := parse(second, p)
	if !ok || !ok2 || one.value == two.value {
		return s, false
	}
	return resync(newGenerator(seed, p), p, s, one, two, w, at)
}

func resync(g *generator, p Parameters, s State, one, two number, w Window, at time.Time) (State, bool) {
	start, size := span(p, s, w, at)
	found, matches := 0, 0
	behind := g.value(start + int64(size))
	for i := size - 1; i >= 0; i-- {
		value := g.value(start + int64(i))
		match := one.equals(value) & two.equals(behind) & unspent(start+int64(i), s)
		found = subtle.ConstantTimeSelect(match, i, found)
		matches += match
		behind = value
	}
	if matches == 0 {
		return s, false
	}
	last := start + int64(found) + 1
	next := State{Next: last + 1, Drift: s.Drift}
	if p.Kind == TOTP {
		next.Drift = last - Step(p, at)
	}
	return next, true
}

// span is the window in counters: where it starts and how many it holds. Starts below zero and ends beyond the
// last counter are cut off.
func span(p Parameters, s State, w Window, at time.Time) (first int64, size int) {
	var last int64
	if p.Kind == TOTP {
		expected := Step(p, at) + s.Drift
		skew := int64(max(0, w.Skew))
		first, last = expected-skew, expected+skew
	} else {
		first = max(0, s.Next)
		last = first - 1 + int64(max(0, w.Ahead))
		if last < first-1 {
			last = math.MaxInt64
		}
	}
	first = max(0, first)
	last = min(last, math.MaxInt64-2) // room for the code behind the last one, and for State.Next behind that
	if last < first {
		return first, 0
	}
	return first, int(last - first + 1)
}

// unspent is 1 for a counter that may still be used, else 0. Which these are is no secret.
func unspent(counter int64, s State) int {
	if counter >= s.Next {
		return 1
	}
	return 0
}

// recentlySpent says whether the code that matches at a counter also stands at a spent counter less than a window
// before it: then this may be that code, seen and sent again, and it is refused (LOG-3). Looking back by
// computation needs no memory of used codes; only codes that match come here, so a wrong code costs nothing more.
func recentlySpent(g *generator, s State, want number, counter int64, window int) bool {
	spent := 0
	for c := max(0, counter-int64(window)+1); c < s.Next; c++ {
		spent |= want.equals(g.value(c))
	}
	return spent == 1
}

// number is a code as typed: its value, and whether it was made of digits.
type number struct {
	value  uint32
	digits int // 1 if every character was a digit, else 0
}

// equals is 1 if the number is a code of that value, else 0, in constant time.
func (n number) equals(value uint32) int {
	return subtle.ConstantTimeEq(int32(n.value), int32(value)) & n.digits
}

// parse reads a code without branching on its characters. It fails at once on a code of the wrong length and on
// parameters that do not validate.
func parse(code string, p Parameters) (number, bool) {
	if len(code) != p.Digits || p.Validate() != nil {
		return number{}, false
	}
	n := number{digits: 1}
	for i := range len(code) {
		digit := code[i] - '0' // wraps around for characters below '0'
		n.digits &= subtle.ConstantTimeLessOrEq(int(digit), 9)
		n.value = n.value*10 + uint32(digit)
	}
	return n, true
}
