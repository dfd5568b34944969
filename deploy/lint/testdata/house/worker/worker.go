// Package worker breaks the rules for the worker.
package worker

import "tokendesk/api" // want: depguard

// Config is not the worker's.
type Config = api.Config
