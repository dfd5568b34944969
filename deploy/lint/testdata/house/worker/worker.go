// Package worker breaks the rules for the worker.
package worker

import "tokendesk/api" // want: depguard

// Server is not the worker's.
type Server = api.Server
