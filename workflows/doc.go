// Package workflows holds Tokendesk's lifecycles: one file each. The database owns what is, the engine owns when: a
// lifecycle carries ids only, loads what it needs in a step, and sleeps until its next milestone or until the outbox
// signals that a fact has changed.
package workflows
