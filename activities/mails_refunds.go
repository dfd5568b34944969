package activities

import (
	"context"

	"tokendesk/activities/gateway/mail"
	"tokendesk/internal/documents"
)

func (c *Composer) aboutRefund(ctx context.Context, f *mailFacts, id string) (err error) {
	if f.Refund, err = c.Store.Refund(ctx, id); err != nil {
		return err
	}
	numbers, err := c.Store.OrderNumbers(ctx, []string{f.Refund.OrderID})
	if err != nil {
		return err
	}
	f.ReturnTo = c.Seller.Address.Lines()
	return c.aboutOrder(ctx, f, numbers[f.Refund.OrderID])
}

// creditNote is the paper of a credit note, as a mail's attachment.
func (c *Composer) creditNote(ctx context.Context, number string) ([]mail.Attachment, error) {
	facts, err := c.Store.CreditNotePaper(ctx, number, c.Seller)
	if err != nil {
		return nil, err
	}
	pdf, err := documents.CreditNote(facts)
	if err != nil {
		return nil, err
	}
	return []mail.Attachment{{Name: number + ".pdf", ContentType: "application/pdf", Content: pdf}}, nil
}
