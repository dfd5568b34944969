package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

const mediaLines = "application/x-ndjson"

// ListPolicies lists every version of the policy.
func (s *server) ListPolicies(ctx context.Context, _ gen.ListPoliciesRequestObject) (gen.ListPoliciesResponseObject, error) {
	items, err := s.policies(ctx)
	return gen.ListPolicies200JSONResponse{Items: items}, err
}

// GetPolicy shows one version of the policy.
func (s *server) GetPolicy(ctx context.Context, r gen.GetPolicyRequestObject) (gen.GetPolicyResponseObject, error) {
	items, err := s.policies(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range items {
		if p.Version == r.PolicyVersion {
			return gen.GetPolicy200JSONResponse(p), nil
		}
	}
	return nil, models.NoSuchThing.New("no such version")
}

func (s *server) policies(ctx context.Context) ([]gen.PublishedPolicy, error) {
	versions, err := s.Store.PolicyVersions(ctx)
	if err != nil {
		return nil, err
	}
	current, err := s.Store.CurrentPolicy(ctx, s.Clock())
	if err != nil {
		return nil, err
	}
	return each(versions, func(v store.PolicyVersion) gen.PublishedPolicy {
		return gen.PublishedPolicy{Version: int32(v.Version), EffectiveAt: v.EffectiveAt, Current: v.Version == current.Version, Policy: v.Policy}
	}), nil
}

// previewPolicy says who would change state under another policy, and when (LIF-1). It is bound by hand because it is streamed.
func (s *server) previewPolicy(c *gin.Context) {
	ctx, at := c.Request.Context(), s.Clock()
	version, err := strconv.Atoi(c.Param("policy_version"))
	if err != nil {
		s.abort(c, unbound(err))
		return
	}
	base, err := s.Store.Policy(ctx, version)
	if err != nil {
		s.abort(c, err)
		return
	}
	other, err := overlaid(base, c.Request.Body.(checkedBody).value) // check comes before
	if err == nil {
		err = other.Validate()
	}
	if err != nil {
		s.abort(c, err)
		return
	}
	c.Header("Content-Type", mediaLines)
	out := &lines{w: c.Writer, control: http.NewResponseController(c.Writer)}
	if err := s.preview(ctx, out, base.Version, other, at); err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "preview not finished", slog.String("request_id", callOf(ctx).requestID), slog.String("error", causeOf(err)))
		_ = out.write(gen.WhatIfFailure{Line: gen.WhatIfFailureLineFailure, Problem: problem(callOf(ctx), faultOf(err), err)}) // the caller may be gone
	}
	_ = out.flush()
}

func (s *server) preview(ctx context.Context, out *lines, version int, other models.Policy, at time.Time) error {
	if err := out.write(gen.WhatIfHeader{Line: gen.WhatIfHeaderLineHeader, Version: int32(version), At: at, Policy: other}); err != nil {
		return err
	}
	sum := gen.WhatIfSummary{Line: gen.WhatIfSummaryLineSummary}
	looked, err := s.Store.PreviewPolicy(ctx, other, at, func(c models.Credential, e models.PolicyEffect) error {
		tally(&sum, e)
		return out.write(gen.WhatIfChange{Line: gen.WhatIfChangeLineChange, CredentialID: c.ID, Version: int32(c.PolicyVersion), Status: e.Status, Then: e.Then,
			Changes: each(e.Changes, func(d models.DateChange) gen.WhatIfDate {
				return gen.WhatIfDate{What: whatOf(d), From: d.From, To: d.To}
			})})
	})
	if err != nil {
		return err
	}
	sum.Credentials = int64(looked)
	return out.write(sum)
}

func whatOf(d models.DateChange) gen.WhatIfDateWhat {
	if d.Milestone == models.TermSuspended {
		return gen.WhatIfDateWhatSuspended
	}
	return gen.WhatIfDateWhatRevoked
}

func tally(sum *gen.WhatIfSummary, e models.PolicyEffect) {
	sum.Changed++
	if e.Status != e.Then {
		sum.AtOnce++
	}
	for _, d := range e.Changes {
		switch suspended, earlier := d.Milestone == models.TermSuspended, d.To.Before(d.From); {
		case suspended && earlier:
			sum.SuspendedEarlier++
		case suspended:
			sum.SuspendedLater++
		case earlier:
			sum.RevokedEarlier++
		default:
			sum.RevokedLater++
		}
	}
}

// overlaid lays a part of a policy over a whole one; lists are replaced.
func overlaid(base models.Policy, change any) (models.Policy, error) {
	whole, err := json.Marshal(base) // a copy: versions are shared
	if err != nil {
		return base, err
	}
	part, err := json.Marshal(change)
	if err != nil {
		return base, err
	}
	var other models.Policy
	if err := json.Unmarshal(whole, &other); err != nil {
		return base, err
	}
	if err := json.Unmarshal(part, &other); err != nil {
		return base, unbound(err) // a number with an exponent, say
	}
	return other, nil
}

// lines writes JSON values, one a line, in pieces. A caller who takes no piece for a while is given up.
type lines struct {
	w       http.ResponseWriter
	control *http.ResponseController
	held    bytes.Buffer
}

const (
	pieceSize     = 32 << 10 // bytes
	piecePatience = 30 * time.Second
)

func (l *lines) write(v any) error {
	if err := json.NewEncoder(&l.held).Encode(v); err != nil {
		return err
	}
	if l.held.Len() < pieceSize {
		return nil
	}
	return l.flush()
}

func (l *lines) flush() error {
	extend(l.w, piecePatience)
	if _, err := l.held.WriteTo(l.w); err != nil {
		return err
	}
	return l.control.Flush()
}
