package models

import "time"

// TokenStatus is where a physical token stands.
type TokenStatus string

// The statuses of a token.
const (
	TokenInStock     TokenStatus = "in_stock"
	TokenAllocated   TokenStatus = "allocated"
	TokenShipped     TokenStatus = "shipped"
	TokenBound       TokenStatus = "bound"
	TokenQuarantined TokenStatus = "quarantined"
	TokenRetired     TokenStatus = "retired"
)

// TokenEvent moves a token.
type TokenEvent string

// The events of a token.
const (
	AllocateToken   TokenEvent = "allocate"
	ReleaseToken    TokenEvent = "release"
	ShipToken       TokenEvent = "ship"
	BindToken       TokenEvent = "bind"
	QuarantineToken TokenEvent = "quarantine"
	RestoreToken    TokenEvent = "restore"
	RetireToken     TokenEvent = "retire"
)

// TokenMachine is the transition table of a physical token (SHP-1 to SHP-4).
var TokenMachine = Machine[TokenStatus, TokenEvent]{Name: "token", Initial: TokenInStock, Transitions: []Transition[TokenStatus, TokenEvent]{
	{[]TokenStatus{TokenInStock}, AllocateToken, TokenAllocated, ByWorkflow, "taken for a shipment, one serial to one shipment (SHP-1)"},
	{[]TokenStatus{TokenAllocated}, ReleaseToken, TokenInStock, ByWorkflow, "its shipment was cancelled before it left"},
	{[]TokenStatus{TokenAllocated}, ShipToken, TokenShipped, ByWorkflow, "handed to the carrier"},
	{[]TokenStatus{TokenShipped}, BindToken, TokenBound, ByPerson, "registered (SHP-3, REG-1)"},
	{[]TokenStatus{TokenInStock}, QuarantineToken, TokenQuarantined, ByPerson, "set aside for examination (SHP-4)"},
	{[]TokenStatus{TokenQuarantined}, RestoreToken, TokenInStock, ByPerson, "found good"},
	{[]TokenStatus{TokenInStock, TokenQuarantined, TokenAllocated, TokenShipped, TokenBound}, RetireToken, TokenRetired, ByPerson, "lost, returned, revoked or broken (SHP-2)"},
}}

// Token is a physical device in stock. Its seed is sealed with the serial as associated data (SEC-2).
type Token struct {
	Serial         string `gorm:"primaryKey"`
	Model          string
	Manufacturer   string
	Warehouse      string
	Kind           string // hotp or totp
	Algorithm      string // SHA1, SHA256 or SHA512
	Digits         int
	PeriodSeconds  int
	InitialCounter int64
	SealedSeed     []byte
	Status         TokenStatus
	StatusReason   *string
	ImportID       string
	CreatedAt      time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt      time.Time `gorm:"autoUpdateTime:false"`
}

// TokenModel is one type of token that is stocked. A file's seeds are imported only under a model that stands here (SHP-4).
type TokenModel struct {
	Model        string `gorm:"primaryKey"`
	Kind         string // hotp or totp
	ReorderLevel int    // below it staff are told to order more; 0: never
}

// TokenImport is one file of seeds that was imported.
type TokenImport struct {
	ID         string // ti_…
	Format     string // pskc or csv
	FileSHA256 []byte `gorm:"column:file_sha256"`
	Rows       int
	Imported   int
	Known      int // serials that were there before; nothing of theirs changes (SHP-4)
	Refused    int
	ImportedBy string
	ImportedAt time.Time
}

// TokenSeedContext is the associated data under which a token's seed is sealed.
func TokenSeedContext(serial string) string { return "token/" + serial }
