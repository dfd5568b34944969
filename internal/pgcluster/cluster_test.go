package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// childDir names, for a test binary that was started again as another process, the cluster that it shall start.
const childDir = "PGCLUSTER_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		c, err := Start(context.Background(), Config{Dir: dir})
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println("started", c.Port())
		select {}
	}
	os.Exit(m.Run())
}

// stateDir returns a directory that every account may enter. The directory of t.TempDir is closed to others.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgcluster")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Remove(context.Background(), dir); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

func start(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// exec1 runs a statement that returns one value.
func exec1[T any](t *testing.T, url, sql string) (value T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestStartStopStartKeepsDataAndPort(t *testing.T) {
	dir := stateDir(t)
	c := start(t, Config{Dir: dir})
	if created, err := CreateDatabase(t.Context(), c.URL("postgres"), "kept"); err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	if created, err := CreateDatabase(t.Context(), c.URL("postgres"), "kept"); err != nil || created {
		t.Fatalf("created again: %v, %v", created, err)
	}
	if name := exec1[string](t, c.SocketURL("kept"), "SELECT current_database()"); name != "kept" {
		t.Errorf("the socket leads to %q", name)
	}
	port := c.Port()
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !portFree(port) {
		t.Error("the port is still held after the stop")
	}
	again := start(t, Config{Dir: dir})
	if again.Port() != port || again.Attached() {
		t.Errorf("port %d then %d, attached %v", port, again.Port(), again.Attached())
	}
	if name := exec1[string](t, again.URL("kept"), "SELECT current_database()"); name != "kept" {
		t.Errorf("connected to %q", name)
	}
}

func TestAttachesAfterItsStarterWasKilled(t *testing.T) {
	dir := stateDir(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var word string
	var port int
	if _, err := fmt.Fscan(out, &word, &port); err != nil || word != "started" {
		t.Fatalf("the child said %q: %v", word, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()

	c := start(t, Config{Dir: dir})
	if !c.Attached() || c.Port() != port {
		t.Errorf("attached %v to port %d, the killed process had started %d", c.Attached(), c.Port(), port)
	}
	if one := exec1[int](t, c.URL("postgres"), "SELECT 1"); one != 1 {
		t.Error("the server does not answer")
	}
}

func TestAnotherPortMovesARunningCluster(t *testing.T) {
	dir := stateDir(t)
	before := start(t, Config{Dir: dir})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	wish := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	after := start(t, Config{Dir: dir, Port: wish})
	if after.Port() != wish || after.Attached() {
		t.Errorf("port %d, attached %v, wanted a restart on %d", after.Port(), after.Attached(), wish)
	}
	if !portFree(before.Port()) {
		t.Error("the old port is still held")
	}
}

func TestRepairsAStaleLock(t *testing.T) {
	bystander := exec.Command("sleep", "600")
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bystander.Process.Kill(); _ = bystander.Wait() })
	cases := []struct {
		name string
		pid  func(dead int) int
	}{
		{"the process is gone", func(dead int) int { return dead }},
		{"its number belongs to another process now", func(int) int { return bystander.Process.Pid }},
		{"its number belongs to this process now", func(int) int { return os.Getpid() }},
	}
	dir := stateDir(t)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := start(t, Config{Dir: dir})
			lock := filepath.Join(c.home.data(), "postmaster.pid")
			p, ok := readPostmaster(c.home.data())
			if !ok {
				t.Fatal("no postmaster.pid while the server runs")
			}
			content, err := os.ReadFile(lock)
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool { return !serves(p.pid, c.home.data()) })
			_, rest, _ := strings.Cut(string(content), "\n")
			if err := os.WriteFile(lock, []byte(strconv.Itoa(tc.pid(p.pid))+"\n"+rest), 0o600); err != nil {
				t.Fatal(err)
			}
			again := start(t, Config{Dir: dir})
			if again.Attached() {
				t.Error("attached to a server that was killed")
			}
			if one := exec1[int](t, again.URL("postgres"), "SELECT 1"); one != 1 {
				t.Error("the server does not answer")
			}
		})
	}
}

func TestBusyPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = Start(t.Context(), Config{Dir: stateDir(t), Port: port})
	var busy *PortBusyError
	if !errors.As(err, &busy) || busy.Port != port || !strings.Contains(err.Error(), strconv.Itoa(port)) {
		t.Fatalf("got %v", err)
	}
}

func TestConcurrentStartsShareOneServer(t *testing.T) {
	dir := stateDir(t)
	ports := make([]int, 4)
	var wg sync.WaitGroup
	for i := range ports {
		wg.Go(func() {
			c, err := Start(t.Context(), Config{Dir: dir})
			if err != nil {
				t.Error(err)
				return
			}
			ports[i] = c.Port()
		})
	}
	wg.Wait()
	for _, port := range ports {
		if port != ports[0] {
			t.Fatalf("different servers: %v", ports)
		}
	}
}

func TestAKilledCreationLeavesNothingInTheWay(t *testing.T) {
	dir := stateDir(t)
	h, err := openHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(h.dir, "data.new")
	if err := os.MkdirAll(filepath.Join(half, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := start(t, Config{Dir: dir})
	if one := exec1[int](t, c.URL("postgres"), "SELECT 1"); one != 1 {
		t.Error("the server does not answer")
	}
}

func TestStrangersAreNotLetIn(t *testing.T) {
	c := start(t, Config{Dir: stateDir(t)})
	wrong := strings.Replace(c.URL("postgres"), c.password, "guess", 1)
	if _, err := pgx.Connect(t.Context(), wrong); err == nil {
		t.Error("a wrong password is let in")
	}
}

func TestRootDropsToAnAccountThatReachesItsHome(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root drops to another account")
	}
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Remove(context.Background(), closed); err != nil {
			t.Error(err)
		}
	})
	c := start(t, Config{Dir: closed})
	if strings.HasPrefix(c.home.dir, closed) {
		t.Errorf("the cluster is in %s, which its account cannot enter", c.home.dir)
	}
	pointer, err := os.ReadFile(filepath.Join(closed, pointerFile))
	if err != nil || strings.TrimSpace(string(pointer)) != c.home.dir {
		t.Errorf("the pointer says %q, %v", pointer, err)
	}
	p, _ := readPostmaster(c.home.data())
	info, err := os.Stat(fmt.Sprintf("/proc/%d", p.pid))
	if err == nil && info.Sys().(*syscall.Stat_t).Uid == 0 {
		t.Error("the server runs as root")
	}
	if again := start(t, Config{Dir: closed}); !again.Attached() || again.home.dir != c.home.dir {
		t.Errorf("the second start went to %s", again.home.dir)
	}
	if err := Remove(t.Context(), closed); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.home.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the home is still there: %v", err)
	}
}

func TestAnOrdinaryUserStartsItToo(t *testing.T) {
	a, err := serverAccount()
	if err != nil || !a.drop {
		t.Skip("the other tests already run as an ordinary user")
	}
	dir := stateDir(t)
	program := filepath.Join(dir, "test")
	content, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, content, 0o755); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "mine")
	if err := errors.Join(os.Mkdir(mine, 0o700), a.own(mine)); err != nil {
		t.Fatal(err)
	}
	cmd := a.command(t.Context(), "/", program)
	cmd.Env = append(cmd.Env, childDir+"="+mine)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err := Remove(context.Background(), mine); err != nil {
			t.Error(err)
		}
	})
	var word string
	var port int
	if _, err := fmt.Fscan(out, &word, &port); err != nil || word != "started" {
		t.Fatalf("the other user's process said %q: %v", word, err)
	}
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
		pause(t.Context(), 5*time.Millisecond)
	}
}
