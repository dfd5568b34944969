package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tokendesk/api/client"
	"tokendesk/internal/demodata"
	"tokendesk/models"
)

// strangers is how many tokens of other makers may come out of the warehouse before the story gives up.
const strangers = 20

// handToCarrier waits for the parcel. A token whose seed the story does not know, since others have filled the warehouse as well,
// is lost by the carrier, and another one is sent.
func handToCarrier(ctx context.Context, p *play, w *person) (scene, error) {
	var lost int
	for number := int32(1); ; number++ {
		shipment, err := w.awaitParcel(ctx, number)
		if err != nil {
			return scene{}, err
		}
		parcel := shipment.Parcels[number-1]
		w.shipment, w.tracking = shipment.ID, *parcel.TrackingNumber
		inside, err := client.Read[client.Token](p.warehouse.GetToken(ctx, parcel.Serial))
		if err != nil {
			return scene{}, err
		}
		if inside.Manufacturer == demodata.Manufacturer {
			w.token = token{maker: p.cfg.Secrets.Maker, serial: parcel.Serial}
			return p.labelled(ctx, w, shipment, parcel, lost)
		}
		if lost++; lost > strangers {
			return scene{}, fmt.Errorf("the warehouse is full of tokens whose codes only their owners know, such as %s: make clean empties it", parcel.Serial)
		}
		if _, err := p.happens(ctx, w, "lost"); err != nil {
			return scene{}, err
		}
	}
}

// awaitParcel waits until the parcel with that number is with the carrier.
func (w *person) awaitParcel(ctx context.Context, number int32) (client.Shipment, error) {
	return await(ctx, fmt.Sprintf("a parcel for %s", w.order), func() (client.Shipment, bool, error) {
		order, err := client.Read[client.Order](w.api.GetOrder(ctx, w.order))
		if err != nil || order.Lines[0].Shipment == nil {
			return client.Shipment{}, false, err
		}
		s := *order.Lines[0].Shipment
		return s, s.Status == models.ShipmentShipped && len(s.Parcels) == int(number) && s.Parcels[number-1].TrackingNumber != nil, nil
	})
}

func (p *play) labelled(ctx context.Context, w *person, shipment client.Shipment, parcel client.Parcel, lost int) (scene, error) {
	if err := p.sandbox.pdf(ctx, "/sandbox/carrier/labels/"+w.tracking+".pdf"); err != nil {
		return scene{}, err
	}
	m, err := p.sandbox.mailFor(ctx, w, "Your token is on its way ("+w.order)
	if err != nil {
		return scene{}, err
	}
	err = all(holds(lost > 0 || strings.Contains(m.Text, w.tracking), "the mail names the tracking number"),
		holds(shipment.PromisedBy != nil, "a day of delivery is promised"))
	if err != nil {
		return scene{}, err
	}
	outcome := fmt.Sprintf("Token %s is packed, the label is bought, and %s is told the tracking number: %s, %s, promised by %s.",
		parcel.Serial, w.first, *parcel.Carrier, w.tracking, day(shipment.PromisedBy.Add(-time.Nanosecond)))
	if lost > 0 {
		outcome = fmt.Sprintf("Tokens of another maker were lost on the way (%d), and another one was sent each time. ", lost) + outcome
	}
	return scene{outcome, aboutShipment(w)}, nil
}

// carry has the carrier report a scan twice, then the delivery, then a scan from before the delivery.
func carry(ctx context.Context, p *play) (scene, error) {
	w := p.ada
	if err := p.sandbox.stutters(ctx, w.tracking); err != nil {
		return scene{}, err
	}
	scanned, err := p.happens(ctx, w, "in_transit")
	if err != nil {
		return scene{}, err
	}
	if err := w.awaitShipment(ctx, models.ShipmentInTransit); err != nil {
		return scene{}, err
	}
	if _, err := p.delivered(ctx, w); err != nil {
		return scene{}, err
	}
	if err := p.sandbox.happens(ctx, w.tracking, "in_transit", scanned.Add(time.Millisecond)); err != nil {
		return scene{}, err
	}
	known, err := p.sandbox.parcel(ctx, w.tracking)
	return scene{"“In transit” is reported twice and counts once. Then comes “delivered”, and last a scan from before the delivery: it changes nothing.", aboutShipment(w)},
		all(err, same("what the carrier knows of the parcel", known.kinds(), "label_created → in_transit → in_transit → delivered"))
}

// happens lets something happen to a parcel now, and says when that was.
func (p *play) happens(ctx context.Context, w *person, kind string) (time.Time, error) {
	now, err := w.now(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return now.At, p.sandbox.happens(ctx, w.tracking, kind, now.At)
}

func deliver(ctx context.Context, p *play) (scene, error) { return p.delivered(ctx, p.grace) }

// delivered lets a parcel arrive.
func (p *play) delivered(ctx context.Context, w *person) (scene, error) {
	if _, err := p.happens(ctx, w, "delivered"); err != nil {
		return scene{}, err
	}
	if err := w.awaitShipment(ctx, models.ShipmentDelivered); err != nil {
		return scene{}, err
	}
	_, err := p.sandbox.mailFor(ctx, w, "Your token was delivered ("+w.order)
	return scene{fmt.Sprintf("%s has token %s in hand, and a mail that says so.", w.first, w.token.serial), aboutShipment(w)}, err
}

func (w *person) awaitShipment(ctx context.Context, status models.ShipmentStatus) error {
	_, err := await(ctx, fmt.Sprintf("shipment %s to be %s", w.shipment, status), func() (client.Shipment, bool, error) {
		s, err := client.Read[client.Shipment](w.api.GetShipment(ctx, w.shipment))
		return s, s.Status == status, err
	})
	return err
}
