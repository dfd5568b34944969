package simulator

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/carrier/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

const root = "/sandbox/carrier"

// Handler serves everything under /sandbox/carrier/:
//
//	v1/…                                    the API of package wire; its base URL is …/sandbox/carrier
//	GET    parcels?reference=…              the parcels, for people and tests
//	GET    parcels/{tracking}               one parcel with its events
//	POST   parcels/{tracking}/events        {"kind": "delivered", "occurred_at": "…"} lets it happen, and pushes it
//	GET    labels/{tracking}.pdf            the label to print
//	POST, GET, DELETE orders                see sandbox.Order
func (s *Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	s.handleAPI(mux)
	s.store.HandleOrders(mux, sandbox.Carrier, operations)
	mux.HandleFunc("GET "+root+"/parcels", func(w http.ResponseWriter, r *http.Request) {
		parcels, err := s.Parcels(r.Context(), r.URL.Query().Get("reference"))
		sandbox.Answer(w, http.StatusOK, map[string]any{"parcels": parcels}, err)
	})
	mux.HandleFunc("GET "+root+"/parcels/{tracking}", func(w http.ResponseWriter, r *http.Request) {
		p, err := s.Parcel(r.Context(), r.PathValue("tracking"))
		sandbox.Answer(w, http.StatusOK, p, err)
	})
	mux.HandleFunc("POST "+root+"/parcels/{tracking}/events", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Kind       carrier.Kind `json:"kind"`
			OccurredAt time.Time    `json:"occurred_at"`
		}
		err := sandbox.Read(w, r, &in)
		var e carrier.Event
		if err == nil {
			e, err = s.Happen(r.Context(), r.PathValue("tracking"), in.Kind, in.OccurredAt)
		}
		sandbox.Answer(w, http.StatusCreated, e, err)
	})
	mux.HandleFunc("GET "+root+"/labels/{file}", s.label)
	return mux
}

// Parcel is a parcel as the sandbox shows it. Two that are not voided under one reference would be a double shipment.
type Parcel struct {
	TrackingNumber string          `json:"tracking_number"`
	Ref            string          `json:"ref"`
	Reference      string          `json:"reference"`
	Service        string          `json:"service"`
	To             models.Address  `json:"to"`
	Voided         bool            `json:"voided"`
	Status         carrier.Kind    `json:"status"` // of the last event
	Events         []carrier.Event `json:"events,omitempty"`
}

const selectParcel = `SELECT tracking, ref, reference, service, recipient, voided,
	coalesce((SELECT kind FROM sandbox.parcel_events e WHERE e.tracking = p.tracking AND e.due <= $1
		ORDER BY occurred_at DESC, due DESC LIMIT 1), '') FROM sandbox.parcels p`

func scanParcel(row pgx.CollectableRow) (p Parcel, err error) {
	return p, row.Scan(&p.TrackingNumber, &p.Ref, &p.Reference, &p.Service, &p.To, &p.Voided, &p.Status)
}

// Parcels lists the newest thousand parcels of a reference, or of all.
func (s *Simulator) Parcels(ctx context.Context, reference string) ([]Parcel, error) {
	rows, err := s.store.Pool.Query(ctx, selectParcel+` WHERE $2 = '' OR reference = $2 ORDER BY created_at DESC, tracking LIMIT 1000`, s.config.Now(), reference)
	if err != nil {
		return nil, technical(err)
	}
	parcels, err := pgx.CollectRows(rows, scanParcel)
	return parcels, technical(err)
}

