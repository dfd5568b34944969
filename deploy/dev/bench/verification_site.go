package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"tokendesk/internal/app"
	"tokendesk/internal/pgcluster"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/worker"
)

// site is a database of some size with an API process on it.
type site struct {
	size     int
	store    *store.Store
	signer   *seal.Signer
	key      models.Secret
	process  *exec.Cmd
	input    io.Closer // of the process; it ends with it
	address  string    // of the API
	counters []int64   // of each token's next code

	rates     []float64
	latencies []time.Duration
	accepted  int
}

// openSite loads a database and starts an API process on it. The process has no workflow engine to talk to.
func openSite(ctx context.Context, cluster *pgcluster.Cluster, dir string, size int) (s *site, err error) {
	p := serving{DatabaseURL: cluster.URL(fmt.Sprintf("size_%d", size)), Keyring: filepath.Join(dir, "keyring.json"), Signer: filepath.Join(dir, "signer.json")}
	s = &site{size: size, counters: make([]int64, size)}
	ring, err := seal.OpenOrCreateKeyring(p.Keyring)
	if err != nil {
		return nil, err
	}
	if s.signer, err = seal.OpenOrCreateSigner(p.Signer); err != nil {
		return nil, err
	}
	if s.store, s.key, err = load(ctx, cluster, p.DatabaseURL, ring, size); err != nil {
		return nil, err
	}
	if err := s.start(p); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// start runs the API as this program's child and waits until it says where it listens.
func (s *site) start(p serving) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	configuration, err := json.Marshal(p)
	if err != nil {
		return err
	}
	s.process = exec.Command(self)
	s.process.Env = append(os.Environ(), serveVariable+"="+string(configuration))
	s.process.Stderr = os.Stderr
	if s.input, err = s.process.StdinPipe(); err != nil {
		return err
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	if _, err := fmt.Fscanln(out, &s.address); err != nil {
		return errors.New("the API process did not start")
	}
	return nil
}

func (s *site) close() {
	if s.input != nil {
		_ = s.input.Close()
		_ = s.process.Wait() // what it could complain of, it wrote
		s.input = nil
	}
	if s.store != nil {
		s.store.Close()
	}
}

// serveVariable, when set, makes this program the API process of a site. It holds a serving as JSON.
const serveVariable = "TOKENDESK_BENCH_SERVE"

// serving is what the API process of a site must know.
type serving struct{ DatabaseURL, Keyring, Signer string }

// serve is the API process: the API as tokendesk runs it, and the sealer, which runs beside it in production. It ends with its
// standard input.
func serve(configuration string) error {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // the parent decides
	var p serving
	if err := json.Unmarshal([]byte(configuration), &p); err != nil {
		return err
	}
	a, err := app.Start(context.Background(), app.Config{
		API: true, APIAddress: "127.0.0.1:0", DatabaseURL: p.DatabaseURL, KeyringFile: p.Keyring, SigningKeyFile: p.Signer,
		TemporalAddress: "127.0.0.1:1", Namespace: "none", // there is no engine
		Sandbox: true, Mail: app.Mail{Host: "127.0.0.1", Port: 25, TLS: "none"},
	})
	if err != nil {
		return err
	}
	defer a.Close()
	signer, err := seal.OpenSigner(p.Signer)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go (&worker.Sealer{Store: a.Store(), Signer: signer, Clock: app.RealClock}).Run(ctx)
	profile := os.Getenv(profileVariable)
	if profile != "" {
		profile += "." + strconv.Itoa(os.Getpid())
	}
	end, err := startProfile(profile)
	if err != nil {
		return err
	}
	fmt.Println(strings.TrimPrefix(a.APIURL(), "http://"))
	_, _ = io.Copy(io.Discard, os.Stdin)
	return end()
}

// profileVariable names the file for CPU profiles of the API processes; each adds its process id.
const profileVariable = "TOKENDESK_BENCH_API_PROFILE"

// measure lets all clients verify for a stretch of time, each with tokens of its own so that codes come in order.
func (s *site) measure(ctx context.Context) error {
	askers := make([]*asker, clients)
	for i := range askers {
		a, err := newAsker(s.address, s.key)
		if err != nil {
			return err
		}
		defer a.close()
		askers[i] = a
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make(chan error, clients)
	begin := time.Now().Add(warmUp)
	end := begin.Add(stretch)
	for i, a := range askers {
		wg.Go(func() {
			if err := s.ask(ctx, a, i, begin, end); err != nil {
				errs <- err
				cancel()
			}
		})
	}
	wg.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return err
	}
	n := 0
	for _, a := range askers {
		n += len(a.latencies)
		s.latencies = append(s.latencies, a.latencies...)
		s.accepted += a.accepted
	}
	s.rates = append(s.rates, float64(n)/stretch.Seconds())
	return ctx.Err()
}

// ask verifies codes of every clients-th person, chosen at random, until the end; what is answered from begin on is measured.
func (s *site) ask(ctx context.Context, a *asker, client int, begin, end time.Time) error {
	choose := rand.New(rand.NewPCG(uint64(client), uint64(len(s.rates))))
	for ctx.Err() == nil {
		i := choose.IntN((s.size-client+clients-1)/clients)*clients + client
		code := codeOf(i, s.counters[i])
		s.counters[i]++
		sent := time.Now()
		accepted, err := a.verify(userID(i), code)
		if err != nil {
			return err
		}
		answered := time.Now()
		if accepted {
			a.accepted++
		} else if !repeats(i, s.counters[i]-1) {
			return errors.New("a right code was refused")
		}
		if answered.After(end) {
			return nil
		}
		if sent.After(begin) {
			a.latencies = append(a.latencies, answered.Sub(sent))
		}
	}
	return ctx.Err()
}

// percentile is a quantile of the latencies of all rounds, in milliseconds.
func (s *site) percentile(q float64) float64 {
	slices.Sort(s.latencies)
	return float64(s.latencies[int(q*float64(len(s.latencies)-1))]) / float64(time.Millisecond)
}

// check looks whether what was measured was done: an audit row for each acceptance, and a chain that holds.
func (s *site) check(ctx context.Context) error {
	s.close()
	st, err := store.Open(ctx, s.store.Pool().Config().ConnString())
	if err != nil {
		return err
	}
	defer st.Close()
	var events int
	if err := st.Pool().QueryRow(ctx, "select count(*) from audit_events where kind = 'code.verified' and outcome = 'success'").Scan(&events); err != nil {
		return err
	}
	if events != s.accepted {
		return fmt.Errorf("%d codes were accepted and %d acceptances are audited", s.accepted, events)
	}
	if _, err := st.SealAudit(ctx, models.AuthenticationEvents, s.signer, app.RealClock()); err != nil {
		return err
	}
	report, err := st.VerifyAudit(ctx, models.AuthenticationEvents, s.signer.Verifier)
	if err != nil {
		return err
	}
	if !report.Intact() || report.Events != int64(events) || report.Unsealed != 0 {
		return fmt.Errorf("the audit chain has %d events, %d are unsealed, findings: %v", report.Events, report.Unsealed, report.Findings)
	}
	return nil
}
