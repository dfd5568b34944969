package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"tokendesk/internal/seal"
	"tokendesk/internal/stockimport"
	"tokendesk/models"
)

// cli is who an operator's command acts as in the audit trail.
var cli = models.Actor{ID: "cli", Role: models.RoleOperator}

// importTokens reads a seed file into stock (SHP-4). Key material comes from files, never from the command line, where every user of
// the machine could read it.
func importTokens(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("import-tokens", flag.ContinueOnError)
	warehouse := f.String("warehouse", "", "where the tokens are")
	model := f.String("model", "", "model of all tokens; empty: as the file says")
	format := f.String("format", "", "pskc or csv; empty: told apart by the file")
	keyFile := f.String("key-file", "", "file with the pre-shared key (raw bytes)")
	passphraseFile := f.String("passphrase-file", "", "file with the passphrase")
	if err := parse(f, args, "FILE"); err != nil {
		return err
	}
	o := stockimport.Options{Format: stockimport.Format(*format), Warehouse: *warehouse, Model: *model}
	for file, set := range map[string]func([]byte){
		*keyFile:        func(b []byte) { o.PreSharedKey = b },
		*passphraseFile: func(b []byte) { o.Passphrase = models.Secret(trimLine(b)) },
	} {
		if file == "" {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read key material: %w", err)
		}
		set(b)
	}
	file, err := os.Open(f.Arg(0))
	if err != nil {
		return err
	}
	defer file.Close()
	st, e, err := openStore(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	ring, err := seal.OpenKeyring(e.KeyringFile)
	if err != nil {
		return err
	}
	at, err := vendorNow(ctx, st, e)
	if err != nil {
		return err
	}
	report, err := stockimport.Import(ctx, st, ring, file, o, cli, at)
	for _, row := range report.Rows {
		fmt.Printf("%d\t%s\t%s\t%s\n", row.Position, row.Serial, row.Result, row.Reason)
	}
	return err
}

// parse reads flags, and sees that the named operands follow them. The error is one sentence; with -h it is flag.ErrHelp.
func parse(f *flag.FlagSet, args []string, operands ...string) error {
	usage := strings.Join(append([]string{"usage: tokendesk", f.Name(), "[FLAGS]"}, operands...), " ")
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Println(usage)
		f.SetOutput(os.Stdout)
		f.PrintDefaults()
	case err != nil:
		err = fmt.Errorf("%w; %s", err, usage)
	case f.NArg() != len(operands):
		err = fmt.Errorf("%d operands instead of %d; %s", f.NArg(), len(operands), usage)
	}
	return err
}

func trimLine(b []byte) string {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return string(b)
}

// createAPIKey prints a new key once; the database has its hash only.
func createAPIKey(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("create-api-key", flag.ContinueOnError)
	name := f.String("name", "", "whose key it is")
	role := f.String("role", "", "what the key may do")
	partner := f.String("partner", "", "pa_… of the partner, for a relying application or a sponsor")
	if err := parse(f, args); err != nil {
		return err
	}
	st, e, err := openStore(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	at, err := vendorNow(ctx, st, e)
	if err != nil {
		return err
	}
	secret, key, err := st.CreateAPIKey(ctx, *name, models.Role(*role), *partner, at)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s, role %s; the key is shown this once:\n", key.ID, key.Role)
	fmt.Println(secret.Reveal())
	return nil
}
