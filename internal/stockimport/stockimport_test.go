package stockimport_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokendesk/internal/pskc"
	"tokendesk/internal/seal"
	"tokendesk/internal/stockimport"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

var clerk = models.Actor{ID: "ak_warehouse", Role: models.RoleWarehouse}

const preSharedKey = "\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90\x12" // RFC 6030 section 6.1

// house is a store with a HOTP model TD-100 and a TOTP model TD-200.
func house(t testing.TB) (*store.Store, *seal.Keyring) {
	t.Helper()
	st := storetest.New(t)
	storetest.Must(t, st.SaveTokenModel(t.Context(), models.TokenModel{Model: "TD-200", Kind: "totp"}, clerk, storetest.At))
	return st, storetest.Keyring(t)
}

func options(change ...func(*stockimport.Options)) stockimport.Options {
	o := stockimport.Options{Warehouse: "MAIN"}
	for _, c := range change {
		c(&o)
	}
	return o
}

func withKey(key string) func(*stockimport.Options) {
	return func(o *stockimport.Options) { o.PreSharedKey = models.SecretBytes(key) }
}

func withModel(model string) func(*stockimport.Options) {
	return func(o *stockimport.Options) { o.Model = model }
}

// container is a PSKC file of these keys.
func container(t testing.TB, preSharedKey string, keys ...pskc.Key) []byte {
	t.Helper()
	var file bytes.Buffer
	w := pskc.NewWriter(&file, pskc.WriterOptions{PreSharedKey: pskc.Secret(preSharedKey)})
	for _, k := range keys {
		storetest.Must(t, w.Write(k))
	}
	storetest.Must(t, w.Close())
	return file.Bytes()
}

func hotpKey(serial string) pskc.Key {
	return pskc.Key{Serial: serial, Model: "TD-100", Manufacturer: "Acme", Algorithm: pskc.HOTP, Hash: pskc.SHA1, Digits: 6, Secret: pskc.Secret("12345678901234567890"), Counter: 7}
}

func rows(r stockimport.Report) (out []string) {
	for _, row := range r.Rows {
		out = append(out, fmt.Sprintf("%d %s %s", row.Position, row.Serial, row.Result))
	}
	return out
}

