package legalname

import (
	"slices"
	"strings"
)

// pair is what one word is to another.
type pair struct {
	ok      bool
	initial bool // one is the initial of the other
	finding
}

func (p pair) same() bool { return p.ok && p.penalty == 0 }

// join says that one word is several of the other side, written together: how many words of each are used up.
type join struct {
	pair
	a, d int
}

// What it costs to overlook something: a missing word costs more than a small one, a slip of spelling most.
const (
	costLittle  = 1
	costMissing = 2
	costSlip    = 3
)

func compareWords(a, d word) pair {
	whole := func(penalty int, reasons reasons) pair {
		if a.mixed || d.mixed {
			reasons |= bit(Script)
			penalty++
		}
		return pair{ok: true, finding: finding{penalty: penalty, reasons: reasons, full: 1}}
	}
	switch {
	case a.plain == d.plain || a.icao == d.icao || a.plain == d.icao || a.icao == d.plain:
		return whole(0, 0)
	case (a.initial && sharePrefix(d, a)) || (d.initial && sharePrefix(a, d)):
		return pair{ok: true, initial: true, finding: finding{penalty: costLittle}}
	case a.variant == d.variant:
		return whole(costLittle, bit(Variant))
	case a.roman == d.roman && len(a.roman) >= 2:
		return whole(costLittle, bit(Transliteration))
	case (d.cut && sharePrefix(a, d)) || (a.cut && sharePrefix(d, a)):
		return whole(costLittle, bit(Truncated))
	case slip(a.plain, d.plain):
		p := whole(costSlip, bit(Spelling))
		p.slips = 1
		return p
	}
	return pair{}
}

// sharePrefix reports whether the long word begins as the short one does.
func sharePrefix(long, short word) bool {
	return strings.HasPrefix(long.plain, short.plain) || strings.HasPrefix(long.icao, short.icao)
}

const (
	minSlip = 5 // letters of the longer word: shorter names that differ in a letter are other names
	maxJoin = 3 // words
)

// slip reports whether the words differ by one letter more, less, other, or by two neighbours exchanged.
func slip(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(y) < minSlip || len(y)-len(x) > 1 {
		return false
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	if len(x) < len(y) {
		return string(x[i:]) == string(y[i+1:])
	}
	if i+1 < len(x) && x[i] == y[i+1] && x[i+1] == y[i] && string(x[i+2:]) == string(y[i+2:]) {
		return true
	}
	return i < len(x) && string(x[i+1:]) == string(y[i+1:])
}

// joinWords finds the first word of one side written as several of the other.
func joinWords(a, d []word) join {
	var found join
	consider := func(p pair, usedA, usedD int) {
		if p.ok && !p.initial && (p.slips == 0 || noLetterAlone(a[:usedA]) && noLetterAlone(d[:usedD])) && (!found.ok || p.penalty < found.penalty) {
			found = join{p, usedA, usedD}
		}
	}
	for n := 2; n <= maxJoin; n++ {
		if n <= len(d) {
			consider(compareWords(a[0], together(d[:n])), 1, n)
		}
		if n <= len(a) {
			consider(compareWords(together(a[:n]), d[0]), n, 1)
		}
	}
	return found
}

// noLetterAlone reports whether each of the words is more than one letter: FKENNEDY is no misspelt F. Kennedy.
func noLetterAlone(ws []word) bool {
	return !slices.ContainsFunc(ws, func(w word) bool { return w.initial })
}

// together is several words written as one.
func together(ws []word) word {
	whole := word{script: ws[0].script}
	for _, w := range ws {
		whole.plain += w.plain
		whole.icao += w.icao
		whole.variant += w.latin()
		whole.mixed = whole.mixed || w.mixed || w.script != whole.script
	}
	whole.roman = romanized(whole.latin())
	return whole
}

// kind is which names are aligned, and so what the reasons are.
type kind struct {
	firstMissing, missing, firstInitial, initial reasons
}

var (
	givenKind  = kind{bit(GivenMissing), bit(MiddleMissing), bit(GivenInitial), bit(MiddleInitial)}
	familyKind = kind{bit(FamilyPart), bit(FamilyPart), bit(FamilyInitial), bit(FamilyInitial)}
)

var particleMissing = bit(Particle)

// sides are those that lack words of the other. Where both do, they are different names.
type sides int

const (
	accountLacks  sides = 1
	documentLacks sides = 2
	bothLack      sides = 3
)

// align lays a run of the account's words beside one of the document's, in order, overlooking as little as possible.
func (c *comparison) align(a, d span, k kind) (finding, bool) {
	if a.len() == 0 || d.len() == 0 {
		return finding{}, false
	}
	t := table{comparison: c, a: a, d: d, kind: k}
	f, ok := t.from(a.from, d.from, 0)
	if f.full == 0 && (f.reasons&(k.firstInitial|k.initial) == 0 || f.reasons&k.firstMissing != 0) {
		return f, false // nothing, or an initial somewhere, is not a name
	}
	return f, ok
}

// table remembers what was aligned, so that each place is looked at once.
type table struct {
	*comparison
	a, d span
	kind kind
	seen [maxWords + 1][maxWords + 1][3]struct {
		done, ok bool
		finding
	}
}

// from aligns what is left from a word of each on, where one side may lack words already.
func (t *table) from(i, j int, lacking sides) (finding, bool) {
	if i == t.a.to && j == t.d.to {
		return finding{}, true
	}
	cell := &t.seen[i][j][lacking]
	if cell.done {
		return cell.finding, cell.ok
	}
	cell.done = true // nothing comes back here: each step uses up a word
	try := func(step finding, i, j int, lacking sides) {
		if rest, ok := t.from(i, j, lacking); ok {
			if whole := step.plus(rest); !cell.ok || whole.penalty < cell.penalty {
				cell.finding, cell.ok = whole, true
			}
		}
	}
	if i < t.a.to && j < t.d.to {
		if p := t.pairs[i][j]; p.ok {
			try(t.named(p, i, j), i+1, j+1, lacking)
		}
		if join := t.joins[i][j]; join.ok && i+join.a <= t.a.to && j+join.d <= t.d.to {
			try(join.finding, i+join.a, j+join.d, lacking)
		}
	}
	if i < t.a.to {
		t.skip(t.comparison.a[i], i == t.a.from, documentLacks|lacking, func(f finding) { try(f, i+1, j, lacking|f.lacking) })
	}
	if j < t.d.to {
		t.skip(t.comparison.d[j], j == t.d.from, accountLacks|lacking, func(f finding) { try(f, i, j+1, lacking|f.lacking) })
	}
	return cell.finding, cell.ok
}

// skip overlooks a word, after which the given sides lack words, unless it is one that does not count.
func (t *table) skip(w word, first bool, lacking sides, try func(finding)) {
	if w.particle {
		try(finding{penalty: costLittle, reasons: particleMissing})
	}
	if lacking == bothLack {
		return
	}
	reason := t.kind.missing
	if first {
		reason = t.kind.firstMissing
	}
	try(finding{penalty: costMissing, reasons: reason, lacking: lacking})
}

// named is a pair's finding with the reason for an initial.
func (t *table) named(p pair, i, j int) finding {
	f := p.finding
	if p.initial {
		reason := t.kind.initial
		if i == t.a.from && j == t.d.from {
			reason = t.kind.firstInitial
		}
		f.reasons |= reason
	}
	return f
}
