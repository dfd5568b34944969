// Package thing breaks the rules for internal packages.
package thing

import "tokendesk/workflows" // want: depguard

// Input is above it.
type Input = workflows.OrderInput
