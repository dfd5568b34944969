package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"tokendesk/api/gen"
	"tokendesk/internal/terms"
	"tokendesk/models"
	"tokendesk/models/store"
)

const mediaLines = "application/x-ndjson"

// A preview reads every credential, on a connection of its own.
const (
	maxPreviews     = 2 // at once, in one process
	previewPatience = 10 * time.Second
)

// ListPolicies lists every version of the policy.
func (s *server) ListPolicies(ctx context.Context, _ gen.ListPoliciesRequestObject) (gen.ListPoliciesResponseObject, error) {
	items, err := s.policies(ctx)
	return gen.ListPolicies200JSONResponse{Items: items}, err
}

// GetPolicy shows one version of the policy.
func (s *server) GetPolicy(ctx context.Context, r gen.GetPolicyRequestObject) (gen.GetPolicyResponseObject, error) {
	p, err := s.policy(ctx, int(r.PolicyVersion))
	return gen.GetPolicy200JSONResponse(p), err
}

// PublishPolicy adds the next version of the policy.
func (s *server) PublishPolicy(ctx context.Context, r gen.PublishPolicyRequestObject) (gen.PublishPolicyResponseObject, error) {
	reason := strings.TrimSpace(r.Body.Reason)
	if reason == "" {
		return nil, models.InvalidRequest.New("a reason is needed").At("/reason")
	}
	version, err := making(ctx, s, func(tx *store.Store) (int, string, error) {
		base, err := tx.Policy(ctx, int(r.Body.BaseVersion))
		if errors.Is(err, models.NoSuchThing) {
			err = models.ReferenceUnknown.New("there is no such version").At("/base_version")
		}
		if err != nil {
			return 0, "", err
		}
		whole, err := overlaid(base, r.Body.Change)
		if err != nil {
			return 0, "", err
		}
		if err := whole.Validate(); err != nil {
			return 0, "", inMember("/change", err)
		}
		if _, ok := terms.Of(whole.Proofing.TermsVersion); !ok {
			return 0, "", models.PolicyInvalid.New("there is no text of these terms").At("/change/proofing/terms_version")
		}
		version, err := tx.PublishPolicy(ctx, store.NewPolicy{Policy: whole, Base: base.Version, Reason: reason, EffectiveAt: deref(r.Body.EffectiveAt)},
			callOf(ctx).caller.Actor, s.Clock())
		return version, strconv.Itoa(version), err
	}, strconv.Atoi)
	if err != nil {
		return nil, err
	}
	p, err := s.policy(ctx, version)
	return gen.PublishPolicy201JSONResponse{Headers: gen.PublishPolicy201ResponseHeaders{Location: fmt.Sprintf("/v1/policies/%d", version)}, Body: p}, err
}

// inMember points the faults of a policy at where it stands in the body.
func inMember(member string, err error) error {
	var moved []error
	for _, f := range models.FaultsOf(err) {
		moved = append(moved, f.At(member+f.Field))
	}
	return errors.Join(moved...)
}

func (s *server) policy(ctx context.Context, version int) (gen.PublishedPolicy, error) {
	all, err := s.policies(ctx)
	if err != nil {
		return gen.PublishedPolicy{}, err
	}
	i := slices.IndexFunc(all, func(p gen.PublishedPolicy) bool { return int(p.Version) == version })
	if i < 0 {
		return gen.PublishedPolicy{}, models.NoSuchThing.New("no such version")
	}
	return all[i], nil
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
		p := gen.PublishedPolicy{Version: int32(v.Version), EffectiveAt: v.EffectiveAt, Current: v.Version == current.Version, Policy: v.Policy,
			Reason: optional(v.Reason), AddedBy: optional(v.AddedBy), AddedAt: v.AddedAt}
		if v.Base != nil {
			base := int32(*v.Base)
			p.BaseVersion = &base
		}
		return p
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
	select {
	case s.previews <- struct{}{}:
		defer func() { <-s.previews }()
	default:
		s.abort(c, models.PreviewsBusy.New("%d are the most at once", maxPreviews).After(previewPatience))
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
