package api

import (
	"context"
	"errors"

	"tokendesk/api/gen"
	"tokendesk/internal/identitydocs"
	"tokendesk/models"
)

// What is needed for a live video session, and how to test it (PRF-5). The mails say the same.
var (
	videoDevices = []string{
		"a computer, tablet or phone with camera, microphone and loudspeaker",
		"a current browser",
		"a quiet, well-lit place where you are alone",
		"a phone at the number that the agent calls",
	}
	systemTest = []string{
		"open a video call of any kind in the browser that you will use, a day before",
		"allow it to use camera and microphone",
		"check that you see and hear yourself",
		"hold your document into the camera, and check that its print can be read in the picture",
	}
)

// GetProofingDocuments says what to have at hand to be proofed (PRF-5).
func (s *server) GetProofingDocuments(_ context.Context, r gen.GetProofingDocumentsRequestObject) (gen.GetProofingDocumentsResponseObject, error) {
	list, err := identitydocs.For(r.Params.Country)
	if errors.Is(err, identitydocs.ErrCountry) {
		refused := &rejection{detail: "the parameters do not fit the specification"}
		refused.refuseParameter("country", "it is no country of ISO 3166-1")
		return nil, refused
	}
	if err != nil {
		return nil, err
	}
	return gen.GetProofingDocuments200JSONResponse{Country: list.Country, Version: int32(list.Version), Methods: models.ProofingMethods(list.Country),
		Documents: each(list.Documents, viewDocument(list)), MustShow: list.Shows, Devices: videoDevices, SystemTest: systemTest}, nil
}

func viewDocument(list identitydocs.List) func(identitydocs.Document) gen.ProofingDocument {
	offered := len(models.ProofingMethods(list.Country)) > 1
	return func(d identitydocs.Document) gen.ProofingDocument {
		return gen.ProofingDocument{Type: string(d.Type), Name: d.Name, SelfService: offered && d.MobileCapture, Note: optional(d.Note)}
	}
}
