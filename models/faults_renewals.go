package models

// Orders about a credential that exists (REN, MGT-6). Those about its state stand with the life of a credential.
var (
	CredentialUnknown = declare(Refused, "credential-unknown", "The credential is not one that this buyer can order for", "name a credential of your own, or of your organization if you administer it")
	ProductDoesNotFit = declare(Refused, "product-does-not-fit", "The product does not fit the credential", "choose the product that is for this kind of credential")
)
