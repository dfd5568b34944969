package documents

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func sampleParcel() Parcel {
	f := sample()
	return Parcel{Seller: f.Seller, OrderNumber: f.OrderNumber, Shipment: "sh_01", Number: 1, To: *f.Shipping, Product: "Hardware OTP, one year",
		Serial: "TD-987654321", PackedAt: time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)}
}

// SHP-1: the instructions name the token that is in the parcel and lead to the first login; with proofing they say so.
func TestInstructions(t *testing.T) {
	plain := sampleParcel()
	proofed := plain
	proofed.Proofing = true
	cases := []struct {
		name     string
		parcel   Parcel
		proofing bool
	}{
		{"without proofing", plain, false},
		{"with proofing", proofed, true},
	}
	for _, c := range cases {
		pdf, err := Instructions(c.parcel)
		seen := text(t, pdf, err)
		for _, want := range []string{"TD-987654321", "SO-10042", "Zoë Łukasiewicz", "Pier 7, Gate B", "license key", "Wait 30 seconds", "billing@tokendesk.example", "Page 1 of 1"} {
			if !strings.Contains(seen, want) {
				t.Errorf("%s: %q is missing", c.name, want)
			}
		}
		if strings.Contains(seen, "proof your identity") != c.proofing {
			t.Errorf("%s: proofing is mentioned: %v", c.name, !c.proofing)
		}
		again, err := Instructions(c.parcel)
		if err != nil || !bytes.Equal(pdf, again) {
			t.Errorf("%s: the same facts make other bytes: %v", c.name, err)
		}
	}
}

// MGT-5, MGT-6: a replacement needs no license key, and the old token is revoked first.
func TestInstructionsOfReplacement(t *testing.T) {
	p := sampleParcel()
	p.Replacement = true
	pdf, err := Instructions(p)
	seen := text(t, pdf, err)
	revoke, register := strings.Index(seen, "revoke the old token"), strings.Index(seen, "Choose to register the token")
	if revoke < 0 || register < revoke || strings.Contains(seen, "Find the e-mail with your license key") {
		t.Errorf("the steps: %s", seen)
	}
}

// SHP-1: no paper is made of facts that are not there.
func TestInstructionsRefuseWhatIsMissing(t *testing.T) {
	for name, change := range map[string]func(*Parcel){
		"serial":  func(p *Parcel) { p.Serial = "" },
		"order":   func(p *Parcel) { p.OrderNumber = "" },
		"address": func(p *Parcel) { p.To.City = "" },
		"date":    func(p *Parcel) { p.PackedAt = time.Time{} },
	} {
		p := sampleParcel()
		change(&p)
		if _, err := Instructions(p); err == nil {
			t.Errorf("made without the %s", name)
		}
	}
}
