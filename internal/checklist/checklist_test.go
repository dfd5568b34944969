package checklist

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// PRF-7: the data are whole, every version is numbered, and every question has a name of its own and asks.
func TestData(t *testing.T) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&[]List{}); err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^[a-z][a-z_]{1,39}$`)
	for i, l := range versions() {
		if _, err := time.Parse(time.DateOnly, l.AsOf); err != nil || l.Version != i+1 || len(l.Questions) == 0 {
			t.Errorf("version %d as of %q stands at place %d, with %d questions", l.Version, l.AsOf, i, len(l.Questions))
		}
		seen := map[string]bool{}
		for _, q := range l.Questions {
			if seen[q.ID] || !form.MatchString(q.ID) || !strings.HasSuffix(q.Text, "?") {
				t.Errorf("version %d: question %q: %q", l.Version, q.ID, q.Text)
			}
			seen[q.ID] = true
		}
	}
}

func TestOpen(t *testing.T) {
	l := List{Questions: []Question{{ID: "one"}, {ID: "two"}, {ID: "three"}}}
	for name, c := range map[string]struct {
		answers map[string]bool
		want    []string
	}{
		"all yes":      {map[string]bool{"one": true, "two": true, "three": true}, nil},
		"a no":         {map[string]bool{"one": true, "two": false, "three": true}, []string{"two"}},
		"not answered": {map[string]bool{"two": true, "four": true}, []string{"one", "three"}},
		"none":         {nil, []string{"one", "two", "three"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := l.Open(c.answers); !slices.Equal(got, c.want) {
				t.Errorf("open are %v, want %v", got, c.want)
			}
		})
	}
	if l.Asks("four") || !l.Asks("two") {
		t.Error("Asks knows other questions")
	}
}
