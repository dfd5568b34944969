// Package api breaks the rules for the API.
package api

import (
	"fmt"

	"go.temporal.io/sdk/client" // want: depguard

	"tokendesk/workflows" // want: depguard
)

// Engine is what the API should ask for through an interface of its own.
type Engine struct {
	Client client.Client
	Update workflows.OrderInput
}

// Print writes where nobody reads.
func Print() {
	fmt.Println("hello") // want: forbidigo
	println("hello")     // want: forbidigo
}
