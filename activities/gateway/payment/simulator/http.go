package simulator

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/payment"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Handler serves everything under /sandbox/payments/:
//
//	GET    charges?order=SO-…      what was charged, for people and tests
//	GET    charges/{ref}           one charge
//	POST   charges/{ref}/authenticate {"succeeds": true}   the buyer confirmed with the bank, or failed to
//	POST, GET, DELETE orders       see sandbox.Order
func (s *Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	s.store.HandleOrders(mux, sandbox.Payments, operations)
	mux.HandleFunc("GET /sandbox/payments/charges", func(w http.ResponseWriter, r *http.Request) {
		charges, err := s.Charges(r.Context(), r.URL.Query().Get("order"))
		sandbox.Answer(w, http.StatusOK, map[string]any{"charges": charges}, err)
	})
	mux.HandleFunc("GET /sandbox/payments/charges/{ref}", func(w http.ResponseWriter, r *http.Request) {
		c, err := s.find(r.Context(), r.PathValue("ref"))
		sandbox.Answer(w, http.StatusOK, c.view(), err)
	})
	mux.HandleFunc("POST /sandbox/payments/charges/{ref}/authenticate", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Succeeds bool `json:"succeeds"`
		}
		err := sandbox.Read(w, r, &in)
		if err == nil {
			err = s.Authenticate(r.Context(), r.PathValue("ref"), in.Succeeds)
		}
		sandbox.Answer(w, http.StatusOK, struct{}{}, err)
	})
	return mux
}

// View is a charge as the sandbox shows it. Captured more than once for one order number would be a double charge.
type View struct {
	Ref         string       `json:"ref"`
	OrderNumber string       `json:"order_number"`
	Method      string       `json:"payment_method"`
	Status      string       `json:"status"`
	Amount      models.Money `json:"amount"`
	Captured    models.Money `json:"captured"`
	Refunded    models.Money `json:"refunded"`
	DeclineCode string       `json:"decline_code,omitempty"`
}

func (c row) view() View {
	charge := c.charge()
	return View{c.Ref, c.OrderNumber, c.Method, string(c.Status), charge.Amount, charge.Captured, charge.Refunded, c.DeclineCode}
}

// Charges lists the newest thousand charges of an order number, or of all.
func (s *Simulator) Charges(ctx context.Context, orderNumber string) ([]View, error) {
	rows, err := s.store.Pool.Query(ctx, selectCharge+` WHERE $1 = '' OR order_number = $1
		ORDER BY created_at DESC, ref LIMIT 1000`, orderNumber)
	if err != nil {
		return nil, technical(err)
	}
	views, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (View, error) {
		c, err := scan(r)
		return c.view(), err
	})
	return views, technical(err)
}

// Authenticate plays the buyer, who confirms a charge that is ActionRequired with the bank, or fails to.
func (s *Simulator) Authenticate(ctx context.Context, ref string, succeeds bool) error {
	key := "authenticate/" + ref + "/" + time.Now().Format(time.RFC3339Nano)
	_, err := s.move(ctx, "authenticate", key, ref, nil, func(c *row) error {
		if c.Status != payment.ActionRequired {
			return models.StateForbids.New("a charge that is %s needs no confirmation", c.Status)
		}
		c.Status = payment.Authorized
		if !succeeds {
			c.Status, c.DeclineCode = payment.Declined, "payment_intent_authentication_failure"
		}
		return nil
	})
	if succeeds {
		return err
	}
	if models.FaultOf(err).Type == models.CardDeclined { // what was asked for
		return nil
	}
	return err
}
