package simulator

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/models"
)

// Questions gives the set that is to be answered now.
func (s *Simulator) Questions(ctx context.Context, ref string) (set proofing.QuestionSet, err error) {
	_, err = s.change(ctx, questions, ref, func(tx pgx.Tx, writes *pgx.Batch, c *record) error {
		if c.phase != models.SessionQuestions {
			return models.StateForbids.New("the session does not wait for answers")
		}
		number, answerBy, open, err := s.newestSet(ctx, tx, ref)
		if err == nil && !open {
			number++
			answerBy, err = s.ask(ctx, tx, writes, c, number)
		}
		set = newSet(c, number, answerBy)
		return err
	})
	if err != nil {
		return proofing.QuestionSet{}, err
	}
	return set, nil
}

func (s *Simulator) newestSet(ctx context.Context, tx pgx.Tx, ref string) (number int, answerBy time.Time, open bool, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce(max(number), 0), coalesce(max(answer_by), $2), coalesce(bool_or(NOT answered AND answer_by >= $2), false)
		FROM sandbox.proofing_sets WHERE ref = $1`, ref, s.config.Now()).Scan(&number, &answerBy, &open)
	return number, answerBy.UTC(), open, err
}

// ask opens a set. When the time of the last one is over, so is the session.
func (s *Simulator) ask(ctx context.Context, tx pgx.Tx, writes *pgx.Batch, c *record, number int) (time.Time, error) {
	patience := time.Duration(c.limits.Seconds*c.limits.AtLeast) * time.Second
	answerBy := s.config.Now().Add(patience).UTC().Truncate(time.Microsecond)
	writes.Queue(`INSERT INTO sandbox.proofing_sets (ref, number, answer_by) VALUES ($1, $2, $3)`, c.ref, number, answerBy)
	if number < c.limits.Attempts || !answerBy.Before(c.laterAt) {
		return answerBy, nil
	}
	return answerBy, s.endLater(ctx, tx, writes, c, models.OutcomeLocated, answerBy.Add(time.Microsecond))
}

// Answer takes the answers to a set.
func (s *Simulator) Answer(ctx context.Context, ref, setID string, answers map[string]string) (proofing.Session, error) {
	return s.change(ctx, answer, ref, func(tx pgx.Tx, writes *pgx.Batch, c *record) error {
		number := numberOf(ref, setID)
		var answerBy time.Time
		var answered bool
		rows, err := tx.Query(ctx, `SELECT answer_by, answered FROM sandbox.proofing_sets WHERE ref = $1 AND number = $2`, ref, number)
		if err != nil {
			return err
		}
		count, err := pgx.ForEachRow(rows, []any{&answerBy, &answered}, func() error { return nil })
		switch {
		case err != nil:
			return err
		case count.RowsAffected() == 0:
			return models.NoSuchThing.New("there is no such set of questions")
		case answered:
			return nil
		case s.config.Now().After(answerBy):
			return models.QuestionsTooLate.New("the time of this set is over")
		case c.phase != models.SessionQuestions:
			return models.StateForbids.New("the session does not wait for answers")
		}
		right, err := graded(newSet(c, number, answerBy), answers)
		if err != nil {
			return err
		}
		writes.Queue(`UPDATE sandbox.proofing_sets SET answered = true WHERE ref = $1 AND number = $2`, ref, number)
		return s.answered(ctx, tx, writes, c, number, right)
	})
}

// answered goes on after a set was answered.
func (s *Simulator) answered(ctx context.Context, tx pgx.Tx, writes *pgx.Batch, c *record, number int, right bool) error {
	switch {
	case c.person.script().never || !right && number >= c.limits.Attempts:
		return s.end(ctx, tx, writes, c, models.OutcomeLocated)
	case !right:
		return nil
	}
	if err := s.push.Withdraw(ctx, tx, c.future()); err != nil {
		return err
	}
	c.lapseAtEnd()
	c.passed = true
	return s.proceed(ctx, tx, writes, c)
}

// rightMark is in the text of the right option.
const rightMark = "yes"

// graded reports whether every answer is right. Each question needs one of its options.
func graded(set proofing.QuestionSet, answers map[string]string) (right bool, err error) {
	right = true
	for _, q := range set.Questions {
		chosen := -1
		for i, o := range q.Options {
			if o.ID == answers[q.ID] {
				chosen = i
			}
		}
		if chosen < 0 {
			return false, models.IdentityDataIncomplete.New("each question needs one of its options").At("/answers")
		}
		right = right && strings.Contains(q.Options[chosen].Text.Reveal(), rightMark)
	}
	if len(answers) != len(set.Questions) {
		return false, models.IdentityDataIncomplete.New("there are answers to questions that were not asked").At("/answers")
	}
	return right, nil
}

func setID(ref string, number int) string { return ref + ".q" + strconv.Itoa(number) }

// numberOf is the number in a set's id; zero, which no set has, where it is another session's.
func numberOf(ref, id string) int {
	text, ok := strings.CutPrefix(id, ref+".q")
	number, err := strconv.Atoi(text)
	if !ok || err != nil || setID(ref, number) != id {
		return 0
	}
	return number
}

var topics = []struct {
	text    models.Secret
	options []string
}{
	{"Which of these streets have you lived on?", []string{"Cedar Lane", "Harbor Road", "Mill Street", "Orchard Avenue"}},
	{"Which of these cars have you owned?", []string{"a blue pickup", "a green estate", "a red coupé", "a white van"}},
	{"Which of these banks has lent you money?", []string{"First Sample Bank", "Example Savings", "Placeholder Trust", "Specimen Union"}},
	{"In which of these counties did you own land?", []string{"Alpha County", "Bravo County", "Charlie County", "Delta County"}},
}

// newSet invents a set, always the same under its id.
func newSet(c *record, number int, answerBy time.Time) proofing.QuestionSet {
	set := proofing.QuestionSet{ID: setID(c.ref, number), AnswerBy: answerBy, Questions: make([]proofing.Question, c.limits.AtLeast)}
	chance := sha256.Sum256([]byte(set.ID))
	for i := range set.Questions {
		topic := topics[i%len(topics)]
		q := proofing.Question{ID: fmt.Sprintf("q%d", i+1), Text: topic.text, Options: make([]proofing.Option, c.limits.Options)}
		for j := range q.Options {
			text := topic.options[j%len(topic.options)]
			if round := j / len(topic.options); round > 0 {
				text = fmt.Sprintf("%s %d", text, round+1)
			}
			if j == int(chance[i%len(chance)])%c.limits.Options {
				text += " (" + rightMark + ")"
			}
			q.Options[j] = proofing.Option{ID: fmt.Sprintf("o%d", j+1), Text: models.Secret(text)}
		}
		set.Questions[i] = q
	}
	return set
}
