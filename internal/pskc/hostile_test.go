package pskc

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// repeat is n times a piece of text, without the memory for it.
type repeat struct {
	piece string
	n     int
	rest  string
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.n--
		r.rest = r.piece
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

const (
	hostileOpen = `<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">`
	megabyte    = 1 << 20
)

// SHP-4: files made to exhaust the reader are refused, in little memory.
func TestHostileFiles(t *testing.T) {
	text := func(s string) io.Reader { return strings.NewReader(s) }
	hundred := func(piece string) io.Reader { return &repeat{piece: piece, n: 100 * megabyte / len(piece)} }
	var laughs strings.Builder
	laughs.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [\n<!ENTITY lol \"lol\">\n")
	for i := range 9 {
		fmt.Fprintf(&laughs, "<!ENTITY lol%d \"%s\">\n", i+1, strings.Repeat(fmt.Sprintf("&lol%d;", i), 10))
	}
	laughs.WriteString("]>\n" + hostileOpen + "&lol9;</KeyContainer>")
	for _, c := range []struct {
		name     string
		document io.Reader
		kind     error
		says     string
	}{
		{"billion laughs", text(laughs.String()), ErrMalformed, "document type"},
		{"external entity", text(`<!DOCTYPE KeyContainer [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + hostileOpen + "&x;</KeyContainer>"), ErrMalformed, "document type"},
		{"document type within", text(hostileOpen + "<KeyPackage><!DOCTYPE x></KeyPackage></KeyContainer>"), ErrMalformed, "document type"},
		{"entity of nowhere", text(hostileOpen + "<KeyPackage>&x;</KeyPackage></KeyContainer>"), ErrMalformed, "well-formed"},
		{"endless document type", io.MultiReader(text("<!DOCTYPE x ["), hundred("<!ENTITY x 'x'>")), ErrTooLarge, "single entry"},
		{"deep nesting", io.MultiReader(text(hostileOpen), hundred("<KeyPackage>")), ErrTooLarge, "nested"},
		{"deep nesting in an extension", io.MultiReader(text(hostileOpen+"<Extensions>"), hundred("<a>")), ErrTooLarge, "nested"},
		{"deep nesting of nothing", hundred("<a>"), ErrMalformed, "not a key container"},
		{"endless text in a key", io.MultiReader(text(hostileOpen+"<KeyPackage><Key><Data><Secret><PlainValue>"), hundred("AAAA")), ErrTooLarge, "single entry"},
		{"endless text around keys", io.MultiReader(text(hostileOpen), hundred("    ")), ErrTooLarge, "single entry"},
		{"endless comment", io.MultiReader(text(hostileOpen+"<!--"), hundred("no end ")), ErrTooLarge, "single entry"},
		{"endless name", io.MultiReader(text("<"), hundred("a")), ErrTooLarge, "single entry"},
		{"endless attribute", io.MultiReader(text(`<KeyContainer Version="`), hundred("1")), ErrTooLarge, "single entry"},
		{"endless attributes", io.MultiReader(text(hostileOpen+"<KeyPackage"), hundred(" a='1'")), ErrTooLarge, "single entry"},
		{"many attributes", text(hostileOpen + "<KeyPackage" + strings.Repeat(" a='1'", 1000) + "/></KeyContainer>"), ErrTooLarge, "attributes"},
		{"many children of a key", io.MultiReader(text(hostileOpen+"<KeyPackage>"), hundred("<Key/>")), ErrTooLarge, "single entry"},
		{"endless keys", io.MultiReader(text(hostileOpen), hundred("<KeyPackage></KeyPackage>")), ErrTooLarge, "longer than allowed"},
		{"zeros", hundred("\x00"), ErrTooLarge, "single entry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			keys, errs := collect(c.document, Options{MaxBytes: 2 * megabyte})
			runtime.ReadMemStats(&after)
			if len(errs) > 1 { // the empty keys before the end
				errs = errs[len(errs)-1:]
			}
			checkError(t, keys, errs, c.kind, c.says, true)
			// What a single entry allocates is bounded, also one of nothing but keys. Many keys allocate and free as
			// they pass: TestReadStreams.
			if allocated := after.TotalAlloc - before.TotalAlloc; c.name != "endless keys" && allocated > 16*megabyte {
				t.Errorf("%d bytes were allocated", allocated)
			}
		})
	}
}

// SHP-4: memory does not grow with the number of keys.
func TestReadStreams(t *testing.T) {
	piece := keyPackage("A1", "HOTP", plainSecret(seedBase64))
	const keys = 20_000 // 7 MB
	document := io.MultiReader(strings.NewReader(hostileOpen), &repeat{piece: piece, n: keys}, strings.NewReader("</KeyContainer>"))
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	for _, err := range Read(document, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%(keys/4) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			if now.HeapAlloc > before.HeapAlloc+megabyte {
				t.Fatalf("after %d keys the heap has grown from %d to %d bytes", n, before.HeapAlloc, now.HeapAlloc)
			}
		}
	}
	if n != keys {
		t.Errorf("got %d keys", n)
	}
}

// SHP-4: the limit on a file is exact.
func TestMaxBytes(t *testing.T) {
	document := hostileOpen + keyPackage("A1", "HOTP", plainSecret(seedBase64)) + "</KeyContainer>"
	for _, c := range []struct {
		most int
		ok   bool
	}{{len(document) - 1, false}, {len(document), true}, {0, true}} {
		keys, errs := collect(strings.NewReader(document), Options{MaxBytes: int64(c.most)})
		if (errs == nil) != c.ok {
			t.Errorf("at most %d of %d bytes: %v, %v", c.most, len(document), keys, errs)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, number := range []string{"2", "3", "4", "5", "6", "7", "8", "9", "10"} {
		b, err := io.ReadAll(figure(f, number))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		for _, o := range []Options{
			{}, {PreSharedKey: Secret("\x124Vx\x90\x124Vx\x90\x124Vx\x90\x12")}, {Passphrase: Secret("qwerty")},
		} {
			position := 0
			for key, err := range Read(strings.NewReader(string(document)), o) {
				checkYield(t, key, err, &position)
			}
		}
	})
}

// checkYield checks what holds for everything that is read.
func checkYield(t *testing.T, key Key, err error, position *int) {
	t.Helper()
	at := key.Position
	if err != nil {
		e, ok := err.(*Error)
		if !ok {
			t.Fatalf("%v is no *Error", err)
		}
		if e.Fatal {
			return
		}
		at = e.Position
	} else if len(key.Secret) == 0 || key.Counter < 0 || key.Hash == "" || key.Algorithm == TOTP && key.TimeInterval <= 0 {
		t.Fatalf("incomplete: %+v", key)
	}
	if at <= *position {
		t.Fatalf("position %d after %d", at, *position)
	}
	*position = at
}
