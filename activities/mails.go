package activities

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"strings"
	"text/template"
	"time"

	"tokendesk/activities/gateway/mail"
	"tokendesk/internal/documents"
	"tokendesk/models"
	"tokendesk/models/store"
)

//go:embed mails/*.txt
var mailFiles embed.FS

var mailTemplates = template.Must(template.New("").Option("missingkey=zero").ParseFS(mailFiles, "mails/*.txt"))

// Composer turns a recorded notice into a mail. What a mail says is read when it is sent, so a notice carries ids only.
type Composer struct {
	Store  *store.Store
	Opener store.Opener
	From   string // an address as in RFC 5322
	Seller documents.Seller
	Bank   documents.Bank
	Site   string // where people's pages are, such as https://id.example.com; empty: mails bring codes to enter instead of links
}

// mailFacts is what the templates may use.
type mailFacts struct {
	Name       string
	Params     map[string]string
	Order      models.Order
	Invoice    models.Invoice
	Credential models.Credential
	Refund     models.Refund
	proofingFacts
	appointmentFacts
	ReturnTo  []string // the address that tokens are sent back to
	Key       string
	Ships     bool
	Brings    documents.Brings // what comes of the order
	Replaces  bool             // the parcel is a replacement
	Expired   bool             // the credential of that replacement has expired, and is not renewed
	DueDay    string
	ExpiryDay string
	UserIDs   []string // under the address of the mail
	Lapses    string   // when what the mail brings to set a password is good no more
}

const (
	mailDay     = "2 January 2006"
	mailMoment  = "2 January 2006, 15:04 MST"
	mostUserIDs = 100 // that one mail lists
)

// Compose renders a notice. The sealed license key, if any, is opened for this mail only (LIC-1).
func (c *Composer) Compose(ctx context.Context, n models.Notice) (m mail.Message, err error) {
	facts, err := c.facts(ctx, n)
	if err != nil {
		return m, fmt.Errorf("compose a %s mail: %w", n.Kind, err)
	}
	var text bytes.Buffer
	if err := mailTemplates.ExecuteTemplate(&text, string(n.Kind)+".txt", facts); err != nil {
		return m, fmt.Errorf("compose a %s mail: %w", n.Kind, err)
	}
	subject, body, ok := strings.Cut(strings.TrimPrefix(text.String(), "Subject: "), "\n")
	if !ok {
		return m, fmt.Errorf("compose a %s mail: the template has no subject line", n.Kind)
	}
	m = mail.Message{MessageID: n.MessageID, From: c.From, To: n.ToAddress, Subject: subject, Text: strings.TrimSpace(body) + "\n\n" + c.Seller.Name + "\n", Date: n.CreatedAt}
	switch n.Kind {
	case models.NoticeOrderConfirmation:
		m.Attachments, err = c.papers(ctx, facts.Order)
	case models.NoticeCreditNote:
		m.Attachments, err = c.creditNote(ctx, n.Params["credit_note"])
	default:
		err = c.invite(&m, n, facts)
	}
	return m, err
}

func (c *Composer) facts(ctx context.Context, n models.Notice) (f mailFacts, err error) {
	f.Params = n.Params
	account, err := c.Store.Account(ctx, *n.AccountID)
	if err != nil {
		return f, err
	}
	f.Name = account.LegalName()
	switch prefix, _, _ := strings.Cut(strings.Replace(n.SubjectRef, "-", "_", 1), "_"); prefix {
	case "SO":
		err = c.aboutOrder(ctx, &f, n.SubjectRef)
	case "sh":
		err = c.aboutShipment(ctx, &f, n)
	case "cr":
		err = c.aboutCredential(ctx, &f, n.SubjectRef)
	case "rf":
		err = c.aboutRefund(ctx, &f, n.SubjectRef)
	case "pc":
		if err = c.aboutProofing(ctx, &f, n.SubjectRef); err == nil {
			err = c.aboutAppointment(ctx, &f, n)
		}
	case "ac":
		err = c.aboutAccount(ctx, &f, n, account)
	}
	if err == nil && n.Sealed != nil {
		var key models.SecretBytes
		key, err = c.Opener.Open(n.Sealed, models.NoticeContext(n.ID))
		f.Key = string(key.Reveal())
		if f.Appointment.ID != "" && c.Site != "" {
			f.ChangeLink = strings.TrimSuffix(c.Site, "/") + AppointmentPage + f.Key
		}
	}
	return f, err
}

