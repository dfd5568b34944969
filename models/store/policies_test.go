package store_test

import (
	"errors"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

var rules = models.Actor{ID: "ak_rules"}

// LIF-1: of many versions that are made of the same one at once, one is added, and the others are told.
func TestPublishPolicyAtOnce(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	p := models.DefaultPolicy()
	p.Life.NoticeBefore = 45
	got := atOnce(8, func(int) error {
		_, err := st.PublishPolicy(t.Context(), store.NewPolicy{Policy: p, Base: 1, Reason: "an earlier notice"}, rules, storetest.At)
		return err
	})
	if got[""] != 1 || got[models.EditConflict.Slug] != 7 {
		t.Errorf("published: %v", got)
	}
	versions, err := st.PolicyVersions(t.Context())
	storetest.Must(t, err)
	if len(versions) != 2 || versions[0].Version != 2 || versions[0].Life.NoticeBefore != 45 || versions[0].AddedBy != rules.ID || *versions[0].Base != 1 {
		t.Errorf("versions %+v", versions)
	}
	if n := query[int](t, st, "select count(*) from audit_events where kind = 'policy.published'"); n != 1 {
		t.Errorf("audited %d times", n)
	}
}

// LIF-1: what is agreed at a moment is agreed under the version that takes effect last by then.
func TestPublishPolicyAhead(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	start := storetest.At.AddDate(0, 1, 0)
	for base, at := range []time.Time{1: start, 2: start} { // the second corrects the first before it takes effect
		if at.IsZero() {
			continue
		}
		_, err := st.PublishPolicy(t.Context(), store.NewPolicy{Policy: models.DefaultPolicy(), Base: base, Reason: "announced", EffectiveAt: at}, rules, storetest.At)
		storetest.Must(t, err)
	}
	for at, want := range map[time.Time]int{storetest.At: 1, start.Add(-time.Microsecond): 1, start: 3} {
		if p, err := st.CurrentPolicy(t.Context(), at); err != nil || p.Version != want {
			t.Errorf("at %s version %d is in effect, want %d: %v", at, p.Version, want, err)
		}
	}
}

// A policy that cannot be is no version, however it comes.
func TestPolicyThatCannotBe(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	p := models.DefaultPolicy()
	p.Version, p.Zone, p.Life.GraceMonths = 2, "Europe/Atlantis", 0
	_, err := st.PublishPolicy(t.Context(), store.NewPolicy{Policy: p, Base: 1, Reason: "a mistake"}, rules, storetest.At)
	for name, err := range map[string]error{"published": err, "added": st.AddPolicy(t.Context(), p, storetest.At)} {
		if !errors.Is(err, models.PolicyInvalid) || len(models.FaultsOf(err)) != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := query[int](t, st, "select count(*) from policies"); n != 1 {
		t.Errorf("%d versions", n)
	}
}
