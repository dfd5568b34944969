// Package stockimport brings files of token seeds into stock (SHP-4): PSKC containers (RFC 6030) and CSV.
//
// A file is read as a stream. Each seed is sealed for its serial before it leaves this package (SEC-2). A file whose key or
// MAC does not fit imports nothing at all; a row that cannot be right, or is of a model that is not stocked, is refused and
// reported, and the others are imported. Serials that are there already keep everything they have: importing a file twice
// resets no counter.
package stockimport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"tokendesk/internal/pskc"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Format is the form of a file.
type Format string

// The formats. Detect tells them apart by the file's first character.
const (
	Detect Format = ""
	PSKC   Format = "pskc"
	CSV    Format = "csv"
)

// DefaultMaxBytes is the longest file where the options state none: some 400,000 tokens.
const DefaultMaxBytes = 512 << 20

// Options are what an import needs beside the file.
type Options struct {
	Format       Format
	Warehouse    string             // where the tokens are
	Model        string             // of all tokens; empty: as the file says
	PreSharedKey models.SecretBytes // opens an encrypted container; a file that is not encrypted is then refused
	Passphrase   models.Secret
	MaxBytes     int64 // longest file; 0: DefaultMaxBytes
}

// Result says what became of a row.
type Result string

// The results of a row.
const (
	Imported Result = "imported"
	Known    Result = "known" // the serial was there before; nothing of it changed
	Refused  Result = "refused"
)

// Row reports on one row of the file.
type Row struct {
	Position int    // in the file, from 1
	Serial   string // empty where the file does not say
	Result   Result
	Reason   string // why it was not imported; plain words, no secret
}

// Report says what an import did.
type Report struct {
	Import models.TokenImport
	Rows   []Row // in the order of the file
}

// Import reads a file into stock. Faults: SeedFileInvalid with the reason, when nothing was imported because of the file;
// InvalidRequest for options that cannot be right.
func Import(ctx context.Context, st *store.Store, ring *seal.Keyring, r io.Reader, o Options, by models.Actor, at time.Time) (Report, error) {
	stocked, err := checkOptions(ctx, st, o)
	if err != nil {
		return Report{}, err
	}
	sum := sha256.New()
	source := bufio.NewReader(io.TeeReader(r, sum))
	if o.Format == Detect {
		o.Format = detect(source)
	}
	run := &run{options: o, ring: ring, stocked: stocked}
	i := models.TokenImport{ID: store.NewID("ti", at), Format: string(o.Format), ImportedAt: at}
	if err := st.StageTokens(ctx, i.ID, run.rows(source), at); err != nil {
		return Report{}, errors.Join(err, st.DiscardStaged(context.WithoutCancel(ctx), i.ID, by, at))
	}
	if _, err := io.Copy(io.Discard, source); err != nil { // so that the sum is the whole file's
		return Report{}, fmt.Errorf("read the seed file: %w", err)
	}
	i.FileSHA256, i.Rows, i.Refused = sum.Sum(nil), len(run.report), run.refused
	i, known, err := st.ImportStaged(ctx, i, o.Warehouse, by)
	if err != nil {
		return Report{}, err
	}
	return Report{i, withKnown(run.report, known)}, nil
}

func checkOptions(ctx context.Context, st *store.Store, o Options) (map[string]models.TokenModel, error) {
	switch {
	case o.Warehouse == "":
		return nil, models.InvalidRequest.New("the warehouse is missing").At("/warehouse")
	case o.Format != Detect && o.Format != PSKC && o.Format != CSV:
		return nil, models.InvalidRequest.New("the format is neither pskc nor csv").At("/format")
	case len(o.PreSharedKey) > 0 && o.Passphrase != "":
		return nil, models.InvalidRequest.New("a file is opened by a pre-shared key or by a passphrase, not by both")
	}
	rows, err := st.TokenModels(ctx)
	if err != nil {
		return nil, err
	}
	stocked := map[string]models.TokenModel{}
	for _, m := range rows {
		stocked[m.Model] = m
	}
	if _, ok := stocked[o.Model]; o.Model != "" && !ok {
		return nil, models.InvalidRequest.New("no such token model is stocked").At("/model")
	}
	return stocked, nil
}

