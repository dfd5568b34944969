// Package terms has the texts that a person agrees to before self-service proofing, by version (PRF-2). A consent says by which version it was given, so
// a text that was shown is never changed: a new version is added beside it.
package terms

import (
	"embed"
	"regexp"
	"strings"
)

//go:embed texts/*.txt
var texts embed.FS

var wellFormed = regexp.MustCompile(`^[0-9A-Za-z.-]{1,40}$`)

// Of is the text of a version; false: there is none, and nobody can agree to it.
func Of(version string) (text string, ok bool) {
	if !wellFormed.MatchString(version) {
		return "", false
	}
	data, err := texts.ReadFile("texts/" + version + ".txt")
	return strings.TrimSpace(string(data)), err == nil
}
