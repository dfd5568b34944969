// Package demo plays the journey from purchase to login, and three years of a credential, against a running sandbox, as the people
// in it would: only through the API and the sandbox's pages. Every step checks what it tells. It can be played again and again: each
// run has people, tokens and orders of its own, and begins at whatever day the sandbox has come to.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"syscall"
	"time"

	"tokendesk/api/client"
	"tokendesk/internal/demodata"
	"tokendesk/models"
)

// Config says which stack to play against, and how to tell of it.
type Config struct {
	APIURL    string // without a trailing slash
	AgentsURL string // where proofing agents are served
	AgentsCA  string // directory of the authority of their certificates
	UIURL     string // of the Temporal UI; empty: no links
	Namespace string // of the lifecycles
	Secrets   demodata.Secrets
	Out       io.Writer
	JSON      bool // one object per step, and nothing else
	Styled    bool // bold and dim type; ignored with JSON
}

// NotRunningError says that nothing answers where the stack should be.
type NotRunningError struct{ cause error }

func (e *NotRunningError) Error() string { return "the stack is not running: start it with make run" }
func (e *NotRunningError) Unwrap() error { return e.cause }

// Run plays the story to its end. The error is a sentence for a person: which step failed, and why.
func Run(ctx context.Context, cfg Config) error {
	p, err := rehearse(ctx, cfg)
	if err != nil {
		return err
	}
	tell := newNarrator(cfg)
	began := time.Now()
	tell.opening()
	number := 0
	for _, c := range story {
		tell.chapter(c.title)
		still, err := p.stands(ctx, c)
		if err != nil {
			return fmt.Errorf("before %q: %w", c.title, readable(ctx, err))
		}
		if still {
			tell.skipped(c.title, standsStill)
			continue
		}
		for _, s := range c.steps {
			number++
			if err := p.perform(ctx, tell, number, s); err != nil {
				return err
			}
		}
	}
	tell.closing(number, time.Since(began))
	return nil
}

// perform plays one step and tells of it.
func (p *play) perform(ctx context.Context, tell narrator, number int, s step) error {
	r := report{Step: number, Name: s.name, Title: s.title}
	tell.begins(r)
	began := time.Now()
	scene, err := s.do(ctx, p)
	r.TookMS = time.Since(began).Milliseconds()
	r.Link = p.link(scene.workflow)
	if err == nil {
		r.Date, err = p.date(ctx)
	}
	err = readable(ctx, err)
	if r.OK = err == nil; r.OK {
		r.Outcome = scene.outcome
	} else {
		r.Error = err.Error()
		err = fmt.Errorf("step %d, %q: %w", number, s.title, err)
	}
	tell.ends(r)
	return err
}

// readable is an error as a person understands it.
func readable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("it was interrupted")
	}
	if cut, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("the stack has stopped answering: %w", cut.Err)
	}
	return err
}

// play is what the steps of one run share.
type play struct {
	cfg  Config
	tag  string // tells this run from others
	file []byte // the seed file

	support, warehouse, billing, auditor, portal *client.Client

	sandbox      sandbox
	undated      bool    // the stack has no clock to read
	organization *string // where all of them work

	ada, grace, hedy, katherine, dorothy, emmy *person
}

// rehearse sees that the stack is there, and hands out the roles.
func rehearse(ctx context.Context, cfg Config) (*play, error) {
	p := &play{cfg: cfg, tag: newTag(), sandbox: sandbox{cfg.APIURL}, ada: &person{first: "Ada", middle: "King", last: "Lovelace"},
		grace: &person{first: "Grace", last: "Hopper"}, hedy: &person{first: "Hedy", last: "Lamarr"}, katherine: &person{first: "Katherine", last: "Johnson"},
		dorothy: &person{first: "Dorothy", last: "Asked", sku: demodata.ProofedSKU}, // the identity provider of the sandbox knows people by their last names
		emmy:    &person{first: "Emmy", last: "Noether", sku: demodata.ProofedSKU, documents: "DE"}}
	for role, c := range map[models.Role]**client.Client{models.RoleSupport: &p.support, models.RoleWarehouse: &p.warehouse,
		models.RoleBilling: &p.billing, models.RoleAuditor: &p.auditor, models.RoleRelyingApp: &p.portal} {
		key := cfg.Secrets.APIKeys[string(role)]
		if key == "" {
			return nil, fmt.Errorf("the demo secrets have no API key for the role %s", role)
		}
		var err error
		if *c, err = client.Connect(cfg.APIURL, key); err != nil {
			return nil, err
		}
	}
	_, err := client.Read[client.Health](p.support.GetReadiness(ctx))
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, &NotRunningError{err}
	case err != nil:
		return nil, fmt.Errorf("the stack at %s is not ready: %w", cfg.APIURL, err)
	}
	return p, nil
}

// link leads to a lifecycle in the Temporal UI.
func (p *play) link(workflow string) string {
	if workflow == "" || p.cfg.UIURL == "" {
		return ""
	}
	return strings.TrimSuffix(p.cfg.UIURL, "/") + "/namespaces/" + url.PathEscape(p.cfg.Namespace) + "/workflows/" + url.PathEscape(workflow)
}
