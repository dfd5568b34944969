package demo

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"tokendesk/api/client"
	"tokendesk/internal/demodata"
)

// batch is how many tokens a run brings: more than it sells.
const batch = 7

func importTokens(ctx context.Context, p *play) (scene, error) {
	serials := make([]string, batch)
	for i := range serials {
		serials[i] = fmt.Sprintf("DTW-%s-%d", strings.ToUpper(p.tag), i+1)
	}
	var file bytes.Buffer
	if err := p.cfg.Secrets.Maker.WriteFile(&file, serials...); err != nil {
		return scene{}, fmt.Errorf("write the seed file: %w", err)
	}
	p.file = file.Bytes()
	r, err := p.importFile(ctx)
	if err != nil {
		return scene{}, err
	}
	err = all(same("the number of rows", r.Rows, batch), same("the number of imported tokens", r.Imported, batch),
		same("the number of refused rows", r.Refused, 0), same("the first serial", *r.Tokens[0].Serial, serials[0]))
	return scene{outcome: fmt.Sprintf("The PSKC file is encrypted under a pre-shared key. Its MAC is right, and %d tokens are in stock, %s to %s; the seeds are sealed.",
		r.Imported, serials[0], serials[batch-1])}, err
}

func importAgain(ctx context.Context, p *play) (scene, error) {
	r, err := p.importFile(ctx)
	if err != nil {
		return scene{}, err
	}
	err = all(same("the number of imported tokens", r.Imported, 0), same("the number of known tokens", r.Known, batch))
	return scene{outcome: fmt.Sprintf("All %d serials are known: nothing changes, no counter is set back.", r.Known)}, err
}

func (p *play) importFile(ctx context.Context) (client.ImportReport, error) {
	key := hex.EncodeToString(p.cfg.Secrets.Maker.FileKey())
	return client.Read[client.ImportReport](p.warehouse.ImportTokensWithBody(ctx, &client.ImportTokensParams{
		Warehouse: demodata.Warehouse, TokenImportKey: &key}, "application/pskc+xml", bytes.NewReader(p.file)))
}
