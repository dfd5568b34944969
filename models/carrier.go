package models

import (
	"cmp"
	"slices"
	"time"
)

// CarrierEventKind says what the carrier reports.
type CarrierEventKind string

// The kinds of carrier event.
const (
	CarrierLabel     CarrierEventKind = "label_created"
	CarrierInTransit CarrierEventKind = "in_transit"
	CarrierException CarrierEventKind = "exception"
	CarrierDelivered CarrierEventKind = "delivered"
	CarrierLost      CarrierEventKind = "lost"
	CarrierReturned  CarrierEventKind = "returned"
)

var carrierRank = map[CarrierEventKind]int{CarrierLabel: 1, CarrierInTransit: 2, CarrierException: 3, CarrierDelivered: 4, CarrierLost: 4, CarrierReturned: 5}

// Valid reports whether the kind is one that a carrier may report.
func (k CarrierEventKind) Valid() bool { return carrierRank[k] > 0 }

// Ends reports whether nothing more is expected for the parcel.
func (k CarrierEventKind) Ends() bool { return carrierRank[k] >= 4 }

// CarrierEvent is one report about a parcel, as the carrier dated it.
type CarrierEvent struct {
	ID             string // the carrier's own event id; a repeat changes nothing
	Carrier        string // who told of it: the gateway; event ids are its own
	TrackingNumber string // identifies the parcel
	Kind           CarrierEventKind
	OccurredAt     time.Time
	ReceivedAt     time.Time
}

// FoldCarrierEvents says where a parcel stands after events that may repeat and arrive out of order (SHP-2): the order
// of arrival does not matter, the latest by the carrier's own time counts, and a final report stands.
func FoldCarrierEvents(events []CarrierEvent) CarrierEventKind {
	if len(events) == 0 {
		return CarrierLabel
	}
	latest := slices.MaxFunc(events, func(a, b CarrierEvent) int {
		ra, rb := carrierRank[a.Kind], carrierRank[b.Kind]
		if a.Kind.Ends() || b.Kind.Ends() {
			return cmp.Or(cmp.Compare(ra, rb), a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(a.Kind, b.Kind))
		}
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(ra, rb))
	})
	return latest.Kind
}
