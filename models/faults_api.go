package models

// What the edge refuses before anybody looks at the request's meaning.
var (
	RequestTooLarge      = declare(Invalid, "request-too-large", "The request is too large", "send less at once")
	MediaTypeUnsupported = declare(Invalid, "media-type-unsupported", "The media type is not taken here", "send one of the media types that the reference names")
	PreconditionMissing  = declare(Invalid, "precondition-missing", "An If-Match is required", "load it, and send its ETag as If-Match")
	PreconditionFailed   = declare(Conflict, "precondition-failed", "It has changed since it was loaded", "load it again, and decide anew")
	MethodNotAllowed     = declare(Invalid, "method-not-allowed", "The method is not allowed here", "use one of the methods in the Allow header")
)

// What a body may name that does not exist.
var (
	ReferenceUnknown = declare(Refused, "reference-unknown", "Something that the request names does not exist", "check the identifier")
)

// Policies and the sandbox.
var (
	PolicyInvalid = declare(Refused, "policy-invalid", "The policy cannot be", "correct the member that errors points at")
	PreviewsBusy  = declare(Throttled, "previews-busy", "Other previews are under way", "wait until one of them is done, then ask again")
	NotASandbox   = declare(NotFound, "not-a-sandbox", "This is no sandbox: time cannot be moved here", "use a sandbox")
)
