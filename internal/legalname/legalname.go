// Package legalname compares the name on an identity document, as it is displayed, with the legal name of an account
// (PRF-7). It answers Match where a machine can be sure that the two are one name, Close where a person must look,
// and Different otherwise.
//
// What never matters: case, diacritics or their transliteration by ICAO Doc 9303 part 3 §6 (MÜLLER is MUELLER and
// MULLER), ligatures, apostrophes, hyphens and where blanks stand within a name (O'Neill, O NEILL), a title before
// the name, and the order of the parts where the document marks it: KING, ADA and KING<<ADA.
//
// What is Close carries the reasons. What is not compared at all: nicknames, translations of names, names from before
// a marriage. They are other names.
//
// It decides about names alone. Two people may have one name.
package legalname

// Name is a legal name as an account has it. A middle name may be empty, each part may be several words, and a
// suffix such as Jr. stands at the end of the last name.
type Name struct{ First, Middle, Last string }

// Result is what a comparison says.
type Result string

// The results.
const (
	Match     Result = "match"
	Close     Result = "close" // a person decides
	Different Result = "different"
)

// Reason is why two names are not a Match, as a code.
type Reason string

// Why names are Close.
const (
	Order           Reason = "order"           // the same parts, but which of them is the family name is not
	MiddleMissing   Reason = "middle_missing"  // one has given names more, after the first
	MiddleInitial   Reason = "middle_initial"  // a later given name is an initial
	GivenMissing    Reason = "given_missing"   // one lacks the first given name of the other, and has a later one
	GivenInitial    Reason = "given_initial"   // the first given name is an initial
	FamilyPart      Reason = "family_part"     // one has family names more
	FamilyInitial   Reason = "family_initial"  // a family name is an initial
	Particle        Reason = "particle"        // one lacks a word such as van, de or al
	Suffix          Reason = "suffix"          // one lacks a suffix such as Jr.
	Transliteration Reason = "transliteration" // written alike in another alphabet or with another one's rules
	Variant         Reason = "variant"         // an abbreviation, or one of the usual spellings of one name
	Spelling        Reason = "spelling"        // one letter differs
	Truncated       Reason = "truncated"       // the machine-readable zone had no room for more
	SingleName      Reason = "single_name"     // one has one name only
	Script          Reason = "script"          // in different alphabets, or in a mix of them
)

// Why names are Different.
const (
	GivenDiffers  Reason = "given_differs"
	FamilyDiffers Reason = "family_differs"
	NameDiffers   Reason = "name_differs"   // both
	SuffixDiffers Reason = "suffix_differs" // father and son
	Unreadable    Reason = "unreadable"     // without letters, or longer than any name
)

// Verdict is the result of a comparison and, unless it is Match, why.
type Verdict struct {
	Result  Result
	Reasons []Reason // in the order of their declaration
}

// Longer than any name: 200 characters, 16 words.
const (
	maxLength = 200
	maxWords  = 16
)

// Compare compares an account's legal name with the name that a document displays: given names first, or the family
// name first with a comma after it, or as in a machine-readable zone, KING<<ADA<AUGUSTA. It takes any text, and no
// more time for a long one than for the longest name.
func Compare(account Name, displayed string) Verdict {
	a, okA := readAccount(account)
	d, okD := readDisplayed(displayed)
	if !okA || !okD {
		return Verdict{Different, []Reason{Unreadable}}
	}
	if a.suffix != "" && d.suffix != "" && a.suffix != d.suffix {
		return Verdict{Different, []Reason{SuffixDiffers}}
	}
	best, ok := newComparison(a, d).best()
	if !ok {
		if !a.shareScript(d) {
			return Verdict{Close, []Reason{Script}}
		}
		return Verdict{Different, best.reasons.list()}
	}
	if a.suffix != d.suffix {
		best.reasons |= bit(Suffix)
	}
	if best.reasons == 0 {
		return Verdict{Result: Match}
	}
	return Verdict{Close, best.reasons.list()}
}

// order is that of the declarations, and of bits in reasons.
var order = []Reason{Order, MiddleMissing, MiddleInitial, GivenMissing, GivenInitial, FamilyPart, FamilyInitial, Particle, Suffix,
	Transliteration, Variant, Spelling, Truncated, SingleName, Script, GivenDiffers, FamilyDiffers, NameDiffers, SuffixDiffers, Unreadable}

// reasons is a set of them.
type reasons uint32

func bit(r Reason) reasons {
	for i, other := range order {
		if r == other {
			return 1 << i
		}
	}
	return 0
}

func (r reasons) list() []Reason {
	var list []Reason
	for i, reason := range order {
		if r>>i&1 == 1 {
			list = append(list, reason)
		}
	}
	return list
}

// Explain is the reason in plain words, for the person who decides.
func (r Reason) Explain() string { return explanations[r] }

var explanations = map[Reason]string{
	Order:           "The parts are the same, but in another order: make sure which one is the family name.",
	MiddleMissing:   "One of the names has more given names than the other.",
	MiddleInitial:   "A middle name is an initial in one of the names.",
	GivenMissing:    "The first given name of one is missing from the other.",
	GivenInitial:    "The first given name is an initial in one of the names.",
	FamilyPart:      "One of the names has more family names than the other.",
	FamilyInitial:   "A family name is an initial in one of the names.",
	Particle:        "A small word such as van, de or al is missing from one of the names.",
	Suffix:          "One of the names has a suffix such as Jr. that the other lacks.",
	Transliteration: "A part is spelled by the rules of another alphabet or country.",
	Variant:         "A part is abbreviated, or spelled in another usual way.",
	Spelling:        "A part differs in one letter: a slip, or another name.",
	Truncated:       "The document had no room for the whole name.",
	SingleName:      "One of them is a single name.",
	Script:          "The names are in different alphabets.",
	GivenDiffers:    "The given names differ.",
	FamilyDiffers:   "The family names differ.",
	NameDiffers:     "The names differ.",
	SuffixDiffers:   "The suffixes differ: these are two people.",
	Unreadable:      "This cannot be read as a name.",
}
