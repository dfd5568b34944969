package pskc

import (
	"bufio"
	"encoding/base32"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// csvColumns are the columns of a CSV file, in any order, and whether they must be there. An empty field of a
// column that need not be there is as good as none.
var csvColumns = []struct {
	name     string
	required bool
	set      func(k *Key, field string) *Error
}{
	{"serial", true, func(k *Key, s string) *Error { k.Serial = s; return nil }},
	{"model", false, func(k *Key, s string) *Error { k.Model = s; return nil }},
	{"algorithm", true, func(k *Key, s string) *Error { return k.setAlgorithm(s, "") }},
	{"digits", true, func(k *Key, s string) *Error { return k.setDigits(s) }},
	{"period", false, setCSVPeriod},
	{"counter", false, setCSVCounter},
	{"seed", true, setCSVSeed},
}

// ReadCSV reads the keys of a CSV file (RFC 4180): serial, algorithm (HOTP or TOTP, or TOTP-SHA256 and the like),
// digits and seed (hexadecimal or base32), and where wanted model, period (TOTP, in seconds, else 30) and counter
// (HOTP, else 0). The first row names the columns. Nothing of such a file is encrypted or authenticated.
//
// maxBytes is the longest file; 0 means 64 MiB. Errors are as for Read: a bad row is reported and the next one read.
func ReadCSV(r io.Reader, maxBytes int64) iter.Seq2[Key, error] {
	m := newMeter(r, maxBytes)
	source := bufio.NewReaderSize(m, 4096) // reads ahead less than a part
	if mark, err := source.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = source.Discard(3) // spreadsheets put it there
	}
	c := &csvReader{meter: m, csv: csv.NewReader(source)}
	c.csv.ReuseRecord = true
	return all(c.next)
}

type csvReader struct {
	meter    *meter
	csv      *csv.Reader
	columns  []int // place in csvColumns of each field; nil before the header
	position int
}

func (c *csvReader) next() (Key, error) {
	if c.columns == nil {
		if err := c.header(); err != nil {
			return Key{}, err
		}
	}
	c.position++
	k := Key{Position: c.position}
	fields, err := c.record()
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return Key{}, e.of(k)
		}
		return Key{}, err
	}
	if err := c.fill(&k, fields); err != nil {
		return Key{}, err.of(k)
	}
	return k, nil
}

// record reads one row. What the csv package says is left out, because it may quote the file.
func (c *csvReader) record() ([]string, error) {
	c.meter.nextPart()
	fields, err := c.csv.Read()
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return fields, err
	case c.meter.err != nil:
		return nil, c.meter.err
	case errors.Is(err, csv.ErrFieldCount):
		return nil, wrong(ErrMalformed, "%d fields, where the header has %d", len(fields), c.csv.FieldsPerRecord)
	default:
		return nil, wrong(ErrMalformed, "a quote where none may be")
	}
}

func (c *csvReader) header() error {
	fields, err := c.record()
	if errors.Is(err, io.EOF) {
		return fatal(ErrMalformed, "there is no header")
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return fatal(e.Kind, "the header: %s", e.Detail)
	}
	if err != nil {
		return err
	}
	columns := make([]int, 0, len(fields))
	for i, field := range fields {
		name := strings.ToLower(strings.TrimSpace(field))
		column := -1
		for j := range csvColumns {
			if csvColumns[j].name == name {
				column = j
			}
		}
		if column < 0 { // not named in the error: without a header, it could be a seed
			return fatal(ErrMalformed, "column %d of the header is none of %s", i+1, csvColumnNames())
		}
		if slices.Contains(columns, column) {
			return fatal(ErrMalformed, "the header names column %s twice", name)
		}
		columns = append(columns, column)
	}
	for j, column := range csvColumns {
		if column.required && !slices.Contains(columns, j) {
			return fatal(ErrMalformed, "the header lacks column %s", column.name)
		}
	}
	c.columns = columns
	return nil
}

func csvColumnNames() string {
	names := make([]string, len(csvColumns))
	for i, column := range csvColumns {
		names[i] = column.name
	}
	return strings.Join(names, ", ")
}

// fill sets the fields in the order of csvColumns: the serial first, so that errors can name it, and the algorithm
// before what depends on it.
func (c *csvReader) fill(k *Key, fields []string) *Error {
	for j, column := range csvColumns {
		field := ""
		if i := slices.Index(c.columns, j); i >= 0 {
			field = strings.TrimSpace(fields[i])
		}
		if field == "" {
			if column.required {
				return wrong(ErrMalformed, "column %s is empty", column.name)
			}
			continue
		}
		if err := column.set(k, field); err != nil {
			return err
		}
	}
	if k.Algorithm == TOTP && k.TimeInterval == 0 {
		k.TimeInterval = DefaultTimeInterval
	}
	return nil
}

func setCSVPeriod(k *Key, s string) *Error {
	if k.Algorithm != TOTP {
		return wrong(ErrMalformed, "a period for a key that has none")
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return wrong(ErrMalformed, "the period is no number of seconds")
	}
	return k.setInterval(seconds)
}

func setCSVCounter(k *Key, s string) *Error {
	counter, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || counter < 0:
		return wrong(ErrMalformed, "the counter is no number, or negative")
	case k.Algorithm != HOTP && counter != 0:
		return wrong(ErrMalformed, "a counter for a key that has none")
	}
	k.Counter = counter
	return nil
}

// setCSVSeed reads hexadecimal or base32, told apart by their characters: that the base32 form of a seed of 128 bits
// consists of hexadecimal characters alone happens once in 10^11.
func setCSVSeed(k *Key, s string) *Error {
	if secret, err := hex.DecodeString(s); err == nil {
		return k.takeSecret(secret)
	}
	s = strings.TrimRight(strings.ToUpper(s), "=")
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(s)
	if err != nil {
		return wrong(ErrMalformed, "the seed is neither hexadecimal nor base32")
	}
	return k.takeSecret(secret)
}
