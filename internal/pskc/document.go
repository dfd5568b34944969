package pskc

// The parts of a container as they stand in the XML. Elements of RFC 6030 are taken from its name space only,
// because vendors' extensions stand beside them; those of XML Encryption and PKCS #5 from any, because the RFC's
// own figure 7 has some of them in none. Everything is text here, so that decoding fails on bad XML alone.

const namespace = "urn:ietf:params:xml:ns:keyprov:pskc"

type xmlEncryptionKey struct {
	DerivedKey *struct {
		Method struct {
			Algorithm string           `xml:"Algorithm,attr"`
			Params    *xmlPBKDF2Params `xml:"PBKDF2-params"`
		} `xml:"KeyDerivationMethod"`
	} `xml:"DerivedKey"`
	Certificate  *struct{} `xml:"X509Data"`
	KeyValue     *struct{} `xml:"KeyValue"`
	EncryptedKey *struct{} `xml:"EncryptedKey"`
}

type xmlPBKDF2Params struct {
	Salt       string `xml:"Salt>Specified"`
	Iterations string `xml:"IterationCount"`
	KeyLength  string `xml:"KeyLength"`
	PRF        struct {
		Algorithm string `xml:"Algorithm,attr"`
	} `xml:"PRF"`
}

type xmlMACMethod struct {
	Algorithm string        `xml:"Algorithm,attr"`
	Key       *xmlEncrypted `xml:"urn:ietf:params:xml:ns:keyprov:pskc MACKey"`
	Reference *string       `xml:"urn:ietf:params:xml:ns:keyprov:pskc MACKeyReference"`
}

type xmlEncrypted struct {
	Method struct {
		Algorithm string `xml:"Algorithm,attr"`
	} `xml:"EncryptionMethod"`
	CipherValue string `xml:"CipherData>CipherValue"`
}

type xmlPackage struct {
	Device xmlDevice `xml:"urn:ietf:params:xml:ns:keyprov:pskc DeviceInfo"`
	Keys   []xmlKey  `xml:"urn:ietf:params:xml:ns:keyprov:pskc Key"` // one at most, by the RFC
}

type xmlDevice struct {
	Manufacturer string `xml:"urn:ietf:params:xml:ns:keyprov:pskc Manufacturer"`
	Serial       string `xml:"urn:ietf:params:xml:ns:keyprov:pskc SerialNo"`
	Model        string `xml:"urn:ietf:params:xml:ns:keyprov:pskc Model"`
	UserID       string `xml:"urn:ietf:params:xml:ns:keyprov:pskc UserId"`
	Start        string `xml:"urn:ietf:params:xml:ns:keyprov:pskc StartDate"`
	Expiry       string `xml:"urn:ietf:params:xml:ns:keyprov:pskc ExpiryDate"`
}

type xmlKey struct {
	ID         string        `xml:"Id,attr"`
	Algorithm  string        `xml:"Algorithm,attr"`
	Issuer     string        `xml:"urn:ietf:params:xml:ns:keyprov:pskc Issuer"`
	Parameters xmlParameters `xml:"urn:ietf:params:xml:ns:keyprov:pskc AlgorithmParameters"`
	Reference  *string       `xml:"urn:ietf:params:xml:ns:keyprov:pskc KeyReference"`
	Data       xmlData       `xml:"urn:ietf:params:xml:ns:keyprov:pskc Data"`
	UserID     string        `xml:"urn:ietf:params:xml:ns:keyprov:pskc UserId"`
	Policy     xmlPolicy     `xml:"urn:ietf:params:xml:ns:keyprov:pskc Policy"`
}

type xmlParameters struct {
	Suite    string `xml:"urn:ietf:params:xml:ns:keyprov:pskc Suite"`
	Response struct {
		Encoding    string `xml:"Encoding,attr"`
		Length      string `xml:"Length,attr"`
		CheckDigits string `xml:"CheckDigits,attr"`
	} `xml:"urn:ietf:params:xml:ns:keyprov:pskc ResponseFormat"`
}

type xmlData struct {
	Secret       *xmlValue `xml:"urn:ietf:params:xml:ns:keyprov:pskc Secret"`
	Counter      *xmlValue `xml:"urn:ietf:params:xml:ns:keyprov:pskc Counter"`
	TimeInterval *xmlValue `xml:"urn:ietf:params:xml:ns:keyprov:pskc TimeInterval"`
	TimeDrift    *xmlValue `xml:"urn:ietf:params:xml:ns:keyprov:pskc TimeDrift"`
}

type xmlValue struct {
	Plain     *string       `xml:"urn:ietf:params:xml:ns:keyprov:pskc PlainValue"`
	Encrypted *xmlEncrypted `xml:"urn:ietf:params:xml:ns:keyprov:pskc EncryptedValue"`
	MAC       *string       `xml:"urn:ietf:params:xml:ns:keyprov:pskc ValueMAC"`
}

type xmlPolicy struct {
	Start  string `xml:"urn:ietf:params:xml:ns:keyprov:pskc StartDate"`
	Expiry string `xml:"urn:ietf:params:xml:ns:keyprov:pskc ExpiryDate"`
}
