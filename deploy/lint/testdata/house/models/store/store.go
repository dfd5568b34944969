// Package store breaks the rules for the store.
package store

import (
	"go.temporal.io/sdk/client" // want: depguard
	"gorm.io/gorm"

	"tokendesk/workflows" // want: depguard
)

type row struct{ ID string }

// Engine is above the store.
type Engine struct {
	Client client.Client
	Update workflows.OrderInput
}

// Write ignores the guard.
func Write(db *gorm.DB) error {
	if err := db.AutoMigrate(&row{}); err != nil { // want: forbidigo
		return err
	}
	if err := db.Migrator().AutoMigrate(&row{}); err != nil { // want: forbidigo
		return err
	}
	if err := db.FirstOrCreate(&row{}).Error; err != nil { // want: forbidigo
		return err
	}
	return db.Where("status = ?", "open").Save(&row{}).Error // want: forbidigo
}
