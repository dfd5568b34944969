package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/internal/demodata"
)

// process is a stack in a process of its own.
type process struct {
	*testing.T
	cfg     child
	running *exec.Cmd
	output  *os.File
}

func newProcess(t *testing.T) *process {
	t.Helper()
	cfg := stacktest.Config(t)
	p := &process{T: t, cfg: child{StateDir: cfg.StateDir, DatabaseURL: cfg.DatabaseURL,
		Ports: stack.Ports{API: lowPort(t), Agents: lowPort(t), SMTP: lowPort(t), Temporal: lowPort(t)}}}
	var err error
	must(t, os.MkdirAll(filepath.Join(cfg.StateDir, "log"), 0o755))
	p.output, err = os.Create(filepath.Join(cfg.StateDir, "log", "output.log"))
	must(t, err)
	t.Cleanup(func() {
		p.kill()
		_ = p.output.Close()
		if t.Failed() {
			p.keepLogs()
		}
	})
	return p
}

// start starts the process and waits until it serves.
func (p *process) start() {
	p.Helper()
	text, err := json.Marshal(p.cfg)
	must(p, err)
	p.running = exec.Command(os.Args[0])
	p.running.Env = append(os.Environ(), childConfig+"="+string(text))
	p.running.Stderr = p.output
	_, err = p.running.StdinPipe() // held open: its end tells the child that nobody needs it any more
	must(p, err)
	out, err := p.running.StdoutPipe()
	must(p, err)
	must(p, p.running.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "started" {
		p.Fatalf("the process does not start: %s", lines.Text())
	}
	eventually(p, time.Minute, "the API to be ready", func() bool {
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", p.cfg.Ports.API))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// kill ends the process as a power failure would.
func (p *process) kill() {
	if p.running == nil {
		return
	}
	_ = p.running.Process.Kill()
	_ = p.running.Wait()
	p.running = nil
}

func (p *process) ground() *ground {
	p.Helper()
	secrets, err := demodata.Read(filepath.Join(p.cfg.StateDir, "demo.json"))
	must(p, err)
	text, err := os.ReadFile(filepath.Join(p.cfg.StateDir, "stack.json"))
	must(p, err)
	var record stack.Record
	must(p, json.Unmarshal(text, &record))
	return &ground{record, journey.NewWorld(record.APIURL, secrets), dial(p, record.TemporalAddress), pool(p, record.DatabaseURL)}
}

// keepLogs leaves the logs of a process that failed where they can be read.
func (p *process) keepLogs() {
	kept, err := os.MkdirTemp("", "tokendesk-killed")
	if err == nil {
		err = os.CopyFS(kept, os.DirFS(filepath.Join(p.cfg.StateDir, "log")))
	}
	p.Logf("logs are kept in %s: %v", kept, err)
}

// lowPort is a port that no outgoing connection is given by chance while nobody listens on it.
func lowPort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			must(t, l.Close())
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}
