package terms_test

import (
	"strings"
	"testing"

	"tokendesk/internal/terms"
	"tokendesk/models"
)

// PRF-2: what the default policy has people agree to can be read, with the notice of the soft credit inquiry.
func TestCurrentTerms(t *testing.T) {
	version := models.DefaultPolicy().Proofing.TermsVersion
	text, ok := terms.Of(version)
	if !ok || !strings.Contains(text, version) || !strings.Contains(text, "soft inquiry") || !strings.Contains(text, "decline") {
		t.Errorf("version %s: %v\n%s", version, ok, text)
	}
}

// A version without a text is none, whatever its name tries.
func TestUnknownTerms(t *testing.T) {
	for _, version := range []string{"", "1999-01", "../terms", "2026-01.txt", "2026-01/", strings.Repeat("9", 300)} {
		if text, ok := terms.Of(version); ok || text != "" {
			t.Errorf("%q has the text %q", version, text)
		}
	}
}
