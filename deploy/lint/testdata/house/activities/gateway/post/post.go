// Package post breaks the rules for gateways.
package post

import (
	"net/http"

	"go.temporal.io/sdk/activity" // want: depguard

	"tokendesk/models/store" // want: depguard
)

// Office knows too much.
type Office struct {
	Store *store.Store
	Info  activity.Info
}

// Ask has no time limit.
func Ask(url string) (*http.Response, error) {
	return http.Get(url) // want: forbidigo gosec noctx
}
