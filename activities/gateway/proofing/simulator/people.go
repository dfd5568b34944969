package simulator

import (
	"strings"
	"time"

	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// person is one of the test people, by last name in lower case. The simulator keeps this name only where it is one of people.
type person string

const (
	anybody     person = "anybody"
	unreachable person = "unreachable" // every start fails
)

// script is how a person's session goes: nine digits and questions where asked for, pictures, a check, an outcome.
type script struct {
	unknown  bool                   // the session ends at once: nobody of that name is found
	needsSSN bool                   // the last four digits do not suffice
	asked    bool                   // questions come before the pictures, where the limits let them
	never    bool                   // no answer is right, the first set is the last
	blurred  int                    // how many times pictures can be taken, none of them readable; zero: they are readable
	checks   time.Duration          // how long the check takes, on the sandbox's clock
	lives    time.Duration          // how long the session does; zero: lifetime
	expires  bool                   // its end by itself is pushed; otherwise nobody tells of it
	outcome  models.ProofingOutcome // after the pictures; empty: verified
	stages   bool                   // the beginning of the check is pushed as well
	effect   sandbox.Effect         // on the first webhook
}

const (
	lifetime = 24 * time.Hour   // of a session
	slowness = time.Hour        // of the check of Slow
	haste    = 30 * time.Minute // lifetime of Timeout's session
)

// people are the scripts, see docs/identity-provider.md. Everybody else is verified after the pictures.
//
// The right answer to a question is the option whose text has "yes" in it. Who has used up the sets without answering one rightly
// is located, not verified.
var people = map[person]script{
	anybody:      {},
	"passes":     {},                                                            // verified after the pictures
	"asked":      {asked: true},                                                 // questions first
	"needsssn":   {needsSSN: true},                                              // nine digits first
	"located":    {asked: true, never: true, outcome: models.OutcomeLocated},    // whatever is answered, or shown
	"unlocated":  {unknown: true},                                               // not located, at once
	"misnamed":   {outcome: models.OutcomeNameIncorrect},                        // the pictures show another name
	"unreadable": {blurred: 2, outcome: models.OutcomeUnreadable},               // the first pictures may be taken again
	"slow":       {checks: slowness, stages: true},                              // checked for an hour, or until told
	"timeout":    {checks: lifetime, lives: haste, expires: true, stages: true}, // the session ends within the check
	"repeats":    {effect: sandbox.Repeat},                                      // pushes twice
	"disorder":   {stages: true, effect: sandbox.Reorder},                       // pushes the end first, then the check
	unreachable:  {},
}

// script is how the person's session goes.
func (p person) script() script {
	s := people[p]
	if s.lives == 0 {
		s.lives = lifetime
	}
	if s.outcome == "" {
		s.outcome = models.OutcomeVerified
	}
	return s
}

func personOf(lastName string) person {
	p := person(strings.ToLower(strings.TrimSpace(lastName)))
	if _, known := people[p]; known {
		return p
	}
	return anybody
}
