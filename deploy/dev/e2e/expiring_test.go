package e2e

import (
	"context"
	"testing"
	"time"

	"tokendesk/deploy/dev/crowd"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/internal/app"
)

// TestCrowdExpiresThoughWorkersAreKilled has 2,000 credentials expire one after the other while the worker is killed and started again 20 times:
// each is expired and told of it, none twice (LIF-1, OPS-2).
func TestCrowdExpiresThoughWorkersAreKilled(t *testing.T) {
	const size, kills = 2000, 20
	cfg := stacktest.Config(t)
	cfg.Ports.SMTP = lowPort(t)
	cfg.Product.Configure = func(c *app.Config) { c.Worker = false }
	s := stacktest.Run(t, cfg)
	g := groundOf(t, s)
	start := func() *crowd.Worker {
		w, err := crowd.StartWorker(s, cfg.StateDir, cfg.Ports.SMTP)
		must(t, err)
		return w
	}
	w := start()
	now := time.Now().UTC().Truncate(time.Microsecond)
	expires := make([]time.Time, size)
	for i := range expires {
		expires[i] = now.Add(10*time.Second + time.Duration(i)*10*time.Millisecond)
	}
	_, err := crowd.Seed(t.Context(), g.db, now, expires)
	must(t, err)

	count := func(query string) func(context.Context) (int, error) {
		return func(context.Context) (int, error) { return one[int](t, g.db, query), nil }
	}
	for kill := range kills { // each when a further part of them has expired
		must(t, crowd.Until(t.Context(), time.Minute, size*(kill+1)/(kills+2), count("select count(*) from credentials where expired_at is not null")))
		w.Kill()
		w = start()
	}
	defer w.Stop()
	must(t, crowd.Until(t.Context(), 2*time.Minute, size, count("select count(*) from notices where status = 'sent' and kind = 'expired'")))
	must(t, crowd.Until(t.Context(), time.Minute, 1, count("select (count(*) = 0)::int from notices where status = 'pending'")))

	for what, query := range map[string]string{
		"that expired at another moment": "select count(*) from credentials where expired_at is distinct from expires_at",
		"without exactly two milestones": "select count(*) from credentials c where (select count(*) from credential_milestones m where m.credential_id = c.id) <> 2",
		"without exactly one mail":       "select count(*) from credentials c where (select count(*) from notices n where n.subject_ref = c.id and n.kind = 'expired') <> 1",
		// One that is overtaken by the expiry is not written, or withdrawn: the mail about the expiry says it all.
		"with more than one notice":          "select count(*) from credentials c where (select count(*) from notices n where n.subject_ref = c.id and n.kind = 'expiry_ahead') > 1",
		"whose mails are not in the mailbox": "select count(*) from notices n where n.subject_ref like 'cr\\_%' and (select count(*) from sandbox.mails m where m.message_id = n.message_id) <> (n.status = 'sent')::int",
		"audited other than once":            "select count(*) from credentials c where (select count(*) from audit_events a where a.credential_id = c.id and a.kind = 'credential.expired') <> 1",
	} {
		if n := one[int](t, g.db, query); n != 0 {
			t.Errorf("%d credentials %s", n, what)
		}
	}
}
