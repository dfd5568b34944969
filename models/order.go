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
	OrderRefused   OrderStatus = "refused"  // the draft could not be placed
	OrderRefunded  OrderStatus = "refunded" // every line is credited
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
	RefundOrder  OrderEvent = "refund"
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
	{[]OrderStatus{OrderPaid, OrderFulfilled}, RefundOrder, OrderRefunded, ByPerson, "undone after payment, the last of its lines credited (ORD-5)"},
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
	RefundedAt           *time.Time
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
	// CredentialID is the credential that the line renews, whose token it replaces, or whose holder it has proofed.
	CredentialID      *string
	ReplacementReason *ReplacementReason // of a replacement

	Proofing                 *OrderedProofing // of a line that is about proofing
	ProofingCountry          *string          // of an upgrade: whose documents prove the identity, ISO 3166-1 alpha-2
	RequirementsAcknowledged bool             // of an upgrade (PRF-10)
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
	LoggedInWith      string   // the credential that the buyer's session was authenticated with; empty: none
	Lines             []NewOrderLine
}

// NewOrderLine is one product for one beneficiary; an empty beneficiary is the buyer.
type NewOrderLine struct {
	ProductSKU        string
	BeneficiaryID     string
	CredentialID      string            // of a renewal, a replacement or a proofing
	ReplacementReason ReplacementReason // of a replacement

	ProofingCountry          string // of a proofing upgrade
	RequirementsAcknowledged bool   // of a proofing upgrade: what it takes to be proofed was read (PRF-10)
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
