package e2e

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/engine"
	"tokendesk/deploy/dev/stack"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/internal/app"
	"tokendesk/models"
	"tokendesk/workflows"
)

// LOG-5, LOG-4: while the engine is down, logins are verified, a term that has ended meanwhile is seen, and a token is locked; the
// credential's lifecycle hears of the lock when the engine is back.
func TestEngineDown(t *testing.T) {
	var ahead atomic.Int64
	cfg := stacktest.Config(t)
	start := engineOf(t, cfg)
	server := start()
	cfg.TemporalAddress = server.Address()
	cfg.Product.Configure = func(c *app.Config) {
		c.Clock = func() time.Time { return app.RealClock().Add(time.Duration(ahead.Load())) }
	}
	g := groundOf(t, stacktest.Run(t, cfg))
	journeys := g.people(t, nil, []string{journey.GoodCard})
	for _, j := range journeys {
		play(t, j)
	}
	unlucky, late := journeys[0], journeys[1]

	must(t, server.Close())
	eventually(t, 20*time.Second, "the engine to be missed", func() bool { return status(t, g.record.APIURL+"/readyz") == http.StatusServiceUnavailable })

	verified := func(j *journey.Journey, code string, want models.VerificationResult) {
		t.Helper()
		began := time.Now()
		answer, err := j.Verify(t.Context(), code)
		if err != nil || answer.Result != want {
			t.Errorf("without the engine the answer is %q: %v, want %s", answer.Result, err, want)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("without the engine an answer takes %v", took)
		}
	}
	code := unlucky.Device().Press()
	verified(unlucky, code, models.Accepted)
	verified(unlucky, code, models.ResultWrongCode)
	for range models.DefaultPolicy().OTP.LockAfter - 1 {
		verified(unlucky, "00000000", models.ResultWrongCode)
	}
	verified(unlucky, unlucky.Device().Press(), models.ResultLocked)

	verified(late, late.Device().Press(), models.Accepted)
	ahead.Store(int64(400 * 24 * time.Hour))
	verified(late, late.Device().Press(), models.ResultExpired)
	ahead.Store(0)

	start()
	id := models.CredentialLifecycle.WorkflowID(unlucky.Credential.ID)
	eventually(t, 40*time.Second, "the lifecycle to hear of the lock", func() bool {
		d, err := g.engine.DescribeWorkflow(t.Context(), id, "")
		if err != nil {
			return false // the engine is not up yet
		}
		status, _ := d.TypedSearchAttributes.GetKeyword(workflows.StatusKey)
		return status == string(models.ShownLocked)
	})
	if details := g.details(t, id); !strings.Contains(details, "Locked") {
		t.Errorf("the details are %q", details)
	}
	eventually(t, 20*time.Second, "the person to be told", func() bool {
		mails, err := g.world.Mails(t.Context(), unlucky.Person.Email, "locked")
		return err == nil && len(mails) == 1
	})
}

// engineOf prepares an engine beside the product's database, that can be stopped and started again at its address.
func engineOf(t *testing.T, cfg stack.Config) (start func() *engine.Engine) {
	t.Helper()
	port := lowPort(t)
	database := cfg.DatabaseURL[strings.LastIndex(cfg.DatabaseURL, "/")+1:]
	database, _, _ = strings.Cut(database, "?")
	return func() *engine.Engine {
		t.Helper()
		e, err := engine.Start(t.Context(), engine.Config{PostgresURL: cfg.DatabaseURL, Database: database + "_temporal", Port: port,
			Namespace: stack.Namespace, SearchAttributes: workflows.SearchAttributeKeys()})
		must(t, err)
		t.Cleanup(func() { _ = e.Close() }) // again, where the test has done so
		return e
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	response, err := http.Get(url)
	must(t, err)
	defer response.Body.Close()
	return response.StatusCode
}
