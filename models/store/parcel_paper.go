package store

import (
	"context"

	"tokendesk/internal/documents"
	"tokendesk/models"
)

// ParcelPaper collects what stands in the printed instructions of a shipment's current parcel (SHP-1).
// Faults: NoSuchThing, StateForbids while no token is packed.
func (s *Store) ParcelPaper(ctx context.Context, shipmentID string, seller documents.Seller) (documents.Parcel, error) {
	paper := documents.Parcel{Seller: seller}
	sh, parcels, err := s.Shipment(ctx, shipmentID)
	if err != nil {
		return paper, err
	}
	if len(parcels) < sh.Parcel || sh.Status == models.ShipmentCancelled {
		return paper, models.StateForbids.New("the shipment is %s: no token is packed", sh.Status)
	}
	line, err := s.OrderOfLine(ctx, sh.OrderLineID)
	if err != nil {
		return paper, err
	}
	product, err := s.Product(ctx, line.ProductSKU)
	if err != nil {
		return paper, err
	}
	policy, err := s.Policy(ctx, line.PolicyVersion)
	if err != nil {
		return paper, err
	}
	parcel := parcels[sh.Parcel-1]
	paper.OrderNumber, paper.Shipment, paper.Number, paper.To = line.Number, sh.ID, parcel.Number, sh.Address
	paper.Product, paper.Proofing, paper.Serial = product.Name, product.Proofing, parcel.Serial
	paper.Replacement = product.Kind == models.Replacement
	paper.PackedAt = sh.UpdatedAt // while it is packed
	if parcel.LabelRequestedAt != nil {
		paper.PackedAt = *parcel.LabelRequestedAt
	}
	paper.PackedAt = paper.PackedAt.In(policy.Location())
	return paper, nil
}
