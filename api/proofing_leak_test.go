package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"tokendesk/activities/gateway/sandbox"
	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// places lists the columns, of every table that there is, in which any of the needles stands.
func (b *bureau) places(needles ...[]byte) (found []string) {
	b.t.Helper()
	rows, err := b.st.Pool().Query(b.t.Context(), `select format('%I.%I', n.nspname, c.relname), a.attname, format_type(a.atttypid, null) = 'bytea'
		from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'm') and a.attnum > 0 and not a.attisdropped and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')`)
	storetest.Must(b.t, err)
	type column struct {
		table, name string
		bytes       bool
	}
	var columns []column
	for rows.Next() {
		var c column
		storetest.Must(b.t, rows.Scan(&c.table, &c.name, &c.bytes))
		columns = append(columns, c)
	}
	storetest.Must(b.t, rows.Err())
	for _, c := range columns {
		text := `convert_to(%q::text, 'UTF8')`
		if c.bytes {
			text = `%q`
		}
		var hit bool
		err := b.st.Pool().QueryRow(b.t.Context(), fmt.Sprintf(`select exists (select from %s, unnest($1::bytea[]) needle where position(needle in `+text+`) > 0)`, c.table, c.name), needles).Scan(&hit)
		storetest.Must(b.t, err)
		if hit {
			found = append(found, c.table+"."+c.name)
		}
	}
	return found
}

// guises are what a secret could be kept as: itself, its digits, or a digest that anybody can guess it by.
func guises(secret string) (all [][]byte) {
	texts := []string{secret, strings.NewReplacer("-", "", " ", "", "+", "").Replace(secret)}
	for _, text := range slices.Compact(texts) {
		sum := sha256.Sum256([]byte(text))
		all = append(all, sum[:], []byte(hex.EncodeToString(sum[:])))
		if len(text) < 6 { // stands in many numbers by chance
			text = `"` + text + `"`
		}
		all = append(all, []byte(text), []byte(hex.EncodeToString([]byte(text))), []byte(base64.StdEncoding.EncodeToString([]byte(text))))
	}
	return all
}

// witness is a bureau whose answers, logs and metrics are kept.
type witness struct {
	*bureau
	answers *bytes.Buffer
}

func newWitness(t *testing.T, lastName string) witness {
	t.Helper()
	w := witness{newBureau(t, storetest.Named("Ada", "", lastName)), &bytes.Buffer{}}
	inner := w.handler
	w.handler = http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		seen := httptest.NewRecorder()
		inner.ServeHTTP(seen, r)
		fmt.Fprintf(w.answers, "%v\n%s\n", seen.Header(), seen.Body)
		for name, values := range seen.Header() {
			out.Header()[name] = values
		}
		out.WriteHeader(seen.Code)
		_, _ = out.Write(seen.Body.Bytes())
	})
	return w
}

// wantNowhere looks for secrets in every column of every table, in what was answered and logged, and in the metrics.
func (w witness) wantNowhere(secrets ...string) {
	w.t.Helper()
	families, err := w.measured.Gather()
	storetest.Must(w.t, err)
	if len(families) == 0 || w.answers.Len() == 0 {
		w.t.Fatal("nothing was witnessed")
	}
	var all [][]byte
	for i, secret := range secrets {
		all = append(all, guises(secret)...)
		for _, guise := range guises(secret) {
			for what, text := range map[string]string{"an answer": w.answers.String(), "the log": w.log.String(), "the metrics": fmt.Sprint(families)} {
				if strings.Contains(text, string(guise)) {
					w.t.Errorf("secret %d stands in %s", i, what)
				}
			}
		}
	}
	if places := w.places(all...); len(places) > 0 {
		w.t.Errorf("secrets stand in %v", places)
	}
}

