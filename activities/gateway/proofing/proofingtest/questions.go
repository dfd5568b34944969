package proofingtest

import (
	"testing"
	"time"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/models"
)

func asks(t *testing.T, s Subject) {
	session := begun(t, s, "k", "Asked")
	if session.Phase != models.SessionQuestions {
		t.Fatalf("%+v", session)
	}
	set := asked(t, s, session.Ref)
	limits := Identity.Limits
	if want := s.Now().Add(time.Duration(limits.AtLeast*limits.Seconds) * time.Second); len(set.Questions) < limits.AtLeast ||
		set.AnswerBy.Sub(want).Abs() > time.Minute {
		t.Fatalf("%d questions until %s, now is %s", len(set.Questions), set.AnswerBy, s.Now())
	}
	ids := map[string]bool{}
	for _, q := range set.Questions {
		if q.ID == "" || ids[q.ID] || q.Text == "" || len(q.Options) < limits.Options {
			t.Fatalf("question %q with %d options", q.ID, len(q.Options))
		}
		ids[q.ID] = true
		options := map[string]bool{}
		for _, o := range q.Options {
			if o.ID == "" || options[o.ID] || o.Text == "" {
				t.Fatalf("option %q of question %q", o.ID, q.ID)
			}
			options[o.ID] = true
		}
	}
	s.Pass(time.Minute)
	if again := asked(t, s, session.Ref); again.ID != set.ID || !again.AnswerBy.Equal(set.AnswerBy) || len(again.Questions) != len(set.Questions) {
		t.Fatalf("looking again gave %+v after %+v", again, set) // and no more time
	}
	if after := answered(t, s, session.Ref, set, rightly(s, set)); after.Phase != models.SessionCapture {
		t.Fatalf("%+v", after)
	}
	s.Pictures(t, session.Ref)
	endedAs(t, s, session.Ref, models.OutcomeVerified)
	_, err := s.Provider.Questions(t.Context(), session.Ref)
	wantFault(t, err, models.StateForbids)
}

func unasked(t *testing.T, s Subject) {
	for _, name := range []string{"Asked", "Located"} {
		a := Applicant(name, name)
		a.Limits = proofing.Limits{}
		session, err := s.Provider.Start(t.Context(), a)
		if err != nil || session.Phase != models.SessionCapture {
			t.Fatalf("%s: %+v, %v", name, session, err)
		}
	}
}

func wrongAnswers(t *testing.T, s Subject) {
	session := begun(t, s, "k", "Asked")
	seen := map[string]bool{}
	for attempt := 1; attempt <= Identity.Limits.Attempts; attempt++ {
		stands(t, s, session.Ref, models.SessionQuestions)
		set := asked(t, s, session.Ref)
		if seen[set.ID] {
			t.Fatalf("set %s is asked again", set.ID)
		}
		seen[set.ID] = true
		answered(t, s, session.Ref, set, wrongly(s, set))
	}
	endedAs(t, s, session.Ref, models.OutcomeLocated)

	second := begun(t, s, "second", "Asked")
	set := asked(t, s, second.Ref)
	answered(t, s, second.Ref, set, wrongly(s, set))
	set = asked(t, s, second.Ref)
	if after := answered(t, s, second.Ref, set, rightly(s, set)); after.Phase != models.SessionCapture {
		t.Fatalf("%+v", after)
	}
}

func lateAnswers(t *testing.T, s Subject) {
	session := begun(t, s, "k", "Asked")
	for range Identity.Limits.Attempts {
		stands(t, s, session.Ref, models.SessionQuestions)
		set := asked(t, s, session.Ref)
		s.Pass(set.AnswerBy.Sub(s.Now()) + time.Second)
		for range 2 {
			_, err := s.Provider.Answer(t.Context(), session.Ref, set.ID, rightly(s, set))
			wantFault(t, err, models.QuestionsTooLate)
		}
	}
	endedAs(t, s, session.Ref, models.OutcomeLocated)

	last := begun(t, s, "last", "Asked") // in time with the last set
	for range Identity.Limits.Attempts - 1 {
		set := asked(t, s, last.Ref)
		s.Pass(set.AnswerBy.Sub(s.Now()) + time.Second)
	}
	set := asked(t, s, last.Ref)
	answered(t, s, last.Ref, set, rightly(s, set))
	s.Pass(time.Hour)
	stands(t, s, last.Ref, models.SessionCapture)
}

func answersOnce(t *testing.T, s Subject) {
	ctx := t.Context()
	session, other := begun(t, s, "k", "Asked"), begun(t, s, "other", "Asked")
	_, err := s.Provider.Answer(ctx, session.Ref, "unknown", nil)
	wantFault(t, err, models.NoSuchThing)
	set, others := asked(t, s, session.Ref), asked(t, s, other.Ref)
	if set.ID == others.ID {
		t.Fatal("two sessions have one set")
	}
	_, err = s.Provider.Answer(ctx, session.Ref, others.ID, rightly(s, others))
	wantFault(t, err, models.NoSuchThing)

	first := set.Questions[0].ID
	for name, spoil := range map[string]func(answers map[string]string){
		"one is missing":       func(answers map[string]string) { delete(answers, first) },
		"an option of nothing": func(answers map[string]string) { answers[first] = "none" },
		"one too many":         func(answers map[string]string) { answers["q999"] = "o1" },
	} {
		t.Log(name)
		answers := rightly(s, set)
		spoil(answers)
		_, err := s.Provider.Answer(ctx, session.Ref, set.ID, answers)
		wantFault(t, err, models.IdentityDataIncomplete)
	}
	answered(t, s, session.Ref, set, wrongly(s, set)) // none of those used the set up
	if after := answered(t, s, session.Ref, set, rightly(s, set)); after.Phase != models.SessionQuestions {
		t.Fatalf("the set was answered twice: %+v", after)
	}
	answered(t, s, other.Ref, others, rightly(s, others))
	if after := answered(t, s, other.Ref, others, wrongly(s, others)); after.Phase != models.SessionCapture {
		t.Fatalf("the set was answered twice: %+v", after)
	}
}
