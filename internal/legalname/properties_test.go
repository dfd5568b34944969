package legalname

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// anyName is made of words that have something to them.
func anyName(t *rapid.T) Name {
	word := rapid.OneOf(
		rapid.SampledFrom([]string{"Ada", "King", "Müller", "Mueller", "Muller", "García", "O'Neill", "Jean-Luc", "van", "der", "de", "la", "al", "A", "Å", "B.", "Jr",
			"Mohammed", "Muhammad", "Søren", "Weiß", "Yuri", "Юрий", "山田", "太郎", "علي", "राम", "Smith", "Smyth", "Jennifer", "Jenifer", "Maryann", "Mary", "Ann", "İnci", "Ĳssel"}),
		rapid.StringMatching(`[A-Za-zÀ-ÖØ-öø-ž]{1,9}`),
	)
	words := func(name string, least, most int) string {
		return strings.Join(rapid.SliceOfN(word, least, most).Draw(t, name), " ")
	}
	return Name{words("first", 1, 2), words("middle", 0, 2), words("last", 1, 3)}
}

// PRF-7: a name is itself, however a document orders, marks or encodes it.
func TestItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := anyName(t)
		given := strings.TrimSpace(n.First + " " + n.Middle)
		zone := strings.ReplaceAll(n.Last, " ", "<") + "<<" + strings.ReplaceAll(given, " ", "<")
		mixed := slices.ContainsFunc(read(n.First+" "+n.Middle+" "+n.Last), func(w word) bool { return w.mixed })
		for _, displayed := range []string{zone, strings.ToLower(zone), norm.NFD.String(zone), zone + "<<<<"} {
			if got := Compare(n, displayed); got.Result != Match && !mixed && !unsettled(n) {
				t.Fatalf("%+v and %q: %v", n, displayed, got)
			}
		}
		if displayed := given + " " + n.Last; !unsettled(n) && !mixed && read(n.First)[0].script != eastAsian {
			if got := Compare(n, displayed); got.Result != Match {
				t.Fatalf("%+v and %q: %v", n, displayed, got)
			}
		}
	})
}

// unsettled reports whether a word's place decides what it is: "Jr" in the middle of a name is no suffix, "Dr" no title.
func unsettled(n Name) bool {
	return slices.ContainsFunc(read(n.First+" "+n.Middle+" "+n.Last), func(w word) bool {
		return suffixes[w.plain] != "" || titles[w.plain] || placeholders[w.plain]
	})
}

// PRF-7: which of two names is the account's does not matter.
func TestSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, okX := readAccount(anyName(t))
		y, okY := readAccount(anyName(t))
		if rapid.Bool().Draw(t, "alike") { // or hardly any two have anything in common
			y = x
			y.given = slices.Clone(x.given)
			if len(y.given) > 1 {
				y.given = y.given[1:]
			}
			y.family = slices.Clone(x.family)
			y.family[0] = newWord(strings.ToLower(rapid.SampledFrom([]string{"van", "king", "müller", "mueller", "a"}).Draw(t, "word")))
		}
		if !okX || !okY {
			return
		}
		a, okA := newComparison(x, y).best()
		b, okB := newComparison(y, x).best()
		if okA != okB || (okA && (a.penalty != b.penalty || (a.reasons == 0) != (b.reasons == 0))) {
			t.Fatalf("%+v\n%+v\n%+v %v, the other way round %+v %v", x, y, a, okA, b, okB)
		}
	})
}

// PRF-7: case, marks that are composed or not, and what stands around a name change nothing.
func TestEncodingsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, other := anyName(t), anyName(t)
		displayed := strings.Join([]string{other.First, other.Middle, other.Last}, " ")
		want := Compare(n, displayed)
		for _, same := range []string{norm.NFD.String(displayed), norm.NFC.String(displayed), "  " + displayed + ". ", strings.ReplaceAll(displayed, " ", "\u00a0-"), "\u200e" + displayed} {
			if got := Compare(n, same); got.Result != want.Result || !slices.Equal(got.Reasons, want.Reasons) {
				t.Fatalf("%+v and %q: %v, but %q: %v", n, displayed, want, same, got)
			}
		}
	})
}

// No text makes it panic, and every verdict is one.
func FuzzCompare(f *testing.F) {
	f.Add("Ada", "King", "Lovelace", "LOVELACE<<ADA<KING")
	f.Add("Jürgen", "", "Müller-Lüdenscheidt", "Dr. Juergen Mueller, Jr.")
	f.Add("太郎", "", "山田", "山田太郎")
	f.Add("a b c", "d e", "f g h", "a, b, c<<d<e")
	f.Add("ﷺ", "\u0301", "\xff", "İ.ﬁ·l·l'’")
	f.Fuzz(func(t *testing.T, first, middle, last, displayed string) {
		got := Compare(Name{first, middle, last}, displayed)
		again := Compare(Name{first, middle, last}, displayed)
		if got.Result != again.Result || !slices.Equal(got.Reasons, again.Reasons) {
			t.Fatalf("%v, then %v", got, again)
		}
		differs := slices.ContainsFunc(got.Reasons, func(r Reason) bool {
			return slices.Contains([]Reason{GivenDiffers, FamilyDiffers, NameDiffers, SuffixDiffers, Unreadable}, r)
		})
		switch {
		case got.Result == Match && len(got.Reasons) == 0:
		case got.Result == Close && len(got.Reasons) > 0 && !differs:
		case got.Result == Different && len(got.Reasons) == 1 && differs:
		default:
			t.Fatal(got)
		}
	})
}
