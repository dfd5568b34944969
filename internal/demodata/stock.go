package demodata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"tokendesk/internal/pskc"
	"tokendesk/internal/seal"
	"tokendesk/internal/stockimport"
	"tokendesk/models"
	"tokendesk/models/store"
)

// stockOfModel is how many tokens of each model a new sandbox has: above the reorder level.
const stockOfModel = 20

// LoadStock brings tokens of each demo model, whose seeds the maker in the secrets knows. A database that has them keeps them as
// they are.
func LoadStock(ctx context.Context, st *store.Store, ring *seal.Keyring, secrets Secrets, at time.Time) error {
	if _, err := st.Token(ctx, serial(TokenModel, 1)); !errors.Is(err, models.NoSuchThing) {
		return err
	}
	var file bytes.Buffer
	if err := secrets.Maker.writeStock(&file); err != nil {
		return fmt.Errorf("write the seed file of the demo stock: %w", err)
	}
	report, err := stockimport.Import(ctx, st, ring, &file, stockimport.Options{Format: stockimport.PSKC, Warehouse: Warehouse,
		PreSharedKey: secrets.Maker.FileKey()}, models.Actor{ID: "system"}, at)
	if err == nil && report.Import.Refused > 0 {
		err = fmt.Errorf("%d tokens were refused", report.Import.Refused)
	}
	if err != nil {
		return fmt.Errorf("load the demo stock: %w", err)
	}
	return nil
}

func (m TokenMaker) writeStock(w io.Writer) error {
	file := pskc.NewWriter(w, pskc.WriterOptions{PreSharedKey: m.FileKey(), KeyName: "Demo transport key"})
	for n := range stockOfModel {
		for _, key := range []pskc.Key{
			{Model: TokenModel, Algorithm: pskc.HOTP},
			{Model: TimeModel, Algorithm: pskc.TOTP, TimeInterval: 30 * time.Second},
		} {
			key.Serial = serial(key.Model, n+1)
			key.Manufacturer, key.Digits, key.Secret = Manufacturer, Parameters.Digits, m.Seed(key.Serial)
			if err := file.Write(key); err != nil {
				return err
			}
		}
	}
	return file.Close()
}

// serial of the nth token of a model: DTW-200-0001.
func serial(model string, n int) string {
	return fmt.Sprintf("DTW-%s-%04d", strings.TrimPrefix(strings.Fields(model)[0], "TD-"), n)
}
