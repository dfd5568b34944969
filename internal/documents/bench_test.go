package documents

import "testing"

// The standard font, and names that need the carried one.
func BenchmarkInvoice(b *testing.B) {
	plain := sample()
	plain.BuyerName, plain.Shipping, plain.Lines = "Zoë Müller", nil, plain.Lines[:1]
	plain.Lines[0].Beneficiary = ""
	for name, f := range map[string]Facts{"standard": plain, "carried": sample()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Invoice(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
