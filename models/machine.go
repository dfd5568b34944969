package models

import "slices"

// Driver says who drives a transition.
type Driver string

// The drivers of transitions.
const (
	ByPerson   Driver = "person"   // a command through the API
	ByWorkflow Driver = "workflow" // a step of a lifecycle, or time
	ByWorld    Driver = "world"    // a fact from outside: a payment, a carrier, a login
)

// Transition is one row of a transition table: from any of its sources, the event leads to one destination.
type Transition[S, E ~string] struct {
	From  []S
	Event E
	To    S
	By    Driver
	Why   string // for docs/states.md
}

// Machine is the transition table of one kind of thing. The store's guarded update, the API's allowed_actions,
// the console's buttons and docs/states.md all read it; an event has exactly one destination.
type Machine[S, E ~string] struct {
	Name        string
	Initial     S
	Transitions []Transition[S, E]
}

// Lookup returns the sources and the destination of an event, and whether the table has it.
func (m Machine[S, E]) Lookup(event E) (from []S, to S, ok bool) {
	for _, t := range m.Transitions {
		if t.Event == event {
			return t.From, t.To, true
		}
	}
	return nil, to, false
}

// Allows reports whether the event may happen in the state.
func (m Machine[S, E]) Allows(state S, event E) bool {
	from, _, _ := m.Lookup(event)
	return slices.Contains(from, state)
}

// Allowed lists the events that the state allows, in table order, of the given drivers (all when none is given).
func (m Machine[S, E]) Allowed(state S, by ...Driver) []E {
	var out []E
	for _, t := range m.Transitions {
		if slices.Contains(t.From, state) && (len(by) == 0 || slices.Contains(by, t.By)) {
			out = append(out, t.Event)
		}
	}
	return out
}

// States lists every state of the table, the initial one first.
func (m Machine[S, E]) States() []S {
	out := []S{m.Initial}
	add := func(s S) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, t := range m.Transitions {
		for _, s := range t.From {
			add(s)
		}
		add(t.To)
	}
	return out
}

// Ends reports whether no event leaves the state.
func (m Machine[S, E]) Ends(state S) bool { return len(m.Allowed(state)) == 0 }

// Events renders events as the strings that allowed_actions carries.
func Events[E ~string](events []E) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = string(e)
	}
	return out
}
