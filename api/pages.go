package api

import (
	"bytes"
	_ "embed" // the pages
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"tokendesk/models"
)

// The reference page is Redoc (assets/redoc.LICENSE.txt), served from here: nothing is fetched from elsewhere.
var (
	//go:embed assets/redoc.standalone.js
	redoc []byte
	//go:embed assets/docs.html
	docsPage []byte
	//go:embed assets/problems.html
	problemsSource string

	problemsPage = template.Must(template.New("problems").Parse(problemsSource))
)

const (
	docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
		"connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'"
	textPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
	mediaHTML  = "text/html; charset=utf-8"
)

// pages serves what stands beside the operations: the specification, its reference page, and a page for each problem type.
func (s *server) pages(e *gin.Engine) {
	e.GET("/", func(c *gin.Context) { c.Redirect(http.StatusFound, "/docs") })
	e.GET("/openapi.yaml", page("application/yaml; charset=utf-8", "", specification))
	e.GET("/docs", page(mediaHTML, docsPolicy, docsPage))
	e.GET("/docs/redoc.js", page("text/javascript; charset=utf-8", "", redoc))
	e.GET("/problems", s.problems)
	e.GET("/problems/:slug", s.problems)
	if s.Certificates == nil {
		s.appointmentPages(e)
	}
}

func page(media, policy string, body []byte) gin.HandlerFunc {
	return func(c *gin.Context) {
		if policy != "" {
			c.Header("Content-Security-Policy", policy)
		}
		c.Header("Cache-Control", "public, max-age=300")
		c.Data(http.StatusOK, media, body)
	}
}

// problemType is what a page says of a problem type.
type problemType struct {
	Slug, Title, Next string
	Status            int
}

func (s *server) problems(c *gin.Context) {
	types := problemTypes()
	if slug := c.Param("slug"); slug != "" {
		types = slices.DeleteFunc(types, func(t problemType) bool { return t.Slug != slug })
	}
	if len(types) == 0 {
		s.abort(c, models.NoSuchThing.New("there is no such problem type"))
		return
	}
	var b bytes.Buffer
	if err := problemsPage.Execute(&b, types); err != nil {
		s.abort(c, err)
		return
	}
	page(mediaHTML, textPolicy, b.Bytes())(c)
}

func problemTypes() []problemType {
	var types []problemType
	for _, t := range models.FaultTypes() {
		types = append(types, problemType{t.Slug, t.Title, t.Next, statusOf(t)})
	}
	slices.SortFunc(types, func(a, b problemType) int { return strings.Compare(a.Slug, b.Slug) })
	return types
}
