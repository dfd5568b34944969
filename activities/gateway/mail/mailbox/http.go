package mailbox

import (
	_ "embed"
	"html/template"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Path is where the mailbox is to be mounted.
const Path = "/sandbox/mailbox"

//go:embed pages.html
var pagesText string

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.Format("2 Jan 2006 15:04:05") },
}).Parse(pagesText))

// Handler serves everything under Path, as a page, or as JSON to who accepts application/json:
//
//	GET    /sandbox/mailbox?to=…&subject=…&since=<RFC 3339>&limit=…   the mails, newest first
//	GET    /sandbox/mailbox/messages/{id}                             one mail
//	GET    /sandbox/mailbox/messages/{id}/attachments/{n}             a file
//	GET    /sandbox/mailbox/messages/{id}/html                        its HTML alone
//	GET    /sandbox/mailbox/messages/{id}/raw                         message/rfc822
//	POST   /sandbox/mailbox/messages/{id}/events                      report {"type": "bounced", "status": "5.1.1"} of it
//	DELETE /sandbox/mailbox/messages                                  throw all away
//	POST, GET, DELETE /sandbox/mailbox/orders                         see sandbox.Order
//
// For example {"operation": "rcpt", "match": "ann@example.com", "effect": "refuse"} refuses the next mail to Ann for good, "fail" with
// "times": 3 defers it three times, and {"operation": "delivery", "match": "ann@example.com", "effect": "bounce", "delay": "2s"} takes it
// and lets it come back.
func (m *Mailbox) Handler() http.Handler {
	mux := http.NewServeMux()
	m.store.HandleOrders(mux, sandbox.Mailbox, m.operations)
	mux.HandleFunc("GET "+Path, m.list)
	mux.HandleFunc("GET "+Path+"/{$}", m.list)
	mux.HandleFunc("GET "+Path+"/messages/{id}", m.withMail(show))
	mux.HandleFunc("GET "+Path+"/messages/{id}/attachments/{n}", m.withMail(attachment))
	mux.HandleFunc("GET "+Path+"/messages/{id}/html", m.withMail(html))
	mux.HandleFunc("GET "+Path+"/messages/{id}/raw", m.withMail(raw))
	mux.HandleFunc("POST "+Path+"/messages/{id}/events", m.withMail(m.happen))
	mux.HandleFunc("DELETE "+Path+"/messages", func(w http.ResponseWriter, r *http.Request) {
		sandbox.Answer(w, http.StatusOK, struct{}{}, m.Clear(r.Context()))
	})
	return mux
}

func (m *Mailbox) list(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r)
	var mails []Mail
	if err == nil {
		mails, err = m.List(r.Context(), f)
	}
	if err != nil || wantsJSON(r) {
		sandbox.Answer(w, http.StatusOK, map[string]any{"messages": mails}, err)
		return
	}
	page(w, "list", map[string]any{"Mails": mails, "To": f.To, "Subject": f.Subject, "Path": Path})
}

func filterOf(r *http.Request) (f Filter, err error) {
	q := r.URL.Query()
	f.To, f.Subject = q.Get("to"), q.Get("subject")
	if since := q.Get("since"); since != "" {
		if f.Since, err = time.Parse(time.RFC3339, since); err != nil {
			return f, models.InvalidRequest.New("since is not an RFC 3339 time")
		}
	}
	if limit := q.Get("limit"); limit != "" {
		if f.Limit, err = strconv.Atoi(limit); err != nil || f.Limit < 1 {
			return f, models.InvalidRequest.New("limit is not a number above zero")
		}
	}
	return f, nil
}

func (m *Mailbox) withMail(serve func(http.ResponseWriter, *http.Request, Mail)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			err = models.NoSuchThing.New("there is no such mail")
		}
		var mail Mail
		if err == nil {
			mail, err = m.Get(r.Context(), id)
		}
		if err != nil {
			sandbox.Answer(w, 0, nil, err)
			return
		}
		serve(w, r, mail)
	}
}

func show(w http.ResponseWriter, r *http.Request, mail Mail) {
	if wantsJSON(r) {
		sandbox.Answer(w, http.StatusOK, mail, nil)
		return
	}
	page(w, "mail", map[string]any{"Mail": mail, "Path": Path})
}

func attachment(w http.ResponseWriter, r *http.Request, mail Mail) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(mail.Attachments) {
		sandbox.Answer(w, 0, nil, models.NoSuchThing.New("there is no such attachment"))
		return
	}
	a := mail.Attachments[n]
	serveFile(w, a.ContentType, mime.FormatMediaType("attachment", map[string]string{"filename": a.Name}), a.content)
}

func raw(w http.ResponseWriter, _ *http.Request, mail Mail) {
	serveFile(w, "message/rfc822", "", mail.raw)
}

// html shows what a stranger may have written: it runs no script and loads nothing.
func html(w http.ResponseWriter, _ *http.Request, mail Mail) {
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:")
	serveFile(w, "text/html; charset=utf-8", "", []byte(mail.HTML))
}

func serveFile(w http.ResponseWriter, kind, disposition string, content []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if disposition != "" {
		w.Header().Set("Content-Disposition", disposition)
	}
	_, _ = w.Write(content) // the client may be gone
}

func page(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'")
	_ = pages.ExecuteTemplate(w, name, data) // the client may be gone
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}
