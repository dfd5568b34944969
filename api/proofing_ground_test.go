package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"tokendesk/activities/gateway/proofing/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/api/gen"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// bureau is a house with a simulated identity provider, and a person to be proofed.
type bureau struct {
	*house
	provider *simulator.Simulator
	sandbox  *sandbox.Store
	person   models.Account
	token    models.Secret
	device   *storetest.Device
	c        models.ProofingCase // as it was opened
	measured prometheus.Gatherer
}

func newBureau(t *testing.T, options ...storetest.AccountOption) *bureau {
	t.Helper()
	b := &bureau{}
	b.house = newHouse(t, func(c *Config) {
		var err error
		b.sandbox, err = sandbox.Open(t.Context(), c.Store.Pool().Config().ConnString())
		storetest.Must(t, err)
		t.Cleanup(b.sandbox.Close)
		b.provider, err = simulator.New(t.Context(), b.sandbox, simulator.Config{WebhookSecrets: []models.Secret{webhookSecret}, Keyring: c.Keyring, Now: c.Clock})
		storetest.Must(t, err)
		c.Identity, b.measured = b.provider, c.Registry.(*prometheus.Registry)
	})
	b.person, b.token = b.house.person(options...)
	b.c, b.device = storetest.Proofing(t, b.st, b.ring, b.person)
	return b
}

// path is an address of the case.
func (b *bureau) path(of string) string { return "/v1/proofing/cases/" + b.c.ID + of }

func (b *bureau) read() gen.Proofing {
	b.t.Helper()
	return read[gen.Proofing](b.get(b.token, b.path("")).want(http.StatusOK))
}

// do performs a step of the person's and tells how the case stands then.
func (b *bureau) do(step string, body any) gen.Proofing {
	b.t.Helper()
	return read[gen.Proofing](b.post(b.token, b.path(step), body).want(http.StatusOK))
}

func (b *bureau) consent() gen.Proofing {
	b.t.Helper()
	return b.do("/consent", map[string]any{"terms_version": models.DefaultPolicy().Proofing.TermsVersion, "credit_inquiry": true})
}

// What people of these tests give. It must be nowhere afterwards (PRF-2).
var planted = struct {
	address                      models.Address
	birthDate, phone, last4, ssn models.Secret
}{models.Address{Name: "Quentin Planted", Line1: "4711 Larkspur Terrace", City: "Wenatchee", Region: "WA", PostalCode: "98801", Country: "US"},
	"1961-07-23", "+15095550142", "6789", "219-45-6789"}

func identityData() map[string]any {
	return map[string]any{"address": planted.address, "birth_date": planted.birthDate, "phone": planted.phone, "ssn_last4": planted.last4}
}

// started is self-service whose session goes on.
func (b *bureau) started() gen.Proofing {
	b.t.Helper()
	b.consent()
	return b.do("/self-service", identityData())
}

// ref is the provider's name of the session that goes on.
func (b *bureau) ref() string {
	b.t.Helper()
	session, ok, err := b.st.ProofingSessionOf(b.t.Context(), b.c.ID)
	storetest.Must(b.t, err)
	if !ok {
		b.t.Fatal("no session goes on")
	}
	return session.ProviderRef
}

func (b *bureau) disturb(o sandbox.Order) {
	b.t.Helper()
	_, err := b.sandbox.Give(b.t.Context(), sandbox.Proofing, o)
	storetest.Must(b.t, err)
}

// photograph takes the pictures, as the person's phone would.
func (b *bureau) photograph() {
	b.t.Helper()
	_, err := b.provider.TakePictures(b.t.Context(), b.ref())
	storetest.Must(b.t, err)
}

// answers chooses by the rule that the simulator documents: the right option has "yes" in it.
func answers(set gen.QuestionSet, right bool) map[string]any {
	given := []any{}
	for _, q := range set.Questions {
		for _, o := range q.Options {
			if strings.Contains(o.Text, "yes") == right {
				given = append(given, map[string]any{"question_id": q.ID, "option_id": o.ID})
				break
			}
		}
	}
	return map[string]any{"set_id": set.SetID, "answers": given}
}

// later lets time pass and logs the person in again.
func (b *bureau) later(d time.Duration) {
	b.t.Helper()
	b.setClock(b.now().Add(d))
	var err error
	b.token, _, err = b.st.StartSession(b.t.Context(), b.person.ID, models.StrengthPassword, 0, b.now())
	storetest.Must(b.t, err)
}

// office adds an agent who holds sessions in the mornings of New York.
func (b *bureau) office() models.Agent {
	b.t.Helper()
	return storetest.Agent(b.t, b.st, "America/New_York", storetest.Hours(2*60, "0 9 * * 1-5"))
}

// slotAt is a slot of that agent: nine o'clock, so many days after the day that tests begin on.
func slotAt(days int) string {
	zone, _ := time.LoadLocation("America/New_York")
	return time.Date(2026, 11, 2+days, 9, 0, 0, 0, zone).Format(time.RFC3339)
}

var contact = map[string]any{"phone": "+14155550123", "email": "ada.at.home@example.com", "time_zone": "Europe/Berlin"}

// booked is a live video session that the person has booked.
func (b *bureau) booked(days int) gen.Appointment {
	b.t.Helper()
	b.do("/video", nil)
	b.post(b.token, b.path("/hold"), map[string]any{"starts_at": slotAt(days)}).want(http.StatusCreated)
	return read[gen.Appointment](b.post(b.token, b.path("/appointment"), contact).want(http.StatusCreated))
}

func (b *bureau) link() models.Secret {
	b.t.Helper()
	return linkOf(b.t, b.st, b.ring, b.c.ID)
}

// linkOf opens the link of the newest mail about an appointment of a case.
func linkOf(t testing.TB, st *store.Store, ring *seal.Keyring, caseID string) models.Secret {
	t.Helper()
	all, err := st.AppointmentsOfCase(t.Context(), caseID, storetest.At)
	storetest.Must(t, err)
	return storetest.LinkOf(t, st, ring, all[0])
}
