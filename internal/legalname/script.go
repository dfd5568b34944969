package legalname

import "unicode"

// script is an alphabet, or a family of them that is written together.
type script int

const (
	other script = iota
	latin
	cyrillic
	greek
	arabic
	hebrew
	eastAsian // Han, Kana, Hangul, Bopomofo: family name first, no blanks
)

var scripts = []struct {
	script script
	table  *unicode.RangeTable
}{
	{latin, unicode.Latin}, {cyrillic, unicode.Cyrillic}, {greek, unicode.Greek}, {arabic, unicode.Arabic}, {hebrew, unicode.Hebrew},
	{eastAsian, unicode.Han}, {eastAsian, unicode.Hiragana}, {eastAsian, unicode.Katakana}, {eastAsian, unicode.Hangul}, {eastAsian, unicode.Bopomofo},
}

func scriptOfRune(r rune) script {
	if r < 0x80 {
		return latin
	}
	for _, s := range scripts {
		if unicode.Is(s.table, r) {
			return s.script
		}
	}
	return other
}

// scriptOf is the script of a word's first letter, and whether others follow.
func scriptOf(word string) (s script, mixed bool) {
	first := true
	for _, r := range word {
		if !unicode.IsLetter(r) || unicode.Is(unicode.Lm, r) {
			continue
		}
		if first {
			s, first = scriptOfRune(r), false
		} else if scriptOfRune(r) != s {
			mixed = true
		}
	}
	return s, mixed
}

// marked reports whether letters are the same letters without their marks.
func (s script) marked() bool { return s >= latin && s <= hebrew }

// alphabetic reports whether a single letter is an initial.
func (s script) alphabetic() bool { return s == latin || s == cyrillic || s == greek }
