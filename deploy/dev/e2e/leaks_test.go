package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack"
)

// sieve finds what was planted in whatever is poured through it.
type sieve struct {
	needles map[string][]byte // by what they are
	codes   *regexp.Regexp    // one-time passwords, where no other digit stands beside them
}

// secretsOf looks for what nobody may find anywhere: secrets, as they are and in the usual encodings.
func secretsOf(p journey.Planted) *sieve {
	s := &sieve{needles: map[string][]byte{}}
	for _, secret := range p.Secrets {
		s.add("a secret", []byte(secret))
	}
	for _, seed := range p.Seeds {
		s.add("a seed", seed)
		s.needles["a seed in base32 "+hex.EncodeToString(seed)] = []byte(base32.StdEncoding.EncodeToString(seed))
	}
	if len(p.Codes) > 0 {
		s.codes = regexp.MustCompile(`(^|[^0-9A-Za-z])(` + strings.Join(p.Codes, "|") + `)([^0-9A-Za-z]|$)`)
	}
	return s
}

// everythingOf looks for personal data too.
func everythingOf(p journey.Planted) *sieve {
	s := secretsOf(p)
	for _, personal := range p.Personal {
		s.add("personal data", []byte(personal))
	}
	return s
}

// passingOf looks for what passes through memory: nobody may find it, and a simulator keeps it sealed at most (PRF-2, PRF-9).
func passingOf(p journey.Planted) *sieve {
	s := &sieve{needles: map[string][]byte{}}
	for _, given := range p.Identity {
		s.add("what was given to be proofed", []byte(given))
		sum := sha256.Sum256([]byte(given))
		s.add("a digest that shows what was given", sum[:])
	}
	for _, code := range p.ActivationCodes {
		s.add("an activation code", []byte(code))
	}
	return s
}

func (s *sieve) add(what string, value []byte) {
	name := func(form string) string { return what + form + " (" + hex.EncodeToString(value) + ")" }
	s.needles[name("")] = value
	s.needles[name(" in hexadecimal")] = []byte(hex.EncodeToString(value))
	s.needles[name(" in capital hexadecimal")] = []byte(strings.ToUpper(hex.EncodeToString(value)))
	s.needles[name(" in base64")] = []byte(base64.RawStdEncoding.EncodeToString(value))
	s.needles[name(" in URL base64")] = []byte(base64.RawURLEncoding.EncodeToString(value))
}

// find returns what it finds in the content, with what stands around it.
func (s *sieve) find(content []byte) (found []string) {
	for what, needle := range s.needles {
		if i := bytes.Index(content, needle); i >= 0 {
			found = append(found, fmt.Sprintf("%s: …%q…", what, around(content, i, i+len(needle))))
		}
	}
	if s.codes != nil {
		if at := s.codes.FindIndex(content); at != nil {
			found = append(found, fmt.Sprintf("a one-time password: …%q…", around(content, at[0], at[1])))
		}
	}
	return found
}

// check fails the test for what it finds in the content.
func (s *sieve) check(t testing.TB, where string, content []byte) {
	t.Helper()
	for _, found := range s.find(content) {
		t.Errorf("%s holds %s", where, found)
	}
}

func around(content []byte, from, to int) []byte {
	return content[max(0, from-60):min(len(content), to+60)]
}

