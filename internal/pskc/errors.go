package pskc

import (
	"errors"
	"fmt"
)

// The kinds of error, for errors.Is.
var (
	ErrMalformed   = errors.New("malformed")                 // not well-formed, or a value that cannot be right
	ErrUnsupported = errors.New("not supported")             // right by the RFC, but not read by this package
	ErrKey         = errors.New("wrong or missing key")      // the pre-shared key or passphrase does not fit
	ErrMAC         = errors.New("authentication has failed") // altered, not authenticated at all, or a wrong key
	ErrTooLarge    = errors.New("too large")                 // beyond a limit
)

// Error says what is wrong with a file and where. It never carries secrets or values of the file, apart from the
// serial number.
type Error struct {
	Kind     error  // one of the above
	Position int    // of the key, as in Key; 0 for what concerns the whole file
	Serial   string // of the key, where it is known
	Detail   string
	Fatal    bool // the rest of the file cannot be read
}

func (e *Error) Error() string {
	where := "pskc: "
	if e.Position > 0 {
		where += fmt.Sprintf("key %d", e.Position)
		if e.Serial != "" {
			where += fmt.Sprintf(" (serial %q)", e.Serial)
		}
		where += ": "
	}
	return where + e.Kind.Error() + ": " + e.Detail
}

// Unwrap is the kind.
func (e *Error) Unwrap() error { return e.Kind }

// wrong is an error of one key; whoever knows the key adds its place.
func wrong(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// fatal is an error that ends the reading.
func fatal(kind error, format string, args ...any) *Error {
	e := wrong(kind, format, args...)
	e.Fatal = true
	return e
}

// of adds the place to an error of a key.
func (e *Error) of(k Key) *Error {
	if !e.Fatal {
		e.Position, e.Serial = k.Position, k.Serial
		if len(e.Serial) > maxSerial {
			e.Serial = e.Serial[:maxSerial]
		}
	}
	return e
}

const maxSerial = 64 // bytes of a serial number that an error repeats
