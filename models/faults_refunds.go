package models

// Refunds, returns and credit notes (ORD-5).
var (
	NothingToRefund   = declare(Conflict, "nothing-to-refund", "Nothing of this order is left to refund", "look at the refunds that the order has")
	LineInRefund      = declare(Conflict, "line-in-refund", "The line is in a refund already", "look at that refund")
	LineNotRefundable = declare(Refused, "line-not-refundable", "The line cannot be refunded", "ask billing")
	SecondPerson      = declare(Forbidden, "second-person-needed", "Somebody else has to decide", "ask another member of the billing staff")
	PayoutDiffers     = declare(Refused, "payout-differs", "This is not the amount that is owed", "pay out exactly what is owed")
	PayoutRecorded    = declare(Conflict, "payout-recorded", "This bank reference was recorded for another payout", "check the reference")
	NothingUnapplied  = declare(Conflict, "nothing-unapplied", "Nothing of the payment is left", "look at what became of it")
	BuyersDiffer      = declare(Refused, "buyers-differ", "This is another buyer's money", "choose an invoice of the same buyer, or pay the money out")
	TokenIsBack       = declare(Conflict, "token-is-back", "The token has come back already", "nothing is left to do")
	TokenNeverLeft    = declare(Conflict, "token-never-left", "The token was not shipped", "check the serial number")
)
