// Package activities breaks the rules for activities.
package activities

import (
	"os"
	"time"

	"github.com/gin-gonic/gin" // want: depguard
)

// Answer is the API's.
type Answer struct{ Context *gin.Context }

// Zone reads the environment.
func Zone() string { return os.Getenv("TZ") } // want: forbidigo

// Wait neither listens to its context nor to a virtual clock.
func Wait() { time.Sleep(time.Second) } // want: forbidigo
