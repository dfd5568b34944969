package api

import (
	_ "embed" // the specification and the pages
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"tokendesk/models"
)

//go:embed openapi.yaml
var specification []byte

// Bounds of a request.
const (
	maxBody      = 1 << 20          // bytes
	maxImport    = 16 << 20         // bytes, of a body that is no JSON
	maxAgentBody = 16 << 10         // bytes: nothing that an agent sends has room for an image (PRF-7)
	timeout      = 10 * time.Second // where the specification states no x-timeout-seconds
	leaseMargin  = 2 * time.Second  // a key is held a little longer than its call can last
)

// agentsTag marks what exists on the agents' listener only.
const agentsTag = "Agents"

// Who may call, where it is not a role.
const (
	anyone  = "anyone"
	gateway = "gateway" // proves itself by the signature of its message
)

// operation is one operation of the specification: the one source of what it takes and who may call it.
type operation struct {
	id, method, path string
	roles            []string
	events           []string // what it does to a thing: the event of a transition table, or an action: order.cancel
	keyed            bool     // needs an Idempotency-Key
	agents           bool     // exists on the agents' listener, and nowhere else
	bearer           bool     // needs a session or an API key
	temporary        bool     // open to whoever must change the password first
	parameters       []*openapi3.Parameter
	body             *openapi3.Schema // of a JSON body
	mediaTypes       []string         // none: no body
	secrets          []string         // members of its answers that are shown once (SEC-5)
	maxBody          int64
	timeout          time.Duration
}

func (o *operation) open() bool {
	return slices.Contains(o.roles, anyone) || slices.Contains(o.roles, gateway)
}
func (o *operation) allows(r models.Role) bool { return slices.Contains(o.roles, string(r)) }

// operations are the operations of the specification, by method and Gin path.
type operations map[string]*operation

func (o operations) find(method, path string) *operation { return o[method+" "+path] }

// loadOperations reads the specification, once: nobody changes what it says.
var loadOperations = sync.OnceValues(readOperations)

func readOperations() (operations, error) {
	doc, err := openapi3.NewLoader().LoadFromData(specification)
	if err != nil {
		return nil, fmt.Errorf("read the API's specification: %w", err)
	}
	all := operations{}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			op, err := newOperation(method, ginPath(path), item, o)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			all[op.method+" "+op.path] = op
		}
	}
	return all, nil
}

func newOperation(method, path string, item *openapi3.PathItem, o *openapi3.Operation) (*operation, error) {
	op := &operation{id: o.OperationID, method: method, path: path, maxBody: maxBody, timeout: timeout}
	roles, _ := o.Extensions["x-roles"].([]any)
	for _, r := range roles {
		op.roles = append(op.roles, fmt.Sprint(r))
	}
	if len(op.roles) == 0 {
		return nil, fmt.Errorf("x-roles is missing: nobody could call it")
	}
	op.events = eventsOf(o)
	op.agents = slices.Contains(o.Tags, agentsTag)
	op.bearer = o.Security == nil || slices.ContainsFunc(*o.Security, func(r openapi3.SecurityRequirement) bool { _, ok := r["bearer"]; return ok })
	if op.agents {
		op.maxBody = maxAgentBody
	}
	op.temporary, _ = o.Extensions["x-temporary-password"].(bool)
	if seconds, ok := o.Extensions["x-timeout-seconds"].(float64); ok {
		op.timeout = time.Duration(seconds) * time.Second
	}
	for _, p := range append(slices.Clone(item.Parameters), o.Parameters...) {
		op.parameters = append(op.parameters, p.Value)
		op.keyed = op.keyed || p.Value.Name == idempotencyKey
	}
	if o.RequestBody != nil {
		op.mediaTypes = slices.Sorted(maps.Keys(o.RequestBody.Value.Content))
		if media := o.RequestBody.Value.Content[mediaJSON]; media != nil {
			op.body = media.Schema.Value
		} else {
			op.maxBody = maxImport
		}
	}
	for _, response := range o.Responses.Map() {
		for _, media := range response.Value.Content {
			op.secrets = append(op.secrets, secretMembers(media.Schema)...)
		}
	}
	return op, nil
}

// eventsOf reads x-event: one event, or several.
func eventsOf(o *openapi3.Operation) (events []string) {
	switch e := o.Extensions["x-event"].(type) {
	case string:
		events = []string{e}
	case []any:
		for _, event := range e {
			events = append(events, fmt.Sprint(event))
		}
	}
	return events
}

// secretMembers names the members that the schema marks with x-secret.
func secretMembers(root *openapi3.SchemaRef) (names []string) {
	if root == nil {
		return nil
	}
	_ = root.WalkSubtree(func(_ string, ref *openapi3.SchemaRef) error { // the callback never fails
		for name, member := range ref.Value.Properties {
			if secret, _ := member.Value.Extensions["x-secret"].(bool); secret {
				names = append(names, name)
			}
		}
		return nil
	})
	return names
}

// ginPath writes /v1/orders/{order_number} as /v1/orders/:order_number.
func ginPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// performs reports whether one of the roles may perform the event through an operation; it is what allowed_actions is made of.
func (o operations) performs(event string, roles []models.Role) bool {
	for _, op := range o {
		if slices.Contains(op.events, event) && slices.ContainsFunc(roles, op.allows) {
			return true
		}
	}
	return false
}

// offer reports whether one of the roles may perform an event of that name, on whichever kind of thing: a refusal does not say which.
func (o operations) offer(event string, roles []models.Role) bool {
	for _, op := range o {
		named := slices.ContainsFunc(op.events, func(e string) bool { return strings.HasSuffix(e, "."+event) })
		if named && slices.ContainsFunc(roles, op.allows) {
			return true
		}
	}
	return false
}
