package api

import (
	"fmt"

	"tokendesk/api/gen"
	"tokendesk/models"
)

// outlook is whose turn it is, and what is waited for (LIF-4).
type outlook struct {
	on   gen.WaitingOn
	what string
}

func orderOutlook(o models.Order, i models.Invoice, shipments []models.Shipment) outlook {
	switch o.Status {
	case models.OrderDraft:
		return outlook{gen.WaitingOnTokendesk, "the order is being taken up"}
	case models.OrderPlaced:
		if o.PaymentMethod == models.PayByCard {
			return outlook{gen.WaitingOnTokendesk, "the card is being charged"}
		}
		return outlook{gen.WaitingOnBuyer, fmt.Sprintf("%s for invoice %s", i.Due(), i.Number)}
	case models.OrderDeclined:
		return outlook{gen.WaitingOnBuyer, "another card: the last one was declined"}
	case models.OrderPaid:
		return outlook{gen.WaitingOnTokendesk, "what was bought is being handed over"}
	case models.OrderFulfilled:
		return fulfilledOutlook(shipments)
	case models.OrderRefunded:
		return outlook{gen.WaitingOnNobody, "nothing more happens: every line was credited"}
	}
	return outlook{gen.WaitingOnNobody, "nothing more happens"}
}

func fulfilledOutlook(shipments []models.Shipment) outlook {
	for _, sh := range shipments {
		if !models.ShipmentMachine.Ends(sh.Status) {
			o := shipmentOutlook(sh)
			return outlook{o.on, "what was bought is handed over; shipment " + sh.ID + ": " + o.what}
		}
	}
	return outlook{gen.WaitingOnNobody, "nothing more happens: what was bought is handed over, and what ships has arrived"}
}

func shipmentOutlook(sh models.Shipment) outlook {
	if sh.UnderWay() && sh.MissingSince != nil {
		return outlook{gen.WaitingOnStaff, "support decides about the parcel, which is missing"}
	}
	switch sh.Status {
	case models.ShipmentRequested, models.ShipmentReshipping:
		return outlook{gen.WaitingOnTokendesk, "a token is being taken from stock"}
	case models.ShipmentBackordered:
		return outlook{gen.WaitingOnWarehouse, "a token of model " + sh.TokenModel + " in stock"}
	case models.ShipmentPacked:
		return outlook{gen.WaitingOnTokendesk, "the label is being bought"}
	case models.ShipmentShipped:
		return outlook{gen.WaitingOnCarrier, "the carrier is to fetch the parcel"}
	case models.ShipmentInTransit:
		return outlook{gen.WaitingOnCarrier, "the carrier is to deliver the parcel"}
	case models.ShipmentException:
		return outlook{gen.WaitingOnCarrier, "the carrier reports trouble with the parcel"}
	}
	return outlook{gen.WaitingOnNobody, "nothing more happens"}
}

// shipmentLeftAlone is what becomes of a shipment about which nobody does anything: its milestones tell people, and send nothing. Empty: it
// goes on, or has ended, by itself.
func shipmentLeftAlone(sh models.Shipment) string {
	switch {
	case sh.Status == models.ShipmentBackordered:
		return "it waits until stock of the model arrives: who has waited longest is served first"
	case !sh.UnderWay():
		return ""
	case sh.MissingSince != nil:
		return "the parcel stays missing: no other token is sent and nothing is refunded"
	}
	return "no other token is sent by itself while the carrier does not report the parcel lost or returned"
}

func refundOutlook(r models.Refund) outlook {
	switch r.Status {
	case models.RefundRequested:
		return outlook{gen.WaitingOnBilling, "the decision of a second person"}
	case models.RefundReturning:
		return outlook{gen.WaitingOnBuyer, "what was shipped to come back"}
	case models.RefundPaying:
		if r.BankDue().Minor > 0 {
			return outlook{gen.WaitingOnBilling, fmt.Sprintf("%s to be paid out by bank transfer", r.BankDue())}
		}
		return outlook{gen.WaitingOnTokendesk, "the card processor to give the money back"}
	case models.RefundKept:
		return outlook{gen.WaitingOnNobody, "nothing: the buyer keeps the money as credit, until it is paid out"}
	}
	return outlook{gen.WaitingOnNobody, "nothing more happens"}
}