// detect takes a file for PSKC when its first character, after a byte order mark and white space, opens a tag.
func detect(source *bufio.Reader) Format {
	head, _ := source.Peek(512) // a shorter file is as good
	if bytes.HasPrefix(bytes.TrimLeft(head, "\ufeff \t\r\n"), []byte("<")) {
		return PSKC
	}
	return CSV
}

// run is one reading of one file.
type run struct {
	options Options
	ring    *seal.Keyring
	stocked map[string]models.TokenModel
	report  []Row
	refused int
}

// rows yields what can be imported, and reports on every row. A fault ends it, and with it the import.
func (r *run) rows(source io.Reader) iter.Seq2[store.StagedToken, error] {
	return func(yield func(store.StagedToken, error) bool) {
		for key, err := range r.keys(source) {
			if err != nil && r.whole(err) {
				yield(store.StagedToken{}, invalid(err))
				return
			}
			if err != nil {
				r.refuse(err)
				continue
			}
			token, reason := r.token(key)
			if reason != "" {
				r.add(Row{key.Position, serialOf(key), Refused, reason})
				continue
			}
			if token.SealedSeed, err = r.ring.Seal(models.SecretBytes(key.Secret), models.TokenSeedContext(token.Serial)); err != nil {
				yield(store.StagedToken{}, err)
				return
			}
			clear(key.Secret)
			r.add(Row{key.Position, token.Serial, Imported, ""})
			if !yield(store.StagedToken{Row: len(r.report), Token: token}, nil) {
				return
			}
		}
		if len(r.report) == 0 {
			yield(store.StagedToken{}, models.SeedFileInvalid.New("the file holds no token"))
		}
	}
}

func (r *run) keys(source io.Reader) iter.Seq2[pskc.Key, error] {
	limit := r.options.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	if r.options.Format == CSV {
		return pskc.ReadCSV(source, limit)
	}
	return pskc.Read(source, pskc.Options{PreSharedKey: pskc.Secret(r.options.PreSharedKey.Reveal()), Passphrase: pskc.Secret(r.options.Passphrase.Reveal()), MaxBytes: limit})
}

// whole reports whether an error spoils the whole file: it is altered, or opened with a wrong key, or ends too soon.
func (*run) whole(err error) bool {
	e, ok := errors.AsType[*pskc.Error](err)
	return !ok || e.Fatal || errors.Is(err, pskc.ErrKey) || errors.Is(err, pskc.ErrMAC)
}

// invalid is the fault of a spoiled file. What pskc says names no secret; other errors are the source's own.
func invalid(err error) error {
	if e, ok := errors.AsType[*pskc.Error](err); ok {
		return models.SeedFileInvalid.New("%s", describe(e))
	}
	return fmt.Errorf("read the seed file: %w", err)
}

func describe(e *pskc.Error) string {
	what := e.Kind.Error() + ": " + e.Detail
	if e.Position > 0 {
		return fmt.Sprintf("token %d: %s", e.Position, what)
	}
	return what
}

func (r *run) refuse(err error) {
	e, _ := errors.AsType[*pskc.Error](err)
	r.add(Row{e.Position, e.Serial, Refused, e.Kind.Error() + ": " + e.Detail})
}

func (r *run) add(row Row) {
	r.report = append(r.report, row)
	if row.Result == Refused {
		r.refused++
	}
}

// withKnown marks the rows that brought nothing new. Rows are numbered by their place in the report.
func withKnown(report []Row, known []store.KnownRow) []Row {
	report = slices.Clone(report)
	for _, k := range known {
		row := &report[k.Row-1]
		row.Result, row.Reason = Known, "the serial was imported before: nothing of it was changed"
		if k.Repeated {
			row.Reason = "the serial stands in the file twice: its first row counts"
		}
	}
	return report
}
