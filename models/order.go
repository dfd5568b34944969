package models

import "time"

// OrderStatus is where an order stands.
type OrderStatus string

// The statuses of an order.
const (
	OrderDraft     OrderStatus = "draft"            // numbered, not yet taken up by its workflow
	OrderPlaced    OrderStatus = "placed"           // waiting for the money
	OrderDeclined  OrderStatus = "payment_declined" // the card was declined; can be paid again
	OrderPaid      OrderStatus = "paid"             // paid in full
	OrderFulfilled OrderStatus = "fulfilled"        // keys issued, shipments handed over
	OrderCancelled OrderStatus = "cancelled"
	OrderRefused   OrderStatus = "refused" // the draft could not be placed
)

// OrderEvent moves an order.
type OrderEvent string

// The events of an order.
const (
	PlaceOrder   OrderEvent = "place"
	RefuseOrder  OrderEvent = "refuse"
	DeclineOrder OrderEvent = "decline"
	RetryOrder   OrderEvent = "pay_again"
	PayOrder     OrderEvent = "pay"
	FulfilOrder  OrderEvent = "fulfil"
	CancelOrder  OrderEvent = "cancel"
	LapseOrder   OrderEvent = "lapse"
)

// OrderMachine is the transition table of an order (ORD-1 to ORD-5).
var OrderMachine = Machine[OrderStatus, OrderEvent]{Name: "order", Initial: OrderDraft, Transitions: []Transition[OrderStatus, OrderEvent]{
	{[]OrderStatus{OrderDraft}, PlaceOrder, OrderPlaced, ByWorkflow, "the workflow has taken the draft up"},
	{[]OrderStatus{OrderDraft}, RefuseOrder, OrderRefused, ByWorkflow, "what was bought cannot be bought any more"},
	{[]OrderStatus{OrderPlaced}, DeclineOrder, OrderDeclined, ByWorkflow, "the card was declined (ORD-2)"},
	{[]OrderStatus{OrderDeclined}, RetryOrder, OrderPlaced, ByPerson, "the buyer pays with another card (ORD-2)"},
	{[]OrderStatus{OrderPlaced, OrderDeclined}, PayOrder, OrderPaid, ByWorld, "paid in full (ORD-3, ORD-4)"},
	{[]OrderStatus{OrderPaid}, FulfilOrder, OrderFulfilled, ByWorkflow, "keys issued and mailed, shipments handed over (ORD-6)"},
	{[]OrderStatus{OrderPlaced, OrderDeclined}, CancelOrder, OrderCancelled, ByPerson, "cancelled while unpaid (ORD-5)"},
	{[]OrderStatus{OrderPlaced, OrderDeclined}, LapseOrder, OrderCancelled, ByWorkflow, "unpaid after the invoice's term (ORD-5)"},
}}

// PaymentMethod is how an order is paid.
type PaymentMethod string

// The payment methods.
const (
	PayByCard    PaymentMethod = "card"
	PayByInvoice PaymentMethod = "invoice"
)

// Order is a purchase.
type Order struct {
	ID                   string // or_…
	Number               string // SO-10042
	BuyerID              string
	Status               OrderStatus
	PaymentMethod        PaymentMethod
	Currency             Currency
	TotalMinor           int64
	PONumber             *string
	BillingAddress       Address  `gorm:"serializer:json"`
	ShippingAddress      *Address `gorm:"serializer:json"`
	DisclaimerVersion    int
	DisclaimerAcceptedAt time.Time
	PolicyVersion        int
	CancelReason         *string
	CreatedAt            time.Time `gorm:"autoCreateTime:false"`
	PlacedAt             *time.Time
	PaidAt               *time.Time
	FulfilledAt          *time.Time
	CancelledAt          *time.Time
	Lines                []OrderLine
}

// Total of all lines.
func (o Order) Total() Money { return Money{o.TotalMinor, o.Currency} }

// OrderLine is one product for one beneficiary.
type OrderLine struct {
	ID            string // ol_…
	OrderID       string
	Position      int // 1, 2, …
	ProductSKU    string
	BeneficiaryID string // the account that the line is bought for
	PriceMinor    int64
}

