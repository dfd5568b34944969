// Package models is the domain: types, transition tables, policies, timelines, money and faults. It imports the standard library
// alone, reads no clock and does no I/O, so that the workflow, the API, the console and the tests all compute the same.
package models
