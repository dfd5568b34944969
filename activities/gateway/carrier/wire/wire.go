// Package wire is the JSON of the carrier API, in the style that multi-carrier services such as EasyPost and Shippo
// share: labels are bought and voided, trackers are read, and tracker events are pushed.
//
//	POST {base}/v1/labels                  LabelRequest → 201 Label; Idempotency-Key
//	POST {base}/v1/labels/{id}/void        → 200 Label; Idempotency-Key
//	GET  {base}/v1/trackers/{tracking}     → 200 Tracker
//	webhook                                Webhook, signed in the header SignatureHeader
//
// Requests carry "Authorization: Bearer <key>". Errors are Failure with a 4xx or 5xx status.
package wire

import (
	"time"

	"tokendesk/activities/gateway/carrier"
	"tokendesk/models"
)

// SignatureHeader carries the signature of a webhook, see package webhook.
const SignatureHeader = "X-Carrier-Signature"

// LabelRequest asks for a label.
type LabelRequest struct {
	Reference string  `json:"reference"`
	Service   string  `json:"service"`
	From      Address `json:"from_address"`
	To        Address `json:"to_address"`
}

// Address is a postal address.
type Address struct {
	Name    string `json:"name"`
	Company string `json:"company,omitempty"`
	Street1 string `json:"street1"`
	Street2 string `json:"street2,omitempty"`
	City    string `json:"city"`
	State   string `json:"state,omitempty"`
	Zip     string `json:"zip"`
	Country string `json:"country"`
}

// Label is a bought label.
type Label struct {
	ID           string `json:"id"`
	TrackingCode string `json:"tracking_code"`
	Carrier      string `json:"carrier"`
	LabelURL     string `json:"label_url"`
	Status       string `json:"status"` // "purchased" or "voided"
}

// Tracker is what is known about a parcel, oldest event first.
type Tracker struct {
	TrackingCode string  `json:"tracking_code"`
	Events       []Event `json:"events"`
}

// Event is something that happened to a parcel.
type Event struct {
	ID         string    `json:"id"`
	Status     string    `json:"status"`
	OccurredAt time.Time `json:"occurred_at"`
}

// Webhook tells of new events.
type Webhook struct {
	ID   string  `json:"id"`
	Type string  `json:"type"` // "tracker.updated"; others are to be ignored
	Data Tracker `json:"data"`
}

// TrackerUpdated is the one type of webhook that matters.
const TrackerUpdated = "tracker.updated"

// Failure is the body of an error.
type Failure struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// The codes of failures that have a meaning of their own.
const (
	AddressInvalid  = "address_invalid"
	KeyReused       = "idempotency_key_reused"
	KeyMissing      = "idempotency_key_missing"
	CallInFlight    = "call_in_flight"
	StateForbidden  = "state_forbidden"
	RequestInvalid  = "request_invalid"
	NotFound        = "not_found"
	Unauthenticated = "unauthenticated"
	Unavailable     = "unavailable"
)

// statuses are the API's words for what happened.
var statuses = map[string]carrier.Kind{
	"pre_transit":      carrier.LabelCreated,
	"in_transit":       carrier.InTransit,
	"out_for_delivery": carrier.InTransit,
	"failure":          carrier.Exception,
	"delivered":        carrier.Delivered,
	"lost":             carrier.Lost,
	"return_to_sender": carrier.Returned,
}

// StatusOf is the API's word for a kind of event.
func StatusOf(kind carrier.Kind) string {
	if kind == carrier.InTransit { // has two words
		return "in_transit"
	}
	for status, k := range statuses {
		if k == kind {
			return status
		}
	}
	return ""
}

// EventsOf translates the events of a tracker. Statuses that the API invented since are left out.
func EventsOf(t Tracker) []carrier.Event {
	events := make([]carrier.Event, 0, len(t.Events))
	for _, e := range t.Events {
		if kind, known := statuses[e.Status]; known && e.ID != "" {
			events = append(events, carrier.Event{ID: e.ID, TrackingNumber: t.TrackingCode, Kind: kind, OccurredAt: e.OccurredAt})
		}
	}
	return events
}

// AddressOf is an address as the API writes it.
func AddressOf(a models.Address) Address {
	return Address{Name: a.Name, Company: a.Company, Street1: a.Line1, Street2: a.Line2, City: a.City, State: a.Region, Zip: a.PostalCode, Country: a.Country}
}

// Address is the address as our books write it.
func (a Address) Address() models.Address {
	return models.Address{Name: a.Name, Company: a.Company, Line1: a.Street1, Line2: a.Street2, City: a.City, Region: a.State, PostalCode: a.Zip, Country: a.Country}
}