func (c *Composer) aboutOrder(ctx context.Context, f *mailFacts, number string) (err error) {
	if f.Order, err = c.Store.OrderByNumber(ctx, number); err != nil {
		return err
	}
	if f.Invoice, err = c.Store.InvoiceOfOrder(ctx, f.Order.ID); err != nil {
		return err
	}
	policy, err := c.Store.Policy(ctx, f.Order.PolicyVersion)
	if err != nil {
		return err
	}
	f.DueDay = models.DueText(f.Invoice.DueAt.In(policy.Location()))
	if f.Brings, err = c.Store.OrderBrings(ctx, f.Order); err != nil {
		return err
	}
	f.Ships = f.Brings.Tokens
	return nil
}

func (c *Composer) aboutShipment(ctx context.Context, f *mailFacts, n models.Notice) error {
	shipment, _, err := c.Store.Shipment(ctx, n.SubjectRef)
	if err != nil {
		return err
	}
	order, err := c.Store.OrderOfLine(ctx, shipment.OrderLineID)
	if err != nil {
		return err
	}
	if err := c.aboutOrder(ctx, f, order.Number); err != nil {
		return err
	}
	for _, line := range f.Order.Lines {
		if line.ID != shipment.OrderLineID || line.ReplacementReason == nil {
			continue
		}
		f.Replaces = true
		if err := c.aboutCredential(ctx, f, *line.CredentialID); err != nil {
			return err
		}
		f.Expired = !n.CreatedAt.Before(f.Credential.ExpiresAt)
	}
	return nil
}

func (c *Composer) aboutCredential(ctx context.Context, f *mailFacts, id string) (err error) {
	if f.Credential, _, err = c.Store.Credential(ctx, id); err != nil {
		return err
	}
	policy, err := c.Store.Policy(ctx, f.Credential.PolicyVersion)
	if err != nil {
		return err
	}
	f.ExpiryDay = f.Credential.ExpiresAt.In(policy.Location()).Format(mailDay)
	return nil
}

// aboutAccount fills in what the mails of passwords and recovery say.
func (c *Composer) aboutAccount(ctx context.Context, f *mailFacts, n models.Notice, a models.Account) error {
	policy, err := c.Store.CurrentPolicy(ctx, n.CreatedAt)
	if err != nil {
		return err
	}
	if a.PasswordExpiresAt != nil {
		f.Lapses = a.PasswordExpiresAt.In(policy.Location()).Format(mailMoment)
	}
	if n.Kind == models.NoticePasswordRecovery {
		expires, err := time.Parse(time.RFC3339, n.Params["expires"])
		if err != nil {
			return fmt.Errorf("read when a recovery code expires: %w", err)
		}
		f.Lapses = expires.In(policy.Location()).Format(mailMoment)
	}
	f.UserIDs = []string{a.UserID}
	if n.Kind == models.NoticeUserIDRecovery {
		f.UserIDs, err = c.userIDs(ctx, n.ToAddress)
	}
	return err
}

// userIDs lists the user ids under an e-mail address, oldest first.
func (c *Composer) userIDs(ctx context.Context, address string) ([]string, error) {
	accounts, err := c.Store.AccountsByEmail(ctx, address, mostUserIDs)
	ids := make([]string, len(accounts))
	for i, a := range accounts {
		ids[i] = a.UserID
	}
	return ids, err
}

func (c *Composer) papers(ctx context.Context, o models.Order) ([]mail.Attachment, error) {
	facts, err := c.Store.OrderPaper(ctx, o.Number, c.Seller, c.Bank)
	if err != nil {
		return nil, err
	}
	facts.Paid, facts.Void = models.Money{}, false // as it stood when the order was placed: a resend must read the same
	confirmation, err := documents.OrderConfirmation(facts)
	if err != nil {
		return nil, err
	}
	papers := []mail.Attachment{{Name: o.Number + ".pdf", ContentType: "application/pdf", Content: confirmation}}
	if o.PaymentMethod == models.PayByInvoice && o.TotalMinor > 0 {
		invoice, err := documents.Invoice(facts)
		if err != nil {
			return nil, err
		}
		papers = append(papers, mail.Attachment{Name: facts.InvoiceNumber + ".pdf", ContentType: "application/pdf", Content: invoice})
	}
	return papers, nil
}
