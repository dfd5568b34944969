package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"tokendesk/api/client"
	"tokendesk/models"
)

func everythingAhead(ctx context.Context, p *play) (scene, error) {
	w := p.grace
	t, err := w.next(ctx)
	if err != nil {
		return scene{}, err
	}
	first, last := t.Milestones[0], t.Milestones[len(t.Milestones)-1]
	return scene{dates(t), aboutCredential(w)},
		all(same("what comes first", first.Name, models.ExpiryNotice), same("what comes last", last.Name, models.CredentialRevokes),
			same("the day of the revocation", day(last.At), day(revocation(w.expires, models.DefaultPolicy().Life.GraceMonths))))
}

// revocation is the moment at which a credential is revoked that nobody renews: the end of a day.
func revocation(expires time.Time, months int) time.Time {
	return models.StartOfDay(models.TermEnd(expires, months, zone), 1, zone)
}

// preview is what a streamed preview said.
type preview struct {
	lines   int
	changes map[string]client.WhatIfChange // by credential
	summary client.WhatIfSummary
}

func whatIf(ctx context.Context, p *play) (scene, error) {
	const months = 6
	w := p.grace
	before, err := w.next(ctx)
	if err != nil {
		return scene{}, err
	}
	seen, err := p.preview(ctx, months)
	if err != nil {
		return scene{}, err
	}
	after, err := w.next(ctx)
	if err != nil {
		return scene{}, err
	}
	hers, adas := seen.changes[w.credential], seen.changes[p.ada.credential]
	var to time.Time
	for _, c := range hers.Changes {
		if c.What == client.WhatIfDateWhatRevoked {
			to = c.To
		}
	}
	err = all(same("the number of lines", int64(seen.lines), seen.summary.Changed+2), same("when Grace's would be revoked", day(to), day(revocation(w.expires, months))),
		holds(seen.summary.Changed > 0 && seen.summary.Changed <= seen.summary.Credentials, "the summary counts what was told"),
		same("what Ada's, which is revoked, would do", adas.CredentialID, ""), same("what is ahead of Grace's", dates(after), dates(before)))
	return scene{fmt.Sprintf("%d lines are streamed: of %d live credentials %d would end earlier, Grace's on %s. It is a question only: nothing has changed.",
		seen.lines, seen.summary.Credentials, seen.summary.RevokedEarlier, day(to)), ""}, err
}

// preview asks what would happen if a credential were revoked so many months after its term.
func (p *play) preview(ctx context.Context, months int32) (seen preview, err error) {
	versions, err := client.Read[client.PolicyList](p.billing.ListPolicies(ctx))
	if err != nil {
		return seen, err
	}
	var current int32
	for _, v := range versions.Items {
		if v.Current {
			current = v.Version
		}
	}
	answer, err := p.billing.PreviewPolicy(ctx, current, client.PolicyChange{Life: &client.PolicyLife{GraceMonths: &months}})
	if err != nil {
		return seen, err
	}
	if answer.StatusCode != http.StatusOK {
		_, err = client.ReadFile(answer, nil)
		return seen, all(err, fmt.Errorf("the preview was answered with %s", answer.Status))
	}
	defer func() { _ = answer.Body.Close() }()
	return readPreview(answer.Body)
}

// readPreview reads lines as they come. Only a summary makes a preview whole.
func readPreview(r io.Reader) (preview, error) {
	seen := preview{changes: map[string]client.WhatIfChange{}}
	for lines := json.NewDecoder(r); ; seen.lines++ {
		var line json.RawMessage
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return seen, fmt.Errorf("read the preview: %w", err)
		}
		var kind struct{ Line string }
		err := json.Unmarshal(line, &kind)
		switch {
		case err != nil:
		case kind.Line == string(client.WhatIfChangeLineChange):
			var c client.WhatIfChange
			err = json.Unmarshal(line, &c)
			seen.changes[c.CredentialID] = c
		case kind.Line == string(client.WhatIfSummaryLineSummary):
			err = json.Unmarshal(line, &seen.summary)
		case kind.Line == string(client.WhatIfFailureLineFailure):
			var f client.WhatIfFailure
			err = all(json.Unmarshal(line, &f), &f.Problem)
		}
		if err != nil {
			return seen, fmt.Errorf("read the preview: %w", err)
		}
	}
	return seen, holds(seen.summary.Line != "", "the last line of a preview is its summary")
}
