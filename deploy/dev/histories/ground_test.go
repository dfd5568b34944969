package histories

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"tokendesk/activities"
	carriersim "tokendesk/activities/gateway/carrier/simulator"
	meetingsim "tokendesk/activities/gateway/meeting/simulator"
	paymentsim "tokendesk/activities/gateway/payment/simulator"
	postsim "tokendesk/activities/gateway/post/simulator"
	identitysim "tokendesk/activities/gateway/proofing/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/deploy/dev/engine/enginetest"
	"tokendesk/internal/calendar"
	"tokendesk/internal/documents"
	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/worker"
	"tokendesk/workflows"
)

// ground is a shop of its own, with the world around it and a worker that serves it, on an engine that all share.
type ground struct {
	*testing.T
	engine   client.Client
	st       *store.Store // what people and the world do; the worker has its own
	ring     *seal.Keyring
	outside  *sandbox.Store
	post     *carriersim.Simulator
	cards    *paymentsim.Simulator
	identity *identitysim.Simulator
	rooms    *meetingsim.Simulator
	letters  *postsim.Simulator
	buyer    models.Account
}

var shops atomic.Int64

func newGround(t *testing.T, engine client.Client) *ground {
	t.Helper()
	url := testpg.Open(t)
	g := &ground{T: t, engine: engine, st: open(t, url), ring: storetest.Keyring(t)}
	storetest.Catalogue(t, g.st)
	g.watch()
	var err error
	g.outside, err = sandbox.Open(t.Context(), testpg.Empty(t))
	storetest.Must(t, err)
	t.Cleanup(g.outside.Close)
	g.post, err = carriersim.New(t.Context(), g.outside, carriersim.Config{})
	storetest.Must(t, err)
	g.cards, err = paymentsim.New(t.Context(), g.outside, paymentsim.Config{})
	storetest.Must(t, err)
	g.identity, err = identitysim.New(t.Context(), g.outside, identitysim.Config{})
	storetest.Must(t, err)
	g.rooms, err = meetingsim.New(t.Context(), g.outside, meetingsim.Config{PublicURL: "https://meet.example.com"})
	storetest.Must(t, err)
	g.letters, err = postsim.New(t.Context(), g.outside, postsim.Config{})
	storetest.Must(t, err)
	g.buyer = storetest.Account(t, g.st)
	_, err = g.st.Pool().Exec(t.Context(), "select setval('order_numbers', $1)", 10000*shops.Add(1)) // all shops share an engine
	storetest.Must(t, err)
	g.work(open(t, url+separator(url)+"application_name="+lifecycle))
	return g
}

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), url)
	storetest.Must(t, err)
	t.Cleanup(st.Close)
	return st
}

func separator(url string) string {
	if strings.Contains(url, "?") {
		return "&"
	}
	return "?"
}

var seller = documents.Seller{Name: "Tokendesk", Address: models.Address{Name: "Tokendesk", Line1: "1 Key Street", City: "Boston", Region: "MA", PostalCode: "02108", Country: "US"}}

// work starts the worker.
func (g *ground) work(st *store.Store) {
	g.Helper()
	w, err := worker.New(g.engine, worker.DevelopmentBuild,
		&activities.Orders{Store: st, Payments: g.cards, Sealer: g.ring},
		&activities.Shipping{Store: st, Carrier: g.post, Calendar: calendar.Carrier(time.UTC)},
		&activities.Credentials{Store: st, Sealer: g.ring, Hasher: storetest.Hasher},
		&activities.Refunds{Store: st, Payments: g.cards},
		&activities.Proofing{Store: st, Identity: g.identity, Meetings: g.rooms, Post: g.letters, Seller: seller})
	storetest.Must(g, err)
	storetest.Must(g, w.Start())
	g.Cleanup(w.Stop)
	_, err = worker.NewDeployment(g.engine, enginetest.Namespace).Join(g.Context(), worker.DevelopmentBuild, true)
	storetest.Must(g, err)
}

func (g *ground) lifecycles() *workflows.Client { return workflows.NewClient(g.engine) }

// dispatch hands the outbox to the engine, as far as it is for one lifecycle, and waits until that has taken it.
func (g *ground) dispatch(workflowID string) {
	g.Helper()
	rows, err := g.st.ClaimOutbox(g.Context(), 100, now().AddDate(100, 0, 0), time.Hour) // what was written on a later day, too
	storetest.Must(g, err)
	for _, row := range rows {
		if row.WorkflowID != workflowID {
			continue
		}
		until(g.T, "the engine to take "+row.Name, func() bool {
			done, err := g.lifecycles().Dispatch(g.Context(), row)
			storetest.Must(g, err)
			return done
		})
		settle(g.T, g.engine, workflowID)
	}
}

// mailed has everything that waits in the outbox of mails sent.
func (g *ground) mailed() {
	g.Helper()
	g.exec("update notices set status = 'sent', sent_at = now(), sealed = null where status = 'pending'")
}

// misbehave has the world do something else than it was asked for.
func (g *ground) misbehave(who sandbox.Gateway, operation string, effect sandbox.Effect, times int) {
	g.Helper()
	_, err := g.outside.Give(g.Context(), who, sandbox.Order{Operation: operation, Effect: effect, Times: times})
	storetest.Must(g, err)
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
