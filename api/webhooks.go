package api

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"
	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/payment"
	"tokendesk/activities/gateway/proofing"
	"tokendesk/models"
)

// receiveCarrierEvent keeps what a carrier reports (SHP-2). The signature comes before everything else, over the bytes as they
// came; that is why it is bound by hand. Signatures are dated in real time.
func (s *server) receiveCarrierEvent(c *gin.Context) {
	body, err := io.ReadAll(c.Request.Body) // from memory
	if err == nil {
		var events []carrier.Event
		if events, err = s.Carrier.VerifyWebhook(c.Request.Header, body, s.CodeClock()); err == nil {
			err = s.recordCarrierEvents(c.Request.Context(), events)
		}
	}
	if err != nil {
		s.abort(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func (s *server) recordCarrierEvents(ctx context.Context, events []carrier.Event) error {
	at := s.Clock()
	for _, e := range events {
		_, err := s.Store.RecordCarrierEvent(ctx, models.CarrierEvent{ID: e.ID, Carrier: s.CarrierName, TrackingNumber: e.TrackingNumber,
			Kind: models.CarrierEventKind(e.Kind), OccurredAt: e.OccurredAt, ReceivedAt: at}, at)
		if err != nil {
			return fmt.Errorf("record the carrier's event: %w", err)
		}
	}
	return nil
}

// receiveMailEvent keeps what the mail provider reports about a mail (LIF-3).
func (s *server) receiveMailEvent(c *gin.Context) {
	if s.MailWebhooks == nil {
		s.abort(c, models.NoSuchThing.New("no mail provider reports here"))
		return
	}
	body, err := io.ReadAll(c.Request.Body) // from memory
	if err == nil {
		var events []models.MailEvent
		if events, err = s.MailWebhooks.VerifyWebhook(c.Request.Header, body, s.CodeClock()); err == nil {
			err = s.recordMailEvents(c.Request.Context(), events)
		}
	}
	if err != nil {
		s.abort(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func (s *server) recordMailEvents(ctx context.Context, events []models.MailEvent) error {
	at := s.Clock()
	for _, e := range events {
		if err := s.Store.RecordMailEvent(ctx, e, at); err != nil {
			return fmt.Errorf("record the mail provider's event: %w", err)
		}
	}
	return nil
}

// receivePaymentEvent nudges the lifecycle of the order whose charge the card processor speaks of; what is true is fetched from the
// processor. A disputed charge asks for a person.
func (s *server) receivePaymentEvent(c *gin.Context) {
	body, err := io.ReadAll(c.Request.Body) // from memory
	if err == nil {
		var event payment.Event
		if event, err = s.PaymentWebhooks.VerifyWebhook(c.Request.Header, body, s.CodeClock()); err == nil {
			err = s.nudge(c.Request.Context(), event)
		}
	}
	if err != nil {
		s.abort(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// nudge opens a case for a disputed payment. A charge that merely changed is looked at by its refunds, and held against the books; an
// order's lifecycle is asking the processor about its own until that is decided.
func (s *server) nudge(ctx context.Context, e payment.Event) error {
	switch e.Kind {
	case payment.ChargeChanged:
		return s.Store.ChargeChanged(ctx, e.Ref, s.Clock())
	case payment.Irrelevant:
		return nil
	}
	charge, number, err := s.Store.ChargeOfProvider(ctx, e.Ref)
	if err != nil && models.KindOf(err) == models.NotFound {
		return nil // not ours, or its answer has not arrived yet; the lifecycle will read it there
	}
	if err != nil {
		return err
	}
	return s.Store.OpenCase(ctx, "dispute/"+charge.ID, number, "the buyer's bank disputes the card payment", s.Clock())
}

// receiveProofingEvent takes a message of the identity provider: there is something to fetch (PRF-3).
func (s *server) receiveProofingEvent(c *gin.Context) {
	body, err := io.ReadAll(c.Request.Body) // from memory
	if err == nil {
		var news proofing.News
		if news, err = s.Identity.ParseWebhook(c.Request.Header, body, s.CodeClock()); err == nil && news.Ref != "" {
			err = s.Store.ProofingNews(c.Request.Context(), news.EventID, news.Ref, s.Clock())
		}
	}
	if err != nil {
		s.abort(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}
