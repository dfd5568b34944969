package pskc

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func collectCSV(r io.Reader) (keys []Key, errs []error) {
	for key, err := range ReadCSV(r, 0) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		keys = append(keys, key)
	}
	return keys, errs
}

const (
	seedHex    = "3132333435363738393031323334353637383930"
	seedBase32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
)

// SHP-4: the columns in any order, the optional ones or not, seeds in both forms.
func TestReadCSV(t *testing.T) {
	one := Key{Position: 1, Serial: "A1", Algorithm: HOTP, Hash: SHA1, Digits: 6, Secret: Secret(rfcSecret)}
	two := Key{Position: 2, Serial: "A2", Model: "X, large", Algorithm: TOTP, Hash: SHA256, Digits: 8, Secret: Secret(rfcSecret), TimeInterval: time.Minute}
	counted := one
	counted.Counter = 12
	timed := Key{Position: 1, Serial: "A1", Algorithm: TOTP, Hash: SHA1, Digits: 6, Secret: Secret(rfcSecret), TimeInterval: DefaultTimeInterval}
	for _, c := range []struct {
		name, file string
		want       []Key
	}{
		{"only what must be", "serial,algorithm,digits,seed\nA1,HOTP,6," + seedHex + "\n", []Key{one}},
		{"everything", "serial,model,algorithm,digits,period,counter,seed\nA1,,hotp,6,,,  " + seedBase32 + "\nA2,\"X, large\",TOTP-SHA256,8,60,0," + strings.ToUpper(seedHex) + "\n", []Key{one, two}},
		{"another order", "seed,digits,serial,counter,algorithm\r\n" + strings.ToLower(seedBase32) + ",6,A1,12,urn:ietf:params:xml:ns:keyprov:pskc:hotp\r\n", []Key{counted}},
		{"period not given", "Serial, Algorithm ,DIGITS,seed,period\nA1,totp,6," + seedHex + ",\n", []Key{timed}},
		{"byte order mark, blank lines, no last newline", "\ufeffserial,algorithm,digits,seed\n\nA1,HOTP,6," + seedHex, []Key{one}},
		{"padded base32", "serial,algorithm,digits,seed\nA1,HOTP,6,GEZA====\n", []Key{{Position: 1, Serial: "A1", Algorithm: HOTP, Hash: SHA1, Digits: 6, Secret: Secret("12")}}},
		{"nothing but a header", "serial,algorithm,digits,seed\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, errs := collectCSV(strings.NewReader(c.file))
			if errs != nil || !reflect.DeepEqual(keys, c.want) {
				t.Errorf("got  %+v, %v\nwant %+v", keys, errs, c.want)
			}
		})
	}
}

// SHP-4: each bad row is reported by its number and serial, and the good ones are still read.
func TestReadCSVReportsRows(t *testing.T) {
	file := strings.Join([]string{
		"serial,algorithm,digits,period,counter,seed",
		"A1,HOTP,6,,," + seedHex,
		",HOTP,6,,," + seedHex,
		"A3,OCRA,6,,," + seedHex,
		"A4,HOTP,x,,," + seedHex,
		"A5,HOTP,6,30,," + seedHex,
		"A6,TOTP,6,0,," + seedHex,
		"A7,TOTP,6,x,," + seedHex,
		"A8,TOTP,6,,1," + seedHex,
		"A9,HOTP,6,,-1," + seedHex,
		"A10,HOTP,6,,,0189zz",
		"A11,HOTP,6,,,",
		"A12,HOTP,6,,",
		"A13,HOTP,6,,," + seedHex + ",more",
		"A14,HO\"TP,6,,," + seedHex,
		"A15,HOTP,6,,," + seedHex,
	}, "\n")
	keys, errs := collectCSV(strings.NewReader(file))
	if len(keys) != 2 || keys[0].Serial != "A1" || keys[1].Serial != "A15" || keys[1].Position != 15 {
		t.Errorf("got %+v", keys)
	}
	want := []string{
		`key 2: malformed: column serial is empty`,
		`key 3 (serial "A3"): not supported: OCRA`,
		`key 4 (serial "A4"): malformed: the length`,
		`key 5 (serial "A5"): malformed: a period`,
		`key 6 (serial "A6"): malformed: the time interval`,
		`key 7 (serial "A7"): malformed: the period`,
		`key 8 (serial "A8"): malformed: a counter for`,
		`key 9 (serial "A9"): malformed: the counter`,
		`key 10 (serial "A10"): malformed: the seed`,
		`key 11 (serial "A11"): malformed: column seed is empty`,
		`key 12: malformed: 5 fields, where the header has 6`,
		`key 13: malformed: 7 fields, where the header has 6`,
		`key 14: malformed: a quote`,
	}
	for i, err := range errs {
		if e, ok := errors.AsType[*Error](err); !ok || e.Fatal || i >= len(want) || !strings.Contains(err.Error(), want[i]) {
			t.Errorf("error %d: %v", i, err)
		}
	}
	if len(errs) != len(want) {
		t.Errorf("%d errors, want %d", len(errs), len(want))
	}
}