// InvoiceStatus is where an invoice stands.
type InvoiceStatus string

// The statuses of an invoice.
const (
	InvoiceOpen InvoiceStatus = "open"
	InvoicePaid InvoiceStatus = "paid"
	InvoiceVoid InvoiceStatus = "void"
)

// InvoiceEvent moves an invoice.
type InvoiceEvent string

// The events of an invoice.
const (
	SettleInvoice InvoiceEvent = "settle"
	VoidInvoice   InvoiceEvent = "void"
)

// InvoiceMachine is the transition table of an invoice. A void invoice never takes money (ORD-5).
var InvoiceMachine = Machine[InvoiceStatus, InvoiceEvent]{Name: "invoice", Initial: InvoiceOpen, Transitions: []Transition[InvoiceStatus, InvoiceEvent]{
	{[]InvoiceStatus{InvoiceOpen}, SettleInvoice, InvoicePaid, ByWorld, "allocations reach the total (ORD-3)"},
	{[]InvoiceStatus{InvoiceOpen}, VoidInvoice, InvoiceVoid, ByWorkflow, "its order was cancelled or lapsed (ORD-5)"},
}}

// Invoice asks for the money of one order. A card order has one too; it is settled by the capture.
type Invoice struct {
	ID         string // in_…
	Number     string // INV-10042
	OrderID    string
	Status     InvoiceStatus
	TotalMinor int64
	PaidMinor  int64 // sum of allocations
	Currency   Currency
	IssuedAt   time.Time
	DueAt      time.Time
	SettledAt  *time.Time
	VoidedAt   *time.Time
}

// Due is what is still to be paid.
func (i Invoice) Due() Money { return Money{i.TotalMinor - i.PaidMinor, i.Currency} }

// PaymentSource says where a payment notice came from. With account and bank reference it identifies the payment (ORD-4).
type PaymentSource string

// The sources of payments.
const (
	SourceBankTransfer PaymentSource = "bank_transfer" // recorded by billing staff
	SourceCard         PaymentSource = "card"
	SourceStatement    PaymentSource = "bank_statement"
)

// Payment is money received: an immutable fact.
type Payment struct {
	ID            string // py_…
	Source        PaymentSource
	SourceAccount string
	BankReference string
	AmountMinor   int64
	Currency      Currency
	ReceivedAt    time.Time
	RecordedBy    string
	RecordedAt    time.Time
}

// Allocation applies a part of a payment to an invoice. What no allocation covers is unapplied cash.
type Allocation struct {
	PaymentID   string
	InvoiceID   string
	AmountMinor int64
	At          time.Time
}

// Allocate splits an amount received between what an invoice still lacks and unapplied cash (ORD-4).
func Allocate(status InvoiceStatus, due, received int64) (applied, unapplied int64) {
	if status != InvoiceOpen {
		return 0, received
	}
	applied = min(due, received)
	return applied, received - applied
}

// ChargeStatus is where a card charge stands.
type ChargeStatus string

// The statuses of a charge.
const (
	ChargeIntended   ChargeStatus = "intended" // recorded before the provider is called
	ChargeAuthorized ChargeStatus = "authorized"
	ChargeCaptured   ChargeStatus = "captured"
	ChargeDeclined   ChargeStatus = "declined"
	ChargeCancelled  ChargeStatus = "cancelled"
)

// ChargeEvent moves a charge.
type ChargeEvent string

// The events of a charge.
const (
	AuthorizeCharge ChargeEvent = "authorize"
	CaptureCharge   ChargeEvent = "capture"
	DeclineCharge   ChargeEvent = "decline"
	CancelCharge    ChargeEvent = "cancel"
)

