package sandboxclock

import (
	"strings"
	"time"
)

const until = "until "

// Until names a fast-forward after the moment where it is to end. The engine counts its length from the lifecycle's own now, which
// somebody else may just have moved; an engine that knows the name can tell.
func Until(at time.Time) string { return until + at.UTC().Format(time.RFC3339Nano) }

// ParseUntil reads a name that Until has given.
func ParseUntil(name string) (at time.Time, ok bool) {
	text, ok := strings.CutPrefix(name, until)
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, ok && err == nil
}