// dump returns a database table by table as it is stored, text and bytes in clear, without the schemas that are left out.
func dump(t testing.TB, url string, leftOut ...string) map[string][]byte {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	must(t, err)
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables
		where table_type = 'BASE TABLE' and table_schema <> all ($1)`, append([]string{"pg_catalog", "information_schema"}, leftOut...))
	must(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	content := map[string][]byte{}
	for _, table := range tables {
		var b bytes.Buffer
		_, err := conn.PgConn().CopyTo(ctx, &b, "copy (select * from "+table+") to stdout (format binary)")
		must(t, err)
		content[table] = b.Bytes()
	}
	return content
}

// histories returns the history of every workflow, the closed ones too, as the engine transmits it: payloads in clear.
func histories(t testing.TB, c client.Client) map[string]*historypb.History {
	t.Helper()
	ctx, all := context.Background(), map[string]*historypb.History{}
	var page []byte
	for {
		list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{NextPageToken: page})
		must(t, err)
		for _, w := range list.Executions {
			h := &historypb.History{}
			events := c.GetWorkflowHistory(ctx, w.Execution.WorkflowId, w.Execution.RunId, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for events.HasNext() {
				e, err := events.Next()
				if _, deleted := errors.AsType[*serviceerror.NotFound](err); deleted {
					break // the list lags behind
				}
				must(t, err)
				h.Events = append(h.Events, e)
			}
			all[w.Execution.WorkflowId+" "+w.Execution.RunId] = h
		}
		if page = list.NextPageToken; len(page) == 0 {
			return all
		}
	}
}

// noLeaks searches everything that a stack leaves behind (SEC-2, SEC-5). Personal data may be in the product's database only,
// and secrets not even there; what the simulators of the outside world keep is theirs.
func noLeaks(t testing.TB, c client.Client, record stack.Record, planted journey.Planted, logFiles ...string) {
	t.Helper()
	everything, secrets, passing := everythingOf(planted), secretsOf(planted), passingOf(planted)
	for id, h := range histories(t, c) {
		content, err := proto.Marshal(h)
		must(t, err)
		everything.check(t, "the history of "+id, content)
		passing.check(t, "the history of "+id, content)
	}
	for _, suffix := range []string{"_temporal", "_temporal_visibility"} {
		for table, content := range dump(t, engineDatabase(t, record.DatabaseURL, suffix)) {
			everything.check(t, "the engine's table "+table, content)
			passing.check(t, "the engine's table "+table, content)
		}
	}
	for table, content := range dump(t, record.DatabaseURL, "sandbox") {
		secrets.check(t, "table "+table, content)
	}
	for table, content := range dump(t, record.DatabaseURL) {
		passing.check(t, "table "+table, content)
	}
	for _, file := range logFiles {
		content, err := os.ReadFile(file)
		must(t, err)
		everything.check(t, filepath.Base(file), content)
		passing.check(t, filepath.Base(file), content)
	}
}

// logsIn lists the logs in a state directory.
func logsIn(t testing.TB, stateDir string) (files []string) {
	t.Helper()
	must(t, filepath.WalkDir(filepath.Join(stateDir, "log"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// The search finds what it is for, in every form that it may have.
func TestSieve(t *testing.T) {
	seed := []byte("\x01\x02seed of twenty byte")
	digest := sha256.Sum256([]byte("219456789"))
	planted := journey.Planted{Personal: []string{"Zephyrine"}, Identity: []string{"219456789", `"6789"`}, ActivationCodes: []string{"7KQ2M-WQ4PX"}, Secrets: []string{"ABCDE-FGHJK"}, Codes: []string{"12345678"}, Seeds: [][]byte{seed}}
	cases := []struct {
		name, content string
		found         bool
	}{
		{"nothing", `{"id": "or_1", "at": "2026-11-02T15:00:00.123456789Z"}`, false},
		{"personal data", `{"first": "Zephyrine"}`, true},
		{"a secret", "key ABCDE-FGHJK", true},
		{"a secret in base64", base64.StdEncoding.EncodeToString([]byte("ABCDE-FGHJK")), true},
		{"a seed", "seed " + string(seed), true},
		{"a seed in hexadecimal", hex.EncodeToString(seed), true},
		{"a seed in base32", base32.StdEncoding.EncodeToString(seed), true},
		{"a code", `{"code":"12345678"}`, true},
		{"digits of a longer number", "0123456789", false},
		{"a Social Security number", `{"ssn":"219456789"}`, true},
		{"its last digits", `{"ssn_last4":"6789"}`, true},
		{"its digest", "row " + string(digest[:]), true},
		{"its digest in hexadecimal", hex.EncodeToString(digest[:]), true},
		{"an activation code", "code 7KQ2M-WQ4PX", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if found := append(everythingOf(planted).find([]byte(c.content)), passingOf(planted).find([]byte(c.content))...); (len(found) > 0) != c.found {
				t.Errorf("found %q", found)
			}
		})
	}
}