// ChargeMachine is the transition table of a card charge (ORD-2).
var ChargeMachine = Machine[ChargeStatus, ChargeEvent]{Name: "charge", Initial: ChargeIntended, Transitions: []Transition[ChargeStatus, ChargeEvent]{
	{[]ChargeStatus{ChargeIntended}, AuthorizeCharge, ChargeAuthorized, ByWorkflow, "the provider holds the amount"},
	{[]ChargeStatus{ChargeAuthorized}, CaptureCharge, ChargeCaptured, ByWorkflow, "the provider has taken the amount"},
	{[]ChargeStatus{ChargeIntended, ChargeAuthorized}, DeclineCharge, ChargeDeclined, ByWorkflow, "the provider declined"},
	{[]ChargeStatus{ChargeIntended, ChargeAuthorized}, CancelCharge, ChargeCancelled, ByWorkflow, "the order was cancelled first"},
}}

// Charge is one attempt to pay an order by card. It is recorded before the provider is called, and its id is the
// provider's idempotency key.
type Charge struct {
	ID            string // ch_…
	OrderID       string
	Attempt       int
	Status        ChargeStatus
	PaymentMethod Secret // the provider's token for the card
	AmountMinor   int64
	Currency      Currency
	ProviderRef   *string
	DeclineReason *string
	CreatedAt     time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt     time.Time `gorm:"autoUpdateTime:false"`
}

// LicenseKeyStatus is where a license key stands.
type LicenseKeyStatus string

// The statuses of a license key.
const (
	KeyIssued  LicenseKeyStatus = "issued"
	KeyUsed    LicenseKeyStatus = "used"
	KeyVoid    LicenseKeyStatus = "void"
	KeyExpired LicenseKeyStatus = "expired"
)

// LicenseKeyEvent moves a license key.
type LicenseKeyEvent string

// The events of a license key.
const (
	UseKey    LicenseKeyEvent = "use"
	VoidKey   LicenseKeyEvent = "void"
	ExpireKey LicenseKeyEvent = "expire"
)

// LicenseKeyMachine is the transition table of a license key: single use (LIC-1).
var LicenseKeyMachine = Machine[LicenseKeyStatus, LicenseKeyEvent]{Name: "license_key", Initial: KeyIssued, Transitions: []Transition[LicenseKeyStatus, LicenseKeyEvent]{
	{[]LicenseKeyStatus{KeyIssued}, UseKey, KeyUsed, ByPerson, "activated; bound for good (LIC-2)"},
	{[]LicenseKeyStatus{KeyIssued}, VoidKey, KeyVoid, ByPerson, "replaced by a resend, or its order was undone (ORD-6)"},
	{[]LicenseKeyStatus{KeyIssued}, ExpireKey, KeyExpired, ByWorkflow, "unused for the policy's lifetime"},
}}

// LicenseKey is one key for one line. The key itself is not here: only its hash and last four characters (LIC-1).
type LicenseKey struct {
	ID          string // lk_…
	OrderLineID string
	Status      LicenseKeyStatus
	Hash        []byte
	LastFour    string
	IssuedAt    time.Time
	ExpiresAt   time.Time
	UsedAt      *time.Time
	UsedBy      *string
}

// NewOrder is what a buyer asks for (ORD-1).
type NewOrder struct {
	BuyerID           string
	PaymentMethod     PaymentMethod
	PONumber          string
	BillingAddress    Address
	ShippingAddress   *Address // needed when something ships
	DisclaimerVersion int      // the version that the buyer accepted; 0: none
	CardPaymentMethod Secret   // the provider's token for the card; needed when paid by card
	Lines             []NewOrderLine
}

// NewOrderLine is one product for one beneficiary; an empty beneficiary is the buyer.
type NewOrderLine struct {
	ProductSKU    string
	BeneficiaryID string
}

// CancelReason says why an order was cancelled; a code, so that no personal data enters the engine.
type CancelReason string

// The reasons for cancelling.
const (
	CancelNotNeeded CancelReason = "not_needed"
	CancelMistake   CancelReason = "ordered_by_mistake"
	CancelDuplicate CancelReason = "duplicate"
	CancelOther     CancelReason = "other"
	CancelUnpaid    CancelReason = "unpaid" // the lifecycle itself, after the invoice's term
)

// NewPayment is a payment notice as billing staff or a statement gives it.
type NewPayment struct {
	Source        PaymentSource
	SourceAccount string
	BankReference string
	Amount        Money
	ReceivedAt    time.Time
	InvoiceNumber string // empty: unapplied cash
}
