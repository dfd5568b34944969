package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/internal/pgcluster"
)

const (
	clients         = 16
	rounds          = 3
	stretch         = 8 * time.Second // of each measurement, whatever is measured
	warmUp          = 1 * time.Second
	leastToTPCB     = 0.5
	leastAtMillions = 0.6 // of the rate at a thousand: what is left to memory, which caches a thousand and not a million
)

// populations are the numbers of authenticators at which the cost must be the same.
var populations = []int{1_000, 100_000, 1_000_000}

// verification measures verifications over HTTP, each with its audit row, the sealer running, beside pgbench's TPC-B-like
// transactions on the same durable PostgreSQL. What is compared is measured in turns, in several rounds.
func verification(ctx context.Context, r *report) (err error) {
	dir, err := os.MkdirTemp("", "tokendesk-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Both sides are given the memory that keeps their data, so that processor and log are measured, not the disk's reads.
	cluster, err := pgcluster.Start(ctx, pgcluster.Config{Dir: dir, Durable: true, Install: true,
		Settings: map[string]string{"shared_buffers": "2GB", "max_wal_size": "8GB"}})
	if err != nil {
		return err
	}
	defer func() {
		if e := pgcluster.Remove(context.WithoutCancel(ctx), dir); err == nil {
			err = e
		}
	}()
	tpcb, err := newTPCB(ctx, cluster)
	if err != nil {
		return err
	}
	var sites []*site
	for _, n := range populations {
		r.say("  loading %d authenticators", n)
		s, err := openSite(ctx, cluster, filepath.Join(dir, strconv.Itoa(n)), n)
		if err != nil {
			return fmt.Errorf("load %d authenticators: %w", n, err)
		}
		defer s.close()
		sites = append(sites, s)
	}
	baselines, err := takeTurns(ctx, tpcb, sites)
	if err != nil {
		return err
	}
	return reportVerification(ctx, r, median(baselines), sites)
}

// takeTurns measures the baseline before, between and after the verifications.
func takeTurns(ctx context.Context, b *tpcb, sites []*site) (baselines []float64, err error) {
	for round := range rounds + 1 {
		tps, err := b.run(ctx)
		if err != nil {
			return nil, err
		}
		baselines = append(baselines, tps)
		if round == rounds {
			break
		}
		for _, s := range sites {
			if err := s.measure(ctx); err != nil {
				return nil, fmt.Errorf("verify at %d authenticators: %w", s.size, err)
			}
		}
	}
	return baselines, nil
}

func reportVerification(ctx context.Context, r *report, baseline float64, sites []*site) error {
	r.add("pgbench, TPC-B-like, -s 50 -c 16 -j 2 -M prepared", baseline, "1/s", 0)
	for _, s := range sites {
		at := fmt.Sprintf(" at %d authenticators", s.size)
		rate := median(s.rates)
		r.add("verifications"+at, rate, "1/s", baseline)
		r.add("verification p50"+at, s.percentile(0.50), "ms", 0)
		r.add("verification p99"+at, s.percentile(0.99), "ms", 0)
		r.atLeast(leastToTPCB, "verifications per TPC-B-like transaction"+at, rate/baseline, "ratio", baseline)
		if err := s.check(ctx); err != nil {
			return fmt.Errorf("after measuring%s: %w", at, err)
		}
	}
	first, last := median(sites[0].rates), median(sites[len(sites)-1].rates)
	r.atLeast(leastAtMillions, fmt.Sprintf("verifications at %d per verification at %d authenticators", sites[len(sites)-1].size, sites[0].size), last/first, "ratio", first)
	return nil
}

// tpcb is pgbench's built-in benchmark on a database of its own.
type tpcb struct {
	program string
	url     string
}

func newTPCB(ctx context.Context, cluster *pgcluster.Cluster) (*tpcb, error) {
	if _, err := pgcluster.CreateDatabase(ctx, cluster.URL("postgres"), "tpcb"); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, cluster.URL("tpcb"))
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	var bin string
	if err := conn.QueryRow(ctx, "select setting from pg_config where name = 'BINDIR'").Scan(&bin); err != nil {
		return nil, fmt.Errorf("find pgbench: %w", err)
	}
	b := &tpcb{filepath.Join(bin, "pgbench"), cluster.URL("tpcb")}
	_, err = b.pgbench(ctx, "-i", "-q", "-s", "50")
	return b, err
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

func (b *tpcb) run(ctx context.Context) (float64, error) {
	out, err := b.pgbench(ctx, "-c", strconv.Itoa(clients), "-j", "2", "-M", "prepared", "-T", strconv.Itoa(int(stretch.Seconds())))
	if err != nil {
		return 0, err
	}
	found := tps.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("pgbench said: %s", out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

func (b *tpcb) pgbench(ctx context.Context, args ...string) ([]byte, error) {
	cfg, err := pgx.ParseConfig(b.url)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, b.program, args...)
	cmd.Env = append(os.Environ(), "PGHOST="+cfg.Host, "PGPORT="+strconv.Itoa(int(cfg.Port)), "PGUSER="+cfg.User, "PGPASSWORD="+cfg.Password, "PGDATABASE="+cfg.Database)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	return out, nil
}
