package api

import (
	"bytes"
	"context"
	_ "embed" // the page
	"html/template"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"tokendesk/api/gen"
	"tokendesk/internal/availability"
	"tokendesk/models"
)

// The page that the mails about an appointment lead to (PRF-6). It works without scripts; the secret of the link is in no address, so that neither a log
// nor a referrer has it: one script takes it from the fragment, and without that the person enters it.
var (
	//go:embed assets/appointment.html
	appointmentSource string
	//go:embed assets/appointment.js
	appointmentScript []byte

	appointmentTemplate = template.Must(template.New("appointment").Parse(appointmentSource))
)

const (
	appointmentPath   = "/appointment"
	appointmentPolicy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	maxForm           = 4 << 10 // bytes
	daysShown         = 7
)

// appointmentView is what the page shows. Without a token it asks for one.
type appointmentView struct {
	Token          models.Secret
	Note           string // what was done
	Wrong          string // what was not, and why
	When, Zone     string
	Changeable     bool
	Days           []slotDay
	Earlier, Later string // days to show instead
}

// slotDay is a day with its slots, on the clocks of the person's zone.
type slotDay struct {
	Day   string
	Slots []slotChoice
}

type slotChoice struct{ Value, Time string }

func (s *server) appointmentPages(e *gin.Engine) {
	e.GET(appointmentPath, func(c *gin.Context) { s.showAppointment(c, http.StatusOK, appointmentView{}) })
	e.GET("/appointment.js", page("text/javascript; charset=utf-8", "", appointmentScript))
	e.POST(appointmentPath, s.appointmentForm(func(c *gin.Context, token models.Secret, form url.Values) {
		s.lookAtAppointment(c, http.StatusOK, token, form.Get("from"), "")
	}))
	e.POST(appointmentPath+"/reschedule", s.appointmentForm(s.moveAppointment))
	e.POST(appointmentPath+"/cancel", s.appointmentForm(s.dropAppointment))
}

// appointmentForm reads a form of the page, whose token is all that it needs.
func (s *server) appointmentForm(serve func(*gin.Context, models.Secret, url.Values)) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), timeout)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxForm))
		form, malformed := url.ParseQuery(string(body))
		if err != nil || malformed != nil {
			s.showAppointment(c, http.StatusBadRequest, appointmentView{Wrong: "The form cannot be read."})
			return
		}
		serve(c, models.Secret(form.Get("token")), form)
	}
}

func (s *server) showAppointment(c *gin.Context, status int, v appointmentView) {
	var b bytes.Buffer
	if err := appointmentTemplate.Execute(&b, v); err != nil {
		s.abort(c, err)
		return
	}
	c.Header("Content-Security-Policy", appointmentPolicy)
	c.Data(status, mediaHTML, b.Bytes())
}

// lookAtAppointment shows the appointment of a link with the free slots of some days, and what went wrong, if anything has.
func (s *server) lookAtAppointment(c *gin.Context, status int, token models.Secret, from, wrong string) {
	a, err := s.Store.AppointmentByLink(c.Request.Context(), token)
	if err != nil {
		s.appointmentTrouble(c, err)
		return
	}
	zone, err := availability.Zone(a.Zone)
	if err != nil {
		s.appointmentTrouble(c, err)
		return
	}
	at := s.Clock()
	v := appointmentView{Token: token, Wrong: wrong, When: sessionTime(a.StartsAt.In(zone), a.EndsAt.In(zone)), Zone: a.Zone, Changeable: at.Before(a.StartsAt)}
	first, err := time.ParseInLocation(time.DateOnly, from, zone)
	if today := midnight(at.In(zone), 0); err != nil || first.Before(today) {
		first = today
	} else if first.After(today) {
		v.Earlier = midnight(first, -daysShown).Format(time.DateOnly)
	}
	end := midnight(first, daysShown)
	list, err := s.slotsFor(c.Request.Context(), a, &first, &end)
	if err != nil {
		s.appointmentTrouble(c, err)
		return
	}
	v.Days, v.Later = daysOf(list.Items), end.Format(time.DateOnly)
	s.showAppointment(c, status, v)
}

func midnight(day time.Time, later int) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day()+later, 0, 0, 0, 0, day.Location())
}

func sessionTime(starts, ends time.Time) string {
	return starts.Format("Monday, 2 January 2006, 15:04") + "–" + ends.Format("15:04") + starts.Format(" (UTC-07:00)")
}

func daysOf(slots []gen.Slot) (days []slotDay) {
	for _, slot := range slots {
		name := slot.StartsAt.Format("Monday, 2 January 2006")
		if len(days) == 0 || days[len(days)-1].Day != name {
			days = append(days, slotDay{Day: name})
		}
		last := &days[len(days)-1]
		last.Slots = append(last.Slots, slotChoice{slot.StartsAt.Format(time.RFC3339), slot.StartsAt.Format("15:04")})
	}
	return days
}

func (s *server) moveAppointment(c *gin.Context, token models.Secret, form url.Values) {
	startsAt, err := time.Parse(time.RFC3339, form.Get("starts_at"))
	if err != nil {
		s.lookAtAppointment(c, http.StatusUnprocessableEntity, token, "", "Choose one of the slots.")
		return
	}
	a, err := s.Store.RescheduleByLink(c.Request.Context(), token, startsAt, s.Keyring, s.Clock())
	if err != nil {
		s.notMoved(c, token, startsAt, err)
		return
	}
	v := viewAppointment(a, false)
	s.showAppointment(c, http.StatusOK, appointmentView{Note: "Your session is on " + sessionTime(v.StartsAt, v.EndsAt) + ", " + a.Zone +
		". A mail with the new invitation, and a new link to change it, is on its way."})
}

// notMoved shows the slots that are left where the chosen one is gone.
func (s *server) notMoved(c *gin.Context, token models.Secret, startsAt time.Time, err error) {
	f := faultOf(err)
	switch f.Type {
	case models.SlotTaken, models.SlotNotOffered, models.SlotInPast:
		s.lookAtAppointment(c, statusOf(f.Type), token, startsAt.Format(time.DateOnly), f.Type.Title+". Please choose another one.")
	default:
		s.appointmentTrouble(c, err)
	}
}

func (s *server) dropAppointment(c *gin.Context, token models.Secret, _ url.Values) {
	if err := s.Store.CancelByLink(c.Request.Context(), token, s.Clock()); err != nil {
		s.appointmentTrouble(c, err)
		return
	}
	s.showAppointment(c, http.StatusOK, appointmentView{Note: "Your session is cancelled. To choose another slot, log in."})
}

// appointmentTrouble says what went wrong, and asks for the code of the newest mail.
func (s *server) appointmentTrouble(c *gin.Context, err error) {
	f := faultOf(err)
	if f.Type.Kind == models.Internal {
		s.abort(c, err) // which logs it
		return
	}
	text := f.Type.Title + "."
	if f.Type.Next != "" {
		text += " Please " + f.Type.Next + "."
	}
	s.showAppointment(c, statusOf(f.Type), appointmentView{Wrong: text})
}