func count(t testing.TB, st *store.Store, query string, args ...any) (n int) {
	t.Helper()
	storetest.Must(t, st.Pool().QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}

// SHP-4, SEC-2: the RFC's own figures 6 (pre-shared key) and 7 (passphrase); the seed stands sealed, for its serial alone.
func TestImportOfTheRFCsFigures(t *testing.T) {
	t.Parallel()
	cases := []struct {
		figure string
		open   func(*stockimport.Options)
		serial string
		seed   string
	}{
		{"figure6.xml", withKey(preSharedKey), "987654321", "12345678901234567890"},
		{"figure7.xml", func(o *stockimport.Options) { o.Passphrase = "qwerty" }, "987654321", "12345678901234567890"},
	}
	for _, c := range cases {
		t.Run(c.figure, func(t *testing.T) {
			st, ring := house(t)
			file, err := os.Open("../pskc/testdata/rfc6030/" + c.figure)
			storetest.Must(t, err)
			defer file.Close()
			r, err := stockimport.Import(t.Context(), st, ring, file, options(c.open, withModel("TD-100")), clerk, storetest.At)
			storetest.Must(t, err)
			if r.Import.Imported != 1 || r.Import.Format != "pskc" || r.Rows[0].Serial != c.serial {
				t.Fatalf("report %+v", r)
			}
			token, err := st.Token(t.Context(), c.serial)
			storetest.Must(t, err)
			if bytes.Contains(token.SealedSeed, []byte(c.seed)) {
				t.Error("the seed stands in the clear")
			}
			seed, err := ring.Open(token.SealedSeed, models.TokenSeedContext(c.serial))
			if err != nil || string(seed.Reveal()) != c.seed {
				t.Errorf("the seed does not open: %v", err)
			}
			if _, err := ring.Open(token.SealedSeed, models.TokenSeedContext("other")); err == nil {
				t.Error("the seed opens for another serial")
			}
		})
	}
}

// SHP-4: what stands in a file becomes tokens of its kind, row by row; what cannot be stocked is refused with the reason.
func TestImportReportsEachRow(t *testing.T) {
	t.Parallel()
	st, ring := house(t)
	seed := hex.EncodeToString([]byte("12345678901234567890"))
	file := strings.Join([]string{
		"serial,model,algorithm,digits,period,counter,seed",
		"A1,TD-100,HOTP,6,,5," + seed,
		"A2,TD-200,TOTP-SHA256,8,60,," + seed,
		"A3,TD-900,HOTP,6,,," + seed,
		"A4,TD-200,HOTP,6,,," + seed,
		"A5,TD-100,HOTP,7,,," + seed,
		"A6,TD-100,HOTP,6,,,0102",
		"A7,TD-100,HOTP,six,,," + seed,
		"A1,TD-100,HOTP,6,,99," + seed,
		"A8,,TOTP,6,,," + seed,
		"A9,TD-200,TOTP,6,,," + seed,
	}, "\n")
	r, err := stockimport.Import(t.Context(), st, ring, strings.NewReader(file), options(), clerk, storetest.At)
	storetest.Must(t, err)
	want := []string{"1 A1 imported", "2 A2 imported", "3 A3 refused", "4 A4 refused", "5 A5 refused", "6 A6 refused", "7 A7 refused", "8 A1 known", "9 A8 refused", "10 A9 imported"}
	if got := rows(r); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if i := r.Import; i.Rows != 10 || i.Imported != 3 || i.Known != 1 || i.Refused != 6 || i.Format != "csv" || len(i.FileSHA256) != 32 {
		t.Errorf("import %+v", i)
	}
	for _, row := range r.Rows {
		if (row.Result == stockimport.Imported) != (row.Reason == "") {
			t.Errorf("row %+v", row)
		}
		if strings.Contains(row.Reason, seed) || strings.Contains(row.Reason, "0102") {
			t.Errorf("the reason shows a seed: %q", row.Reason)
		}
	}
	a1, err := st.Token(t.Context(), "A1")
	storetest.Must(t, err)
	if a1.Kind != "hotp" || a1.Algorithm != "SHA1" || a1.Digits != 6 || a1.InitialCounter != 5 || a1.Status != models.TokenInStock || a1.Warehouse != "MAIN" {
		t.Errorf("A1 is %+v", a1)
	}
	a2, err := st.Token(t.Context(), "A2")
	storetest.Must(t, err)
	if a2.Kind != "totp" || a2.Algorithm != "SHA256" || a2.Digits != 8 || a2.PeriodSeconds != 60 {
		t.Errorf("A2 is %+v", a2)
	}
	if n := count(t, st, "select count(*) from audit_events where kind = 'stock.imported' and outcome = 'success' and actor = $1 and detail->>'imported' = '3'", clerk.ID); n != 1 {
		t.Errorf("%d audit events, want 1", n)
	}
}

// SHP-4: importing a file twice changes nothing about its tokens: no counter, no status, no seed.
func TestSecondImportChangesNothing(t *testing.T) {
	t.Parallel()
	st, ring := house(t)
	file := container(t, preSharedKey, hotpKey("B1"), hotpKey("B2"))
	_, err := stockimport.Import(t.Context(), st, ring, bytes.NewReader(file), options(withKey(preSharedKey)), clerk, storetest.At)
	storetest.Must(t, err)
	if _, err := st.Pool().Exec(t.Context(), "update tokens set status = 'quarantined', initial_counter = 42 where serial = 'B1'"); err != nil {
		t.Fatal(err)
	}
	before, err := st.Tokens(t.Context(), store.TokenFilter{}, store.Page{})
	storetest.Must(t, err)
	third := append(slices.Clone([]pskc.Key{hotpKey("B1"), hotpKey("B2")}), hotpKey("B3"))
	r, err := stockimport.Import(t.Context(), st, ring, bytes.NewReader(container(t, preSharedKey, third...)), options(withKey(preSharedKey)), clerk, storetest.At.Add(time.Hour))
	storetest.Must(t, err)
	if want := []string{"1 B1 known", "2 B2 known", "3 B3 imported"}; !slices.Equal(rows(r), want) {
		t.Errorf("got %v, want %v", rows(r), want)
	}
	after, err := st.Tokens(t.Context(), store.TokenFilter{}, store.Page{})
	storetest.Must(t, err)
	for i := range before {
		if fmt.Sprintf("%+v", before[i]) != fmt.Sprintf("%+v", after[i]) {
			t.Errorf("before %+v\nafter  %+v", before[i], after[i])
		}
	}
}

// SHP-4: a file that was altered, or whose key does not fit, or that ends too soon, imports nothing, whichever of its tokens it is.
func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	st, ring := house(t)
	var keys []pskc.Key
	for i := range 20 {
		keys = append(keys, hotpKey(fmt.Sprintf("C%02d", i)))
	}
	good := container(t, preSharedKey, keys...)
	last := bytes.LastIndex(good, []byte("ValueMAC>")) - 12
	cases := []struct {
		name string
		file []byte
		o    stockimport.Options
	}{
		{"wrong key", good, options(withKey(strings.Repeat("x", 16)))},
		{"key of a wrong length", good, options(withKey("short"))},
		{"no key", good, options()},
		{"not encrypted although a key was given", container(t, "", keys...), options(withKey(preSharedKey))},
		{"the last MAC altered", altered(good, last), options(withKey(preSharedKey))},
		{"the last seed altered", altered(good, bytes.LastIndex(good, []byte("CipherValue>"))-20), options(withKey(preSharedKey))},
		{"cut off", good[:len(good)-200], options(withKey(preSharedKey))},
		{"longer than allowed", good, options(withKey(preSharedKey), func(o *stockimport.Options) { o.MaxBytes = int64(len(good)) - 1 })},
		{"no container", []byte("<html></html>"), options()},
		{"empty", nil, options()},
		{"no header", []byte("C1,TD-100,HOTP,6,,,0102030405060708090a0b0c0d0e0f10"), options()},
		{"a header alone", []byte("serial,algorithm,digits,seed\n"), options()},
	}
	for _, c := range cases {
		r, err := stockimport.Import(t.Context(), st, ring, bytes.NewReader(c.file), c.o, clerk, storetest.At)
		if !errors.Is(err, models.SeedFileInvalid) || len(r.Rows) != 0 {
			t.Errorf("%s: %v, %d rows", c.name, err, len(r.Rows))
		}
		if err != nil && models.FaultOf(err).Detail == "" {
			t.Errorf("%s: no reason is given", c.name)
		}
	}
	if n := count(t, st, "select (select count(*) from tokens) + (select count(*) from token_imports) + (select count(*) from token_import_rows)"); n != 0 {
		t.Errorf("%d rows were left behind", n)
	}
	if n := count(t, st, "select count(*) from audit_events where kind = 'stock.imported' and outcome = 'failure'"); n != len(cases) {
		t.Errorf("%d failures in the audit trail, want %d", n, len(cases))
	}
}

