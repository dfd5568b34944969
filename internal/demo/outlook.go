package demo

import (
	"context"
	"fmt"
	"strings"

	"tokendesk/api/client"
)

// aloud reads a timeline out.
func aloud(t client.Timeline) string {
	who := "Tokendesk waits for the " + string(t.WaitingOn)
	switch t.WaitingOn {
	case client.WaitingOnTime:
		who = "It is left to time"
	case client.WaitingOnNobody:
		who = "Nobody is waited for"
	case client.WaitingOnTokendesk:
		who = "It is Tokendesk's turn"
	}
	said := fmt.Sprintf("%s: “%s”.", who, t.WaitingFor)
	if len(t.Milestones) > 1 { // otherwise it is what happens if nobody acts
		said += fmt.Sprintf(" Next, on %s: “%s”.", day(t.Next.At), t.Next.What)
	}
	if t.IfNobodyActs != nil {
		said += fmt.Sprintf(" And if nobody acts: “%s”.", *t.IfNobodyActs)
	}
	return said
}

// dates reads out everything that is ahead.
func dates(t client.Timeline) string {
	var ahead []string
	for _, m := range t.Milestones {
		ahead = append(ahead, fmt.Sprintf("%s: %s", day(m.At), m.What))
	}
	return strings.Join(ahead, "; ") + "."
}

// next says what happens next with a person's credential.
func (w *person) next(ctx context.Context) (client.Timeline, error) {
	return client.Read[client.Timeline](w.api.GetCredentialTimeline(ctx, w.credential))
}
