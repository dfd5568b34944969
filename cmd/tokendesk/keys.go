package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

// listAPIKeys prints all keys, oldest first; of a key itself there are the last four characters only.
func listAPIKeys(ctx context.Context, args []string) error {
	if err := parse(flag.NewFlagSet("list-api-keys", flag.ContinueOnError), args); err != nil {
		return err
	}
	st, _, err := openStore(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "ID\tROLE\tENDS IN\tPARTNER\tCREATED\tREVOKED\tNAME")
	for page := (store.Page{Limit: 200}); ; {
		keys, err := st.APIKeys(ctx, page)
		if err != nil {
			return err
		}
		for _, k := range keys {
			printAPIKey(out, k)
		}
		if len(keys) < page.Limit {
			return out.Flush()
		}
		page.After = keys[len(keys)-1].ID
	}
}

func printAPIKey(w io.Writer, k models.APIKey) {
	partner, revoked := "-", "-"
	if k.PartnerID != nil {
		partner = *k.PartnerID
	}
	if k.RevokedAt != nil {
		revoked = k.RevokedAt.UTC().Format(time.RFC3339)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Role, k.LastFour, partner, k.CreatedAt.UTC().Format(time.RFC3339), revoked, k.Name)
}

// revokeAPIKey ends a key at once.
func revokeAPIKey(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("revoke-api-key", flag.ContinueOnError)
	id := f.String("id", "", "ak_… of the key, as list-api-keys shows it")
	if err := parse(f, args); err != nil {
		return err
	}
	if *id == "" {
		return errors.New("-id is missing: ak_… of the key, as list-api-keys shows it")
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
	if err := st.RevokeAPIKey(ctx, *id, cli, at); err != nil {
		return err
	}
	fmt.Println(*id, "is revoked")
	return nil
}

// keyring shows or changes the keys that seal seeds and mailed license keys (SEC-2). Running processes read the file when they start.
func keyring(_ context.Context, args []string) error {
	const how = "usage: tokendesk keyring list | add | promote ID"
	e, err := readEnvironment()
	if err != nil {
		return err
	}
	ring, err := seal.OpenKeyring(e.KeyringFile)
	if err != nil {
		return err
	}
	switch {
	case len(args) == 1 && args[0] == "list":
		printKeyring(os.Stdout, ring)
		return nil
	case len(args) == 1 && args[0] == "add":
		ring, id, err := ring.Add()
		if err != nil {
			return err
		}
		if err := seal.Save(e.KeyringFile, ring); err != nil {
			return err
		}
		fmt.Printf("added %d: it opens, and seals once it is promoted\n", id)
		return nil
	case len(args) == 2 && args[0] == "promote":
		id, err := strconv.ParseUint(args[1], 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not the id of a key; %s", args[1], how)
		}
		if ring, err = ring.Promote(uint32(id)); err != nil {
			return err
		}
		if err := seal.Save(e.KeyringFile, ring); err != nil {
			return err
		}
		fmt.Printf("promoted %d: processes that start from now on seal with it\n", id)
		return nil
	}
	return errors.New(how)
}

// printKeyring lists the ids with the prefix that marks a key's ciphertexts in the database.
func printKeyring(w io.Writer, ring *seal.Keyring) {
	for _, id := range ring.KeyIDs() {
		use := "opens"
		if id == ring.Primary() {
			use = "seals and opens"
		}
		fmt.Fprintf(w, "%d\tprefix \\x%x\t%s\n", id, seal.Prefix(id), use)
	}
}