// SHP-4: a header is required, and unknown columns are refused.
func TestReadCSVRefusesFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		file io.Reader
		kind error
		says string
	}{
		{"empty", strings.NewReader(""), ErrMalformed, "no header"},
		{"no header", strings.NewReader("A1,HOTP,6," + seedHex + "\n"), ErrMalformed, "column 1 of the header is none of serial, model"},
		{"unknown column", strings.NewReader("serial,algorithm,digits,seed,color\n"), ErrMalformed, "column 5"},
		{"column twice", strings.NewReader("serial,algorithm,digits,seed,Seed\n"), ErrMalformed, "seed twice"},
		{"column missing", strings.NewReader("serial,algorithm,digits\n"), ErrMalformed, "lacks column seed"},
		{"semicolons", strings.NewReader("serial;algorithm;digits;seed\n"), ErrMalformed, "column 1"},
		{"broken quote", strings.NewReader("\"serial\n"), ErrMalformed, "quote"},
		{"endless header", &repeat{piece: "serial,", n: 20 * megabyte}, ErrTooLarge, "single entry"},
		{"endless quote", io.MultiReader(strings.NewReader("serial,algorithm,digits,seed\n\""), &repeat{piece: "x\n", n: 50 * megabyte}), ErrTooLarge, "single entry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, errs := collectCSV(c.file)
			checkError(t, keys, errs, c.kind, c.says, true)
			if strings.Contains(errs[0].Error(), seedHex) {
				t.Errorf("the error quotes a seed: %v", errs[0])
			}
		})
	}
	t.Run("endless rows", func(t *testing.T) {
		rows := &repeat{piece: "A1,HOTP,6," + seedHex + "\n", n: 100 * megabyte / 51}
		var last error
		for _, err := range ReadCSV(io.MultiReader(strings.NewReader("serial,algorithm,digits,seed\n"), rows), megabyte) {
			last = err
		}
		checkError(t, nil, []error{last}, ErrTooLarge, "longer than allowed", true)
	})
	t.Run("the source fails", func(t *testing.T) {
		broken := errors.New("the disk is gone")
		for _, head := range []string{"", "serial,algorithm,digits,seed\nA1,"} {
			_, errs := collectCSV(io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken)))
			if len(errs) != 1 || !errors.Is(errs[0], broken) {
				t.Errorf("after %q: %v", head, errs)
			}
		}
	})
}

func FuzzReadCSV(f *testing.F) {
	f.Add("serial,model,algorithm,digits,period,counter,seed\nA1,M,HOTP,6,,5," + seedHex + "\nA2,,TOTP,8,30,," + seedBase32 + "\n")
	f.Add("serial,algorithm,digits,seed\n\"A\n1\",HOTP,6,\n,,\n\"")
	f.Fuzz(func(t *testing.T, file string) {
		position := 0
		for key, err := range ReadCSV(strings.NewReader(file), 0) {
			checkYield(t, key, err, &position)
		}
	})
}