// altered changes one character of the file that stands in base64.
func altered(file []byte, at int) []byte {
	file = slices.Clone(file)
	if file[at] == 'A' {
		file[at] = 'B'
	} else {
		file[at] = 'A'
	}
	return file
}

// SHP-4: options that cannot be right are refused before the file is read.
func TestOptions(t *testing.T) {
	t.Parallel()
	st, ring := house(t)
	cases := map[string]stockimport.Options{
		"no warehouse":     {},
		"unknown format":   options(func(o *stockimport.Options) { o.Format = "xlsx" }),
		"unknown model":    options(withModel("TD-900")),
		"two ways to open": options(withKey(preSharedKey), func(o *stockimport.Options) { o.Passphrase = "qwerty" }),
	}
	for name, o := range cases {
		if _, err := stockimport.Import(t.Context(), st, ring, strings.NewReader("x"), o, clerk, storetest.At); !errors.Is(err, models.InvalidRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// SHP-2, SHP-4: a file imported by several people at once is imported once, and those who wait for its tokens are told.
func TestConcurrentImports(t *testing.T) {
	t.Parallel()
	st, ring := house(t)
	waiting := storetest.Shipments(t, st, 3)
	for _, id := range waiting {
		_, err := st.PackShipment(t.Context(), id, storetest.At)
		storetest.Must(t, err)
	}
	var keys []pskc.Key
	for i := range 500 {
		keys = append(keys, hotpKey(fmt.Sprintf("D%03d", i)))
	}
	reversed := slices.Clone(keys)
	slices.Reverse(reversed)
	files := [][]byte{container(t, "", keys...), container(t, "", reversed...)}
	imported := make([]int, 4)
	var group sync.WaitGroup
	for i := range imported {
		group.Go(func() {
			r, err := stockimport.Import(context.Background(), st, ring, bytes.NewReader(files[i%2]), options(), clerk, storetest.At)
			if err != nil {
				t.Error(err)
			}
			imported[i] = r.Import.Imported
		})
	}
	group.Wait()
	sum := 0
	for _, n := range imported {
		sum += n
	}
	if n := count(t, st, "select count(*) from tokens"); n != 500 || sum != 500 {
		t.Errorf("%d tokens, %v reported, want 500", n, imported)
	}
	if n := count(t, st, "select count(distinct workflow_id) from outbox where name = 'stock-arrived'"); n != len(waiting) {
		t.Errorf("%d of %d shipments were told", n, len(waiting))
	}
}

// SHP-4: 100,000 tokens, in reasonable time: go test -bench Import -benchtime 1x.
func BenchmarkImport(b *testing.B) {
	st, ring := house(b)
	for b.Loop() {
		b.StopTimer()
		var keys []pskc.Key
		for i := range 100_000 {
			keys = append(keys, hotpKey(fmt.Sprintf("%s-%06d", store.NewID("E", storetest.At), i)))
		}
		file := container(b, preSharedKey, keys...)
		b.SetBytes(int64(len(file)))
		b.StartTimer()
		r, err := stockimport.Import(b.Context(), st, ring, bytes.NewReader(file), options(withKey(preSharedKey)), clerk, storetest.At)
		if err != nil || r.Import.Imported != len(keys) {
			b.Fatalf("%d imported: %v", r.Import.Imported, err)
		}
	}
}
