package legalname

import (
	"slices"
	"strings"
)

// finding is how well two names, or parts of names, go together.
type finding struct {
	penalty int // the less the better
	reasons reasons
	full    int // words that go together as whole words
	slips   int // of spelling
	lacking sides
}

func (f finding) plus(other finding) finding {
	return finding{f.penalty + other.penalty, f.reasons | other.reasons, f.full + other.full, f.slips + other.slips, f.lacking | other.lacking}
}

// span is a run of words, the end excluded.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// comparison compares an account's words, given ones first, with a document's.
type comparison struct {
	account, document parsed
	a, d              []word
	pairs             [maxWords][maxWords]pair // of each word with each
	joins             [maxWords][maxWords]join
}

func newComparison(account, document parsed) *comparison {
	c := &comparison{account: account, document: document, a: account.words(), d: document.words()}
	for i := range c.a {
		for j := range c.d {
			c.pairs[i][j] = compareWords(c.a[i], c.d[j])
			c.joins[i][j] = joinWords(c.a[i:], c.d[j:])
		}
	}
	return c
}

// best is the finding that speaks most for one name. Where none does, its reasons say what differs.
func (c *comparison) best() (finding, bool) {
	if len(c.account.given) == 0 || len(c.account.family) == 0 || len(c.d) == 1 {
		return c.single()
	}
	best, found := finding{}, false
	var givenOK, familyOK bool
	for _, s := range c.splits() {
		given, ok1 := c.align(span{0, len(c.account.given)}, s.given, givenKind)
		family, ok2 := c.align(span{len(c.account.given), len(c.a)}, s.family, familyKind)
		if s.swapped && c.document.marked && (given.full == 0 || family.full == 0) {
			continue // an initial does not speak against what the document marks
		}
		givenOK, familyOK = givenOK || (ok1 && given.lacking == 0), familyOK || (ok2 && family.lacking == 0)
		whole := given.plus(family)
		if s.swapped {
			whole.penalty++
			whole.reasons |= bit(Order)
		}
		if ok1 && ok2 && whole.acceptable() && (!found || whole.penalty < best.penalty) {
			best, found = whole, true
		}
	}
	if found {
		return best, true
	}
	if c.samePieces() {
		return finding{reasons: bit(Order)}, true
	}
	return finding{reasons: bit(differing(givenOK, familyOK))}, false
}

func differing(givenOK, familyOK bool) Reason {
	switch {
	case familyOK && !givenOK:
		return GivenDiffers
	case givenOK && !familyOK:
		return FamilyDiffers
	}
	return NameDiffers
}

// acceptable is what a person may still decide about: not both lack something, and at most one slip, and not on top
// of an initial.
func (f finding) acceptable() bool {
	return f.lacking != bothLack && f.slips <= 1 && f.full > 0 && (f.slips == 0 || f.reasons&(bit(GivenInitial)|bit(FamilyInitial)) == 0)
}

// split is a way to read a document's words.
type split struct {
	given, family span
	swapped       bool // against what the document marks, or usage
}

// splits are the ways to read the document: as it is marked, and the other way round; or, unmarked, every way to have
// given names and then family names or the other way round, which is as usual in East Asia as it is unusual elsewhere.
func (c *comparison) splits() []split {
	n, g := len(c.d), len(c.document.given)
	if c.document.marked {
		given, family := span{0, g}, span{g, n}
		return []split{{given, family, false}, {family, given, true}}
	}
	var splits []split
	eastern := c.d[0].script == eastAsian
	for k := n - 1; k > 0; k-- { // given names are missing more often than family names
		splits = append(splits, split{span{0, k}, span{k, n}, eastern}, split{span{k, n}, span{0, k}, !eastern})
	}
	return splits
}

// single compares where one of both is a single name, or is written as one word.
func (c *comparison) single() (finding, bool) {
	whole := func(parts ...[]word) string { return joined(slices.Concat(parts...)) }
	displayed := whole(c.d)
	eastern := c.d[0].script == eastAsian
	if len(c.d) == 1 && len(c.a) > 1 {
		switch displayed {
		case whole(c.account.family, c.account.given):
			return finding{reasons: when(!eastern, SingleName)}, true
		case whole(c.account.given, c.account.family):
			return finding{reasons: when(eastern, Order) | when(!eastern, SingleName)}, true
		}
	}
	f, ok := c.align(span{0, len(c.a)}, span{0, len(c.d)}, givenKind)
	if !ok || !f.acceptable() {
		return finding{reasons: bit(NameDiffers)}, false
	}
	if len(c.a) != len(c.d) {
		f.reasons = f.reasons&^(bit(MiddleMissing)|bit(GivenMissing)) | bit(SingleName)
		if len(c.a) > 1 && displayed != whole(c.account.given) && displayed != whole(c.account.family) && len(c.d) == 1 {
			return finding{reasons: bit(NameDiffers)}, false
		}
	}
	return f, true
}

func when(is bool, r Reason) reasons {
	if is {
		return bit(r)
	}
	return 0
}

// samePieces reports whether the words are the same, in whatever order.
func (c *comparison) samePieces() bool {
	if len(c.a) != len(c.d) {
		return false
	}
	var used [maxWords]bool
	for i := range c.a {
		found := false
		for j := range c.d {
			if !used[j] && c.pairs[i][j].same() {
				used[j], found = true, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func joined(ws []word) string {
	var b strings.Builder
	for _, w := range ws {
		b.WriteString(w.plain)
	}
	return b.String()
}