// PRF-2, SEC-5: nothing of what a person gives for self-service is in a table, an answer, a log or a metric, whether it goes well or not.
func TestIdentityDataIsNowhere(t *testing.T) {
	w := newWitness(t, "Needsssn")
	w.consent()
	wrong := identityData()
	wrong["address"], wrong["unknown"] = map[string]any{"name": planted.address.Name, "line1": planted.address.Line1}, planted.ssn
	w.post(w.token, w.path("/self-service"), wrong).problem(models.InvalidRequest)
	impossible := identityData()
	impossible["birth_date"] = "1961-07-93"
	w.post(w.token, w.path("/self-service"), impossible).problem(models.IdentityDataIncomplete)
	w.disturb(sandbox.Order{Operation: "start", Effect: sandbox.Fail, Times: identityTries})
	w.post(w.token, w.path("/self-service"), identityData()).problem(models.ProviderUnreachable)
	w.post(w.token, w.path("/self-service"), identityData(), idempotencyKey, "k").want(http.StatusOK)
	w.post(w.token, w.path("/self-service"), identityData(), idempotencyKey, "k").want(http.StatusOK)
	w.post(w.token, w.path("/self-service"), impossible, idempotencyKey, "k").problem(models.IdempotencyKeyReused)
	w.post(w.token, w.path("/self-service/ssn"), map[string]any{"ssn": "000-45-6789"}).problem(models.IdentityDataIncomplete)
	w.do("/self-service/ssn", map[string]any{"ssn": planted.ssn})
	w.do("/self-service/capture-link", map[string]any{"phone": planted.phone})
	w.post(w.token, w.path("/self-service/ssn"), map[string]any{"ssn": planted.ssn}).want(http.StatusOK)
	secrets := []string{planted.ssn.Reveal(), planted.last4.Reveal(), planted.birthDate.Reveal(), "1961-07-93", "000-45-6789", planted.phone.Reveal(), planted.address.Name,
		planted.address.Line1, planted.address.City, planted.address.PostalCode}
	w.wantNowhere(secrets...)
	w.photograph()
	w.check()
	w.wantNowhere(secrets...)
	if places := w.places([]byte(w.person.Email)); !slices.Contains(places, "public.accounts.email") {
		t.Errorf("the search finds what is there in %v only", places)
	}
}

// PRF-2: the questions are about the person as well.
func TestQuestionsAreNowhere(t *testing.T) {
	w := newWitness(t, "Asked")
	w.started()
	set := read[gen.QuestionSet](w.get(w.token, w.path("/self-service/questions")).want(http.StatusOK))
	w.answers.Reset() // where they were shown
	w.do("/self-service/questions", answers(set, true))
	var texts []string
	for _, q := range set.Questions {
		texts = append(texts, q.Text, q.Options[0].Text)
	}
	w.wantNowhere(texts...)
}

// PRF-5, PRF-7, PRF-9, SEC-5: contact data stand with the appointment only; codes, links and what the agent read stand nowhere in clear.
func TestLiveVideoSecretsAreNowhere(t *testing.T) {
	w := newWitness(t, "Lovelace")
	session := storetest.LiveSessionOf(t, w.st, w.ring, w.person)
	w.c = session.Case
	link := w.link()
	w.send(w.request(http.MethodPost, "/v1/proofing/appointment-links", "", map[string]any{"token": link}, idempotencyKey, "")).want(http.StatusOK)
	w.post(w.token, w.path("/activation-code"), map[string]any{"code": "WRONG-GUESS1"}).problem(models.ActivationCodeWrong)
	w.later(session.StartsAt.Sub(w.now()))
	passed, err := w.st.RecordOutcome(t.Context(), storetest.PassOf(session), w.ring, w.now())
	storetest.Must(t, err)
	w.do("/activation-code", map[string]any{"code": passed.Code})
	w.wantNowhere(link.Reveal(), passed.Code.Reveal(), storetest.DocumentNumber.Reveal(), storetest.DocumentName.Reveal(), "WRONG-GUESS1")
	if places := w.places([]byte(session.Phone)); !slices.Equal(places, []string{"public.appointments.phone"}) {
		t.Errorf("the phone stands in %v", places)
	}
	if strings.Contains(w.log.String(), session.Phone) || strings.Contains(w.log.String(), session.Email) {
		t.Error("contact data stand in the log")
	}
}
