package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// agentCaller is the agent who calls, with what it showed.
type agentCaller struct {
	models.Agent
	session     models.AgentSession // empty before the login
	certificate []byte              // its SHA-256
}

// part registers the operations of one listener; those of the other do not exist there.
type part struct {
	gin.IRouter
	has func(method, path string) bool
}

func (p part) handle(method, path string, handlers []gin.HandlerFunc) gin.IRoutes {
	if p.has(method, path) {
		p.Handle(method, path, handlers...)
	}
	return p
}

func (p part) GET(path string, h ...gin.HandlerFunc) gin.IRoutes {
	return p.handle(http.MethodGet, path, h)
}
func (p part) POST(path string, h ...gin.HandlerFunc) gin.IRoutes {
	return p.handle(http.MethodPost, path, h)
}
func (p part) PUT(path string, h ...gin.HandlerFunc) gin.IRoutes {
	return p.handle(http.MethodPut, path, h)
}
func (p part) PATCH(path string, h ...gin.HandlerFunc) gin.IRoutes {
	return p.handle(http.MethodPatch, path, h)
}
func (p part) DELETE(path string, h ...gin.HandlerFunc) gin.IRoutes {
	return p.handle(http.MethodDelete, path, h)
}

// serves reports whether an operation is one of this listener's.
func (s *server) serves(method, path string) bool {
	op := s.operations.find(method, path)
	return op != nil && op.agents == (s.Certificates != nil)
}

// authenticateAgent finds out which agent calls: by the connection's certificate, looked at anew, and a session that was opened with it.
func (s *server) authenticateAgent(r *http.Request, op *operation) (caller, error) {
	identity, err := s.Certificates.Identify(r.TLS, s.CodeClock())
	if err != nil {
		return caller{}, err
	}
	c := caller{Actor: models.Actor{ID: identity.AgentID, Role: models.RoleProofingAgent}, roles: []models.Role{models.RoleProofingAgent},
		agent: &agentCaller{certificate: identity.Certificate[:]}}
	if !op.bearer {
		return c, nil
	}
	token, err := bearer(r.Header)
	if err != nil {
		return caller{}, err
	}
	c.agent.Agent, c.agent.session, err = s.Store.AgentBySession(r.Context(), token, c.agent.certificate, s.Clock(), s.CodeClock())
	if err == nil && c.agent.ID != identity.AgentID {
		err = models.NotAuthenticated.New("the session is another agent's")
	}
	if err != nil {
		return caller{}, err
	}
	return c, nil
}

// StartAgentSession logs an agent in (PRF-8).
func (s *server) StartAgentSession(ctx context.Context, r gen.StartAgentSessionRequestObject) (gen.StartAgentSessionResponseObject, error) {
	c := callOf(ctx).caller
	token, session, err := s.Store.StartAgentSession(ctx, store.AgentLogin{AgentID: c.ID, Certificate: c.agent.certificate, Code: r.Body.Code},
		s.Keyring, s.Clock(), s.CodeClock())
	if err != nil {
		return nil, err
	}
	agent, err := s.Store.Agent(ctx, session.AgentID)
	if err != nil {
		return nil, err
	}
	return gen.StartAgentSession201JSONResponse{
		Headers: gen.StartAgentSession201ResponseHeaders{Location: "/v1/agent/session"},
		Body:    gen.StartedAgentSession{Token: token.Reveal(), Session: viewAgentSession(agent, session)},
	}, nil
}

// GetAgentSession shows the session that calls.
func (s *server) GetAgentSession(ctx context.Context, _ gen.GetAgentSessionRequestObject) (gen.GetAgentSessionResponseObject, error) {
	a := callOf(ctx).caller.agent
	return gen.GetAgentSession200JSONResponse(viewAgentSession(a.Agent, a.session)), nil
}

// EndAgentSession logs an agent out.
func (s *server) EndAgentSession(ctx context.Context, _ gen.EndAgentSessionRequestObject) (gen.EndAgentSessionResponseObject, error) {
	if err := s.Store.EndAgentSession(ctx, callOf(ctx).caller.agent.session, s.Clock()); err != nil {
		return nil, err
	}
	return gen.EndAgentSession204Response{}, nil
}

func viewAgentSession(a models.Agent, s models.AgentSession) gen.AgentSession {
	return gen.AgentSession{ID: s.ID, AgentID: a.ID, Name: a.Name, TimeZone: a.Zone, MayReview: a.MayReview, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt}
}
