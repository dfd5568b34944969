package api

import (
	"context"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// ListProducts lists what can be bought, for a market and for a partner's applications (CAT-1, CAT-2).
func (s *server) ListProducts(ctx context.Context, r gen.ListProductsRequestObject) (gen.ListProductsResponseObject, error) {
	products, err := s.Store.Products(ctx, store.ProductFilter{Market: deref(r.Params.Market), PartnerID: deref(r.Params.Partner)})
	if err != nil {
		return nil, err
	}
	return gen.ListProducts200JSONResponse{Items: each(products, viewProduct)}, nil
}

// GetProduct shows one product.
func (s *server) GetProduct(ctx context.Context, r gen.GetProductRequestObject) (gen.GetProductResponseObject, error) {
	product, err := s.Store.Product(ctx, r.SKU)
	if err != nil {
		return nil, err
	}
	return gen.GetProduct200JSONResponse(viewProduct(product)), nil
}

// GetCurrentDisclaimer shows what a buyer accepts (ORD-1).
func (s *server) GetCurrentDisclaimer(ctx context.Context, _ gen.GetCurrentDisclaimerRequestObject) (gen.GetCurrentDisclaimerResponseObject, error) {
	d, err := s.Store.CurrentDisclaimer(ctx, s.Clock())
	if err != nil {
		return nil, err
	}
	return gen.GetCurrentDisclaimer200JSONResponse{Version: int32(d.Version), Text: d.Text, EffectiveAt: d.EffectiveAt}, nil
}

func viewProduct(p models.Product) gen.Product {
	return gen.Product{SKU: p.SKU, Name: p.Name, Description: p.Description, Kind: p.Kind, BaseKind: p.BaseKind, Proofing: p.Proofing, Level: int32(p.Level()),
		Market: p.Market, Ships: p.Ships(), TokenModel: p.TokenModel, TermMonths: int32(p.TermMonths), Price: p.Price(), Status: p.Status}
}

// each renders a list; it is never null.
func each[T, V any](rows []T, view func(T) V) []V {
	out := make([]V, 0, len(rows))
	for _, row := range rows {
		out = append(out, view(row))
	}
	return out
}
