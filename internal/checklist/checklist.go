// Package checklist has the questions that an agent answers with yes or no before a live video session counts as passed
// (PRF-7). They are data, embedded and versioned: a record says by which version it was made, so a version that was used is
// never changed, and a new one is added behind it.
package checklist

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
)

// Question is one question. Yes is the answer that a pass needs.
type Question struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// List is one version of the questions, in the order in which they are asked.
type List struct {
	Version   int        `json:"version"`
	AsOf      string     `json:"as_of"`
	Questions []Question `json:"questions"`
}

//go:embed checklist.json
var data []byte

// versions are the data, read once. Tests keep them readable.
var versions = sync.OnceValue(func() []List {
	var all []List
	if err := json.Unmarshal(data, &all); err != nil || len(all) == 0 {
		panic(fmt.Sprintf("checklist: the data cannot be read: %v", err))
	}
	return all
})

// Current is the version that is answered now.
func Current() List {
	all := versions()
	return all[len(all)-1]
}

// Open lists the questions that were not answered with yes, in their order.
func (l List) Open(answers map[string]bool) (ids []string) {
	for _, q := range l.Questions {
		if !answers[q.ID] {
			ids = append(ids, q.ID)
		}
	}
	return ids
}

// Asks reports whether a question is one of the list.
func (l List) Asks(id string) bool {
	for _, q := range l.Questions {
		if q.ID == id {
			return true
		}
	}
	return false
}
