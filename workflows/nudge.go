package workflows

import (
	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
)

// nudge collects the signals that tell a lifecycle to look at the database again. What they mean stands there; a repeated or
// late signal does no harm.
type nudge struct {
	channels []workflow.ReceiveChannel
	forced   *bool
}

func listen(ctx workflow.Context, names ...models.Signal) nudge {
	n := nudge{forced: new(bool)}
	for _, name := range names {
		n.channels = append(n.channels, workflow.GetSignalChannel(ctx, string(name)))
	}
	return n
}

// pending reports whether there is a reason to look again.
func (n nudge) pending() bool {
	if *n.forced {
		return true
	}
	for _, c := range n.channels {
		if c.Len() > 0 {
			return true
		}
	}
	return false
}

// now asks for another look without a signal.
func (n nudge) now() { *n.forced = true }

// clear takes every signal that has arrived; call it before looking.
func (n nudge) clear() {
	*n.forced = false
	for _, c := range n.channels {
		for c.ReceiveAsync(nil) {
		}
	}
}
