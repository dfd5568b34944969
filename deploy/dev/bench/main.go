// Command bench measures what docs/performance.md states: ratios against a baseline of the same run, and counts that do not
// depend on the machine.
//
//	bench [-json] [verification] [transitions] [orders] [lives] [what-if] [scheduling]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"time"

	"tokendesk/deploy/dev/crowd"
)

// figure is one measured number.
type figure struct {
	Name     string  `json:"name"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Baseline float64 `json:"baseline"`        // what the value is held against, in the unit that the name says
	Limit    string  `json:"limit,omitempty"` // what the value must keep, for example ">= 0.5"
	Kept     bool    `json:"kept"`
}

// report collects figures and shows each as soon as it is known.
type report struct {
	json    bool
	out     io.Writer
	missing int // figures that do not keep their limit
}

// add shows a figure without a limit.
func (r *report) add(name string, value float64, unit string, baseline float64) {
	r.show(figure{Name: name, Value: value, Unit: unit, Baseline: baseline, Kept: true})
}

// atLeast shows a figure that must not fall below its limit.
func (r *report) atLeast(limit float64, name string, value float64, unit string, baseline float64) {
	r.show(figure{name, value, unit, baseline, fmt.Sprintf(">= %g", limit), value >= limit})
}

// atMost shows a figure that must not rise above its limit.
func (r *report) atMost(limit float64, name string, value float64, unit string, baseline float64) {
	r.show(figure{name, value, unit, baseline, fmt.Sprintf("<= %g", limit), value <= limit})
}

func (r *report) show(f figure) {
	if !f.Kept {
		r.missing++
	}
	if r.json {
		e := json.NewEncoder(r.out)
		e.SetEscapeHTML(false) // limits read ">= 0.5"
		_ = e.Encode(f)
		return
	}
	line := fmt.Sprintf("  %-58s %12.4g %-8s", f.Name, f.Value, f.Unit)
	if f.Baseline != 0 {
		line += fmt.Sprintf("  baseline %.4g", f.Baseline)
	}
	if f.Limit != "" {
		line += "  " + f.Limit
		if !f.Kept {
			line += "  NOT KEPT"
		}
	}
	fmt.Fprintln(r.out, line)
}

// say tells a person how far it is; machines read figures only.
func (r *report) say(format string, args ...any) {
	if !r.json {
		fmt.Fprintf(r.out, format+"\n", args...)
	}
}

var measurements = []struct {
	name string
	run  func(context.Context, *report) error
}{
	{"verification", verification},
	{"transitions", transitions},
	{"orders", orders},
	{"lives", lives},
	{"what-if", whatIf},
	{"scheduling", scheduling},
}

func main() {
	crowd.Main()
	if configuration := os.Getenv(serveVariable); configuration != "" {
		if err := serve(configuration); err != nil {
			fmt.Fprintln(os.Stderr, "bench: the API process:", err)
			os.Exit(1)
		}
		return
	}
	r := &report{out: os.Stdout}
	flag.BoolVar(&r.json, "json", os.Getenv("JSON") != "", "print one JSON object per figure")
	profile := flag.String("cpuprofile", "", "write a CPU profile of this process to the file")
	flag.Parse()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	end, err := startProfile(*profile)
	if err == nil {
		err = errors.Join(measure(ctx, r, flag.Args()), end())
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func startProfile(file string) (end func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, pprof.StartCPUProfile(f)
}

func measure(ctx context.Context, r *report, names []string) error {
	for _, m := range measurements {
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		began := time.Now()
		r.say("%s", m.name)
		if err := m.run(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		r.say("  (took %.0f s)", time.Since(began).Seconds())
	}
	if r.missing > 0 {
		return fmt.Errorf("%d figures do not keep their limit", r.missing)
	}
	return nil
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return s[len(s)/2]
}
