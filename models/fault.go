package models

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Kind classifies a fault by what its receiver should do about it. The edge maps a kind to an HTTP status,
// a workflow maps it to retry, refuse or ask a person.
type Kind uint8

// The kinds of fault.
const (
	Internal        Kind = iota // our mistake: log it, tell nothing
	Invalid                     // the request cannot be right at any time
	Unauthenticated             // who is calling is not known
	Forbidden                   // who is calling may not do this
	NotFound                    // the thing does not exist, or not for this caller
	Conflict                    // the thing's present state forbids it
	Refused                     // a well-formed request that a business rule refuses
	Throttled                   // too many tries; try again after RetryAfter
	Unavailable                 // a dependency is down; the same request may succeed later
)

// FaultType is one stable, documented problem type. It is an error so that callers can write
// errors.Is(err, models.LicenseKeyUsed).
type FaultType struct {
	Slug  string // stable identifier; the problem document's type ends in it (RFC 9457)
	Kind  Kind
	Title string // short, the same for every occurrence
	Next  string // the next step for the person who meets it (LOG-8); may be empty
}

func (t *FaultType) Error() string { return t.Title }

// Fault is one occurrence of a FaultType. Detail may be shown to the caller, so it never carries internals,
// secrets or personal data; the cause stays inside.
type Fault struct {
	Type       *FaultType
	Detail     string
	Field      string        // JSON pointer of the offending member, where there is one
	Allowed    []string      // what the present state does allow; nil: the fault is about no state
	RetryAfter time.Duration // for Throttled and Unavailable
	cause      error
}

var faultTypes []*FaultType

func declare(kind Kind, slug, title, next string) *FaultType {
	t := &FaultType{Slug: slug, Kind: kind, Title: title, Next: next}
	faultTypes = append(faultTypes, t)
	return t
}

// FaultTypes returns every declared problem type, for the API guide and its tests.
func FaultTypes() []*FaultType { return slices.Clone(faultTypes) }

// New makes an occurrence with a detail that the caller may read.
func (t *FaultType) New(format string, args ...any) *Fault {
	return &Fault{Type: t, Detail: fmt.Sprintf(format, args...)}
}

// Because makes an occurrence that keeps its cause for the log.
func (t *FaultType) Because(cause error) *Fault { return &Fault{Type: t, cause: cause} }

func (f *Fault) Error() string {
	s := f.Type.Title
	if f.Detail != "" {
		s += ": " + f.Detail
	}
	if f.cause != nil {
		s += ": " + f.cause.Error()
	}
	return s
}

func (f *Fault) Unwrap() error        { return f.cause }
func (f *Fault) Is(target error) bool { return target == error(f.Type) }

// At names the offending member of the request (JSON pointer).
func (f *Fault) At(pointer string) *Fault { f.Field = pointer; return f }

// After says when a throttled caller may try again.
func (f *Fault) After(d time.Duration) *Fault { f.RetryAfter = d; return f }

// Allowing lists what the present state does allow; an empty list says that it is nothing.
func (f *Fault) Allowing(actions ...string) *Fault {
	f.Allowed = append([]string{}, actions...)
	return f
}

// FaultOf finds the fault in an error chain; what carries none is Internal.
func FaultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	if t, ok := errors.AsType[*FaultType](err); ok {
		return &Fault{Type: t, cause: err}
	}
	return InternalFault.Because(err)
}

// FaultsOf lists the faults of an error chain that stand beside each other (errors.Join): a request may be wrong in several ways.
func FaultsOf(err error) []*Fault {
	switch e := any(err).(type) { // link by link
	case *Fault:
		return []*Fault{e}
	case interface{ Unwrap() []error }:
		var all []*Fault
		for _, one := range e.Unwrap() {
			all = append(all, FaultsOf(one)...)
		}
		return all
	case interface{ Unwrap() error }:
		return FaultsOf(e.Unwrap())
	}
	return nil
}

// KindOf classifies any error.
func KindOf(err error) Kind { return FaultOf(err).Type.Kind }
