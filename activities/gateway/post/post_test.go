package post_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tokendesk/activities/gateway/post"
	"tokendesk/models"
)

// SEC-5: a letter shows its key, however it is rendered.
func TestLetterShowsItsKeyOnly(t *testing.T) {
	l := post.Letter{IdempotencyKey: "cd_1", PDF: []byte("%PDF-1.4 private"),
		To: models.Address{Name: "Zelda Private", Line1: "Private Terrace", City: "Private City", PostalCode: "99362", Country: "US"}}
	text, err := json.Marshal(map[string]any{"letter": l, "letters": []*post.Letter{&l}})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("sent", "letter", l, "pointer", &l)
	for how, seen := range map[string]string{"JSON": string(text), "log": log.String(), "%v": fmt.Sprintf("%v %v", l, &l), "%+v": fmt.Sprintf("%+v", l), "%#v": fmt.Sprintf("%#v", l),
		"%s": fmt.Sprintf("%s", l), "%x": fmt.Sprintf("%x", l), "nested": fmt.Sprintf("%+v", []post.Letter{l})} {
		if !strings.Contains(seen, "cd_1") || strings.Contains(strings.ToLower(seen), "private") || strings.Contains(seen, "99362") {
			t.Errorf("%s shows %s", how, seen)
		}
	}
}
