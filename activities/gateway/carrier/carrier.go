// Package carrier holds what shipping is made of, whoever carries the parcels. Sub-package rest calls a multi-carrier
// API; sub-package simulator is a stateful carrier that speaks it.
//
// Every gateway keeps these promises, and package carriertest proves them:
//   - A call under an idempotency key happens once: no second label is bought by a repeated call. The same key with
//     other parameters is a models.IdempotencyKeyReused fault; no key is models.IdempotencyKeyMissing.
//   - An address that the carrier cannot deliver to is an AddressRefused fault. It asks for a person.
//   - What the parcel's state forbids is a models.StateForbids fault, an unknown parcel models.NoSuchThing.
//   - Technical trouble is a models.ServiceDown fault: whether the work was done is not known, and the same call may
//     be repeated under the same key (OPS-2).
//   - Events arrive at least once and in any sequence (SHP-2). An event keeps its id wherever it is read.
//   - No error carries an address or the carrier's own wording (SEC-5).
package carrier

import (
	"time"

	"tokendesk/models"
)

// AddressRefused is the fault of an address that the carrier cannot deliver to.
var AddressRefused = &models.FaultType{Slug: "address-refused", Kind: models.Refused,
	Title: "The carrier cannot deliver to this address", Next: "correct the address"}

// Service is how fast a parcel travels.
type Service string

// The services.
const (
	Standard Service = "standard"
	Express  Service = "express"
)

// LabelRequest asks to carry a parcel.
type LabelRequest struct {
	IdempotencyKey string // made of business ids, for example "shipment/sh_1/label/1"
	Reference      string // what our books know it by; printed on the label
	To             models.Address
	Service        Service // Standard where empty
}

// Label is a bought label.
type Label struct {
	Ref            string `json:"ref"` // the carrier's id, to void it by
	TrackingNumber string `json:"tracking_number"`
	Carrier        string `json:"carrier"` // who carries it, for people
	URL            string `json:"url"`     // the label to print, as PDF
}

// Kind is what happened to a parcel.
type Kind string

// The kinds of events.
const (
	LabelCreated Kind = "label_created"
	InTransit    Kind = "in_transit"
	Exception    Kind = "exception" // held up; it may still arrive
	Delivered    Kind = "delivered"
	Lost         Kind = "lost"
	Returned     Kind = "returned"
)

// Event is something that happened to a parcel.
type Event struct {
	ID             string    `json:"id"` // the same when the carrier repeats itself
	TrackingNumber string    `json:"tracking_number"`
	Kind           Kind      `json:"kind"`
	OccurredAt     time.Time `json:"occurred_at"` // at the carrier; not when it was told
}

// Check refuses what no carrier should be asked.
func (r LabelRequest) Check() error {
	switch {
	case r.IdempotencyKey == "":
		return models.IdempotencyKeyMissing.New("a label needs an idempotency key")
	case r.Reference == "":
		return models.InvalidRequest.New("a label needs a reference")
	case r.Service != "" && r.Service != Standard && r.Service != Express:
		return models.InvalidRequest.New("there is no such service")
	case !r.To.Complete():
		return AddressRefused.New("the address is not complete")
	default:
		return nil
	}
}
