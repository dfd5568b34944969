// Package models breaks the rules for models. A line that ends in "want:" names the linters that must object to it,
// and no other line may be objected to; see deploy/lint/run.
package models

import (
	"net/http" // want: depguard
	"os"       // want: depguard
	"time"

	"gorm.io/gorm" // want: depguard
)

// Thing refers to what models may not know.
type Thing struct {
	DB     *gorm.DB
	Client *http.Client
	File   *os.File
}

// At asks the clock.
func At() time.Time { return time.Now() } // want: forbidigo
