package documents

import (
	"time"

	"tokendesk/models"
)

func sample() Facts {
	vendor := time.FixedZone("EST", -5*3600)
	billing := models.Address{Name: "Accounts Payable", Company: "Østergård & Søn Shipping", Line1: "1200 Harbor Boulevard", Line2: "Suite 400", City: "Weehawken", Region: "NJ", PostalCode: "07086", Country: "US"}
	shipping := models.Address{Name: "Zoë Łukasiewicz", Company: "Østergård & Søn Shipping", Line1: "Pier 7, Gate B", City: "Weehawken", Region: "NJ", PostalCode: "07086", Country: "US"}
	usd := func(minor int64) models.Money { return models.Money{Minor: minor, Currency: models.USD} }
	return Facts{
		Seller: Seller{
			Name: "Tokendesk", Email: "billing@tokendesk.example", Phone: "+1 212 555 0100", Web: "tokendesk.example", TaxID: "EIN 12-3456789",
			Address: models.Address{Name: "Tokendesk", Line1: "55 Water Street", City: "New York", Region: "NY", PostalCode: "10041", Country: "US"},
		},
		OrderNumber: "SO-10042", InvoiceNumber: "INV-10042", PONumber: "PO-7731",
		PlacedAt: time.Date(2026, 3, 2, 23, 30, 0, 0, vendor), IssuedAt: time.Date(2026, 3, 2, 23, 30, 0, 0, vendor), DueAt: time.Date(2026, 4, 2, 0, 0, 0, 0, vendor),
		BuyerName: "Zoë Łukasiewicz", BuyerEmail: "zoe@ostergard.example", Billing: billing, Shipping: &shipping,
		Lines: []Line{
			{"OTP-HW-P-US", "Hardware OTP with identity proofing, one year", "Zoë Łukasiewicz", 1, usd(14900)},
			{"OTP-HW", "Hardware OTP, one year", "Γιώργος Παπαδόπουλος", 1, usd(9900)},
			{"OTP-PH", "Phone OTP, one year", "Мария Иванова", 1, usd(4900)},
		},
		Brings:            Brings{Keys: true},
		Method:            models.PayByInvoice,
		Bank:              Bank{Holder: "Tokendesk Inc.", Name: "First Harbor Bank, New York", Routing: "021000021", Account: "000123456789", BIC: "FHBKUS33"},
		DisclaimerVersion: 3, DisclaimerAcceptedAt: time.Date(2026, 3, 2, 23, 29, 0, 0, vendor),
	}
}
