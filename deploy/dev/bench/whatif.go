package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/api/gen"
	"tokendesk/internal/app"
	"tokendesk/internal/pgcluster"
	"tokendesk/models"
)

const (
	lookedAt    = 100_000
	whatIfs     = 5    // rounds
	mostSeconds = 10.0 // for all credentials
	mostScans   = 12.0 // times the baseline
	mostMemory  = 32.0 // MiB that the API process grows by
)

// whatIf measures how long it takes to tell, over HTTP, who of 100,000 credentials would change state under another policy, and what
// memory the API process takes meanwhile. The baseline reads the same rows of the same database through the same driver, and does
// nothing with them.
func whatIf(ctx context.Context, r *report) (err error) {
	dir, err := os.MkdirTemp("", "tokendesk-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cluster, err := pgcluster.Start(ctx, pgcluster.Config{Dir: dir, Durable: true, Install: true})
	if err != nil {
		return err
	}
	defer func() {
		if e := pgcluster.Remove(context.WithoutCancel(ctx), dir); err == nil {
			err = e
		}
	}()
	s, err := openSite(ctx, cluster, filepath.Join(dir, "site"), lookedAt)
	if err != nil {
		return err
	}
	defer s.close()
	key, err := s.spread(ctx)
	if err != nil {
		return err
	}
	for _, q := range []struct{ name, change string }{
		{"everybody changes", `{"life":{"grace_months":9}}`}, // every credential is a line
		{"nobody changes", `{"life":{"reminders":[20,10]}}`}, // reminders change no state
	} {
		if err := s.measureWhatIf(ctx, r, key, q.name, q.change); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
	}
	return nil
}

// spread gives the credentials terms that end on days of their own from a year back to a year ahead, suspends some, and makes a key for
// billing.
func (s *site) spread(ctx context.Context) (models.Secret, error) {
	now := app.RealClock()
	if _, err := s.store.Pool().Exec(ctx, `
		with spread as (select id, n, $1::timestamptz + (n * 617 % (23 * 30 * 1440)) * interval '1 minute' as ends
			from (select id, row_number() over (order by id) as n from credentials) numbered)
		update credentials c set expires_at = ends, purchased_at = ends - interval '1 year',
			suspended_at = case when n % 20 = 0 then $2::timestamptz end, suspended_by = case when n % 20 = 0 then 'person' end
		from spread where spread.id = c.id`, now.AddDate(0, -11, 0), now.AddDate(0, 0, -10)); err != nil {
		return "", err
	}
	if _, err := s.store.Pool().Exec(ctx, "vacuum analyze credentials"); err != nil {
		return "", err
	}
	key, _, err := s.store.CreateAPIKey(ctx, "bench billing", models.RoleBilling, "", now)
	return key, err
}

func (s *site) measureWhatIf(ctx context.Context, r *report, key models.Secret, name, change string) error {
	var scans, asks []float64
	var answer whatIfAnswer
	before, err := s.memory("VmRSS")
	if err != nil {
		return err
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.process.Process.Pid), []byte("5"), 0); err != nil { // the peak is now
		return err
	}
	for range whatIfs {
		began := time.Now()
		if err := s.scan(ctx); err != nil {
			return err
		}
		scans = append(scans, time.Since(began).Seconds())
		began = time.Now()
		if answer, err = s.askWhatIf(ctx, key, change); err != nil {
			return err
		}
		asks = append(asks, time.Since(began).Seconds())
	}
	peak, err := s.memory("VmHWM")
	if err != nil {
		return err
	}
	took, scan := median(asks), median(scans)
	r.atMost(mostSeconds, "what-if of 100,000 credentials, "+name, took, "s", scan)
	r.add("credentials looked at, "+name, lookedAt/took, "1/s", lookedAt/scan)
	r.atMost(mostScans, "what-if per scan of the same rows, "+name, took/scan, "ratio", scan)
	r.add("credentials that would change, "+name, float64(answer.summary.Changed), "count", lookedAt)
	r.add("streamed, "+name, float64(answer.bytes)/1e6, "MB", 0)
	r.atMost(mostMemory, "peak memory of the API process, above what it had, "+name, (peak-before)/1024, "MiB", before/1024)
	return nil
}

// scan reads what a what-if reads, and nothing more.
func (s *site) scan(ctx context.Context) error {
	rows, err := s.store.Pool().Query(ctx, `select id, phase, policy_version, expires_at, expired_at, suspended_at, suspended_by, term_suspended_at, review_since
		from credentials where phase <> 'revoked' order by id`)
	if err != nil {
		return err
	}
	var c models.Credential
	seen := 0
	_, err = pgx.ForEachRow(rows, []any{&c.ID, &c.Phase, &c.PolicyVersion, &c.ExpiresAt, &c.ExpiredAt, &c.SuspendedAt, &c.SuspendedBy, &c.TermSuspendedAt, &c.ReviewSince},
		func() error { seen++; return nil })
	if err == nil && seen != lookedAt {
		err = fmt.Errorf("%d rows were read", seen)
	}
	return err
}

// whatIfAnswer is what a streamed answer came to.
type whatIfAnswer struct {
	bytes, lines int64
	summary      gen.WhatIfSummary
}

// askWhatIf asks once, and reads the answer to its last line.
func (s *site) askWhatIf(ctx context.Context, key models.Secret, change string) (a whatIfAnswer, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/v1/policies/1/what-if", strings.NewReader(change))
	if err != nil {
		return a, err
	}
	request.Header.Set("Authorization", "Bearer "+key.Reveal())
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return a, fmt.Errorf("%s: %s", response.Status, text)
	}
	var last []byte
	for lines := bufio.NewReader(response.Body); ; a.lines++ {
		line, err := lines.ReadBytes('\n')
		a.bytes += int64(len(line))
		if err == io.EOF {
			break
		}
		if err != nil {
			return a, err
		}
		last = line
	}
	if err := json.Unmarshal(bytes.TrimSpace(last), &a.summary); err != nil {
		return a, err
	}
	if a.summary.Credentials != lookedAt || a.summary.Changed != a.lines-2 {
		return a, fmt.Errorf("%d lines, and at the end %s", a.lines, last)
	}
	return a, nil
}

// memory is a line of the API process's status, in KiB.
func (s *site) memory(line string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			return strconv.ParseFloat(strings.Fields(rest)[0], 64)
		}
	}
	return 0, fmt.Errorf("the process states no %s", line)
}
