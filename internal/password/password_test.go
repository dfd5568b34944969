package password

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"tokendesk/models"
)

var cheap = Params{Memory: 64, Time: 1, Threads: 1}

func TestHash(t *testing.T) {
	h := New(Baseline, 2)
	encoded, err := h.Hash("correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`).MatchString(encoded) {
		t.Errorf("not a PHC string of the baseline: %s", encoded)
	}
	if again, _ := h.Hash("correct horse battery staple"); again == encoded {
		t.Error("two hashes of one password are equal: no salt")
	}
	if ok, rehash := h.Verify(encoded, "correct horse battery staple"); !ok || rehash {
		t.Errorf("ok %v, rehash %v", ok, rehash)
	}
	if _, err := h.Hash(models.Secret(strings.Repeat("x", maxLength+1))); !errors.Is(err, ErrTooLong) {
		t.Errorf("a very long password: %v", err)
	}
}

// The reference implementation's own vectors (P-H-C/phc-winner-argon2, src/test.c, version 0x13, type id).
func TestVerifyReferenceVectors(t *testing.T) {
	h := New(cheap, 1)
	for _, encoded := range []string{
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
	} {
		if ok, rehash := h.Verify(encoded, "password"); !ok || !rehash {
			t.Errorf("%s: ok %v, rehash %v", encoded, ok, rehash)
		}
		if ok, rehash := h.Verify(encoded, "Password"); ok || rehash {
			t.Errorf("%s: another password: ok %v, rehash %v", encoded, ok, rehash)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	h := New(cheap, 1)
	good, _ := h.Hash("p")
	parts := strings.Split(good, "$")
	with := func(i int, s string) string {
		p := append([]string(nil), parts...)
		p[i] = s
		return strings.Join(p, "$")
	}
	for name, encoded := range map[string]string{
		"empty": "", "plain": "p", "dollars": "$$$$$", "other kind": with(1, "argon2i"), "other version": with(2, "v=16"),
		"no cost": with(3, ""), "zero time": with(3, "m=64,t=0,p=1"), "zero lanes": with(3, "m=64,t=1,p=0"),
		"memory beyond the ceiling": with(3, "m=4294967295,t=1,p=1"), "time beyond the ceiling": with(3, "m=64,t=4000000000,p=1"),
		"trailing cost": with(3, "m=64,t=1,p=1,x=1"), "no salt": with(4, ""), "no hash": with(5, ""), "bad base64": with(5, "!"),
		"other hash": with(5, strings.Repeat("A", 43)), "longer": good + "$",
	} {
		if ok, rehash := h.Verify(encoded, "p"); ok || rehash {
			t.Errorf("%s: ok %v, rehash %v", name, ok, rehash)
		}
	}
	if ok, _ := h.Verify(good, models.Secret(strings.Repeat("p", maxLength+1))); ok {
		t.Error("a password beyond the bound was accepted")
	}
}

func TestRehash(t *testing.T) {
	old, _ := New(cheap, 1).Hash("p")
	h := New(Params{Memory: 128, Time: 1, Threads: 1}, 1)
	if ok, rehash := h.Verify(old, "p"); !ok || !rehash {
		t.Errorf("ok %v, rehash %v", ok, rehash)
	}
	fresh, _ := h.Hash("p")
	if ok, rehash := h.Verify(fresh, "p"); !ok || rehash {
		t.Errorf("after it: ok %v, rehash %v", ok, rehash)
	}
}

// A flood of logins holds no more than the allowed number of hashes in memory: while the slots are taken,
// everyone else waits, unknown users too.
func TestFloodWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(cheap, 2)
		encoded, _ := h.Hash("p")
		h.VerifyNobody("p")
		h.slots <- struct{}{}
		h.slots <- struct{}{}
		var done atomic.Int64
		for range 20 {
			go func() { h.Verify(encoded, "p"); done.Add(1) }()
			go func() { h.VerifyNobody("p"); done.Add(1) }()
		}
		synctest.Wait()
		if n := done.Load(); n != 0 {
			t.Fatalf("%d hashes were computed while all slots were taken", n)
		}
		<-h.slots
		synctest.Wait()
		if n := done.Load(); n != 40 {
			t.Fatalf("%d of 40 were answered after a slot was free", n)
		}
		<-h.slots
	})
}

// ACC-1: an unknown user id and a broken hash cost what a wrong password costs. Memory stands for cost here, since
// it does not depend on what else the machine does.
func TestNobodyCostsTheSame(t *testing.T) {
	h := New(Params{Memory: 4 * 1024, Time: 1, Threads: 1}, 1)
	encoded, _ := h.Hash("p")
	h.VerifyNobody("the dummy hash is made at the first use")
	for name, verify := range map[string]func(){
		"wrong password": func() { h.Verify(encoded, "q") },
		"nobody":         func() { h.VerifyNobody("q") },
		"broken hash":    func() { h.Verify("", "q") },
		"too long":       func() { h.Verify(encoded, models.Secret(strings.Repeat("q", 5000))) },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		verify()
		runtime.ReadMemStats(&after)
		if spent := (after.TotalAlloc - before.TotalAlloc) / 1024; spent < 4*1024 || spent > 6*1024 {
			t.Errorf("%s took %d KiB, not one hash of 4096", name, spent)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, p := range []Params{Baseline} {
		h := New(p, 2)
		encoded, _ := h.Hash("p")
		b.Run(fmt.Sprintf("m=%d,t=%d,p=%d", p.Memory, p.Time, p.Threads), func(b *testing.B) {
			for b.Loop() {
				h.Verify(encoded, "p")
			}
		})
	}
}