// Parcel reads one parcel with its events.
func (s *Simulator) Parcel(ctx context.Context, tracking string) (Parcel, error) {
	rows, err := s.store.Pool.Query(ctx, selectParcel+` WHERE tracking = $2`, s.config.Now(), tracking)
	if err != nil {
		return Parcel{}, technical(err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanParcel)
	if errors.Is(err, pgx.ErrNoRows) {
		return Parcel{}, models.NoSuchThing.New("there is no such parcel")
	}
	if err == nil {
		p.Events, err = s.events(ctx, tracking)
	}
	return p, technical(err)
}

// label draws the label, 100 by 150 millimetres.
func (s *Simulator) label(w http.ResponseWriter, r *http.Request) {
	tracking, ok := strings.CutSuffix(r.PathValue("file"), ".pdf")
	p, err := s.Parcel(r.Context(), tracking)
	if !ok || err != nil {
		if err == nil {
			err = models.NoSuchThing.New("there is no such label")
		}
		sandbox.Answer(w, 0, nil, err)
		return
	}
	pdf := fpdf.NewCustom(&fpdf.InitType{UnitStr: "mm", Size: fpdf.SizeType{Wd: 100, Ht: 150}})
	latin := pdf.UnicodeTranslatorFromDescriptor("")
	pdf.AddPage()
	pdf.SetFont("Helvetica", "B", 16)
	pdf.MultiCell(0, 8, latin(Name+" · "+p.Service), "B", "L", false)
	pdf.Ln(6)
	pdf.SetFont("Helvetica", "", 14)
	for _, line := range p.To.Lines() {
		pdf.MultiCell(0, 7, latin(line), "", "L", false)
	}
	pdf.Ln(6)
	pdf.SetFont("Courier", "B", 16)
	pdf.MultiCell(0, 10, p.TrackingNumber, "1", "C", false)
	pdf.SetFont("Helvetica", "", 9)
	pdf.MultiCell(0, 6, latin(p.Reference), "", "C", false)
	w.Header().Set("Content-Type", "application/pdf")
	_ = pdf.Output(w) // the client may be gone
}

// handleAPI mounts the API of package wire.
func (s *Simulator) handleAPI(mux *http.ServeMux) {
	handle := func(pattern string, status int, call func(w http.ResponseWriter, r *http.Request) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+root+"/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			if !s.admitted(r) {
				refuse(w, http.StatusUnauthorized, wire.Unauthenticated)
				return
			}
			answer, err := call(w, r)
			if err != nil {
				code := codeOf(err)
				refuse(w, statusOf[code], code)
				return
			}
			sandbox.Answer(w, status, answer, nil)
		})
	}
	handle("POST labels", http.StatusCreated, func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in wire.LabelRequest
		if err := sandbox.Read(w, r, &in); err != nil {
			return nil, err
		}
		label, err := s.BuyLabel(r.Context(), carrier.LabelRequest{IdempotencyKey: r.Header.Get("Idempotency-Key"),
			Reference: in.Reference, To: in.To.Address(), Service: carrier.Service(in.Service)})
		return wire.Label{ID: label.Ref, TrackingCode: label.TrackingNumber, Carrier: label.Carrier, LabelURL: label.URL, Status: "purchased"}, err
	})
	handle("POST labels/{ref}/void", http.StatusOK, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		ref := r.PathValue("ref")
		return wire.Label{ID: ref, Status: "voided"}, s.VoidLabel(r.Context(), r.Header.Get("Idempotency-Key"), ref)
	})
	handle("GET trackers/{tracking}", http.StatusOK, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		events, err := s.Track(r.Context(), r.PathValue("tracking"))
		tracker := wire.Tracker{TrackingCode: r.PathValue("tracking"), Events: []wire.Event{}}
		for _, e := range events {
			tracker.Events = append(tracker.Events, wireEvent(e))
		}
		return tracker, err
	})
}

func (s *Simulator) admitted(r *http.Request) bool {
	want := s.config.APIKey.Reveal()
	given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	return want == "" || subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}

var statusOf = map[string]int{
	wire.AddressInvalid: http.StatusUnprocessableEntity,
	wire.KeyReused:      http.StatusConflict,
	wire.KeyMissing:     http.StatusBadRequest,
	wire.StateForbidden: http.StatusConflict,
	wire.NotFound:       http.StatusNotFound,
	wire.RequestInvalid: http.StatusBadRequest,
	wire.Unavailable:    http.StatusServiceUnavailable,
}

func codeOf(err error) string {
	switch {
	case errors.Is(err, carrier.AddressRefused):
		return wire.AddressInvalid
	case errors.Is(err, models.IdempotencyKeyReused):
		return wire.KeyReused
	case errors.Is(err, models.IdempotencyKeyMissing):
		return wire.KeyMissing
	case errors.Is(err, models.StateForbids):
		return wire.StateForbidden
	case errors.Is(err, models.NoSuchThing):
		return wire.NotFound
	case errors.Is(err, models.InvalidRequest):
		return wire.RequestInvalid
	default:
		return wire.Unavailable
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	var failure wire.Failure
	failure.Error.Code, failure.Error.Message = code, fmt.Sprintf("refused: %s", code)
	sandbox.Answer(w, status, failure, nil)
}
