package models

import "strings"

// Address is a postal address. Country is ISO 3166-1 alpha-2.
type Address struct {
	Name       string `json:"name"`
	Company    string `json:"company,omitempty"`
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code"`
	Country    string `json:"country"`
}

// Complete reports whether a letter could be delivered to the address.
func (a Address) Complete() bool {
	for _, s := range []string{a.Name, a.Line1, a.City, a.PostalCode} {
		if strings.TrimSpace(s) == "" {
			return false
		}
	}
	return ValidCountry(a.Country)
}

// Lines renders the address for a label or a letter.
func (a Address) Lines() []string {
	var out []string
	for _, s := range []string{a.Name, a.Company, a.Line1, a.Line2, strings.TrimSpace(strings.Join([]string{a.City, a.Region, a.PostalCode}, " ")), a.Country} {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
