// Package thing breaks the rules for internal packages.
package thing

import (
	"tokendesk/models/store" // want: depguard
	"tokendesk/workflows"    // want: depguard
)

// Parts are above it.
type Parts struct {
	Input workflows.OrderInput
	Store *store.Store
}
