package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Access says who may call an operation at all; finer rights are the service's.
type Access string

// The kinds of access. The zero value is refused at start-up.
const (
	Public     Access = "public"      // anybody; no authorizer runs
	Optional   Access = "optional"    // anybody; the authorizer runs, and its finding is used
	User       Access = "user"        // any signed-in user
	SuperAdmin Access = "super_admin" // role ADMIN or, where Lendable, a delegate
)

// Action is a kind of DynamoDB access, named as IAM names it.
type Action string

// The actions an operation can declare. Scan is not among them: no request may cause one.
const (
	GetItem        Action = "GetItem"
	BatchGetItem   Action = "BatchGetItem"
	Query          Action = "Query"
	PutItem        Action = "PutItem"
	UpdateItem     Action = "UpdateItem"
	DeleteItem     Action = "DeleteItem"
	ConditionCheck Action = "ConditionCheckItem"
)

// Use is one way an operation uses the table: actions on keys of a pattern.
// The IAM policy of its function is generated from these (dynamodb:LeadingKeys).
type Use struct {
	Actions []Action
	Keys    string // leading key pattern, e.g. "USER#*"
	Index   bool   // the pattern is of GSI1's partition key
}

// On is a use of the table's items whose partition keys match a pattern.
func On(keys string, actions ...Action) Use { return Use{Actions: actions, Keys: keys} }

// OnIndex is a use of the index, by its partition keys.
func OnIndex(keys string, actions ...Action) Use {
	return Use{Actions: actions, Keys: keys, Index: true}
}

// Spec is what an operation says of itself.
type Spec struct {
	ID          string // kebab-case; the name of its function, e.g. "auth-login"
	Method      string
	Path        string
	Summary     string // one sentence
	Description string // more, for the reference; may be empty
	Tag         string
	Access      Access
	Lendable    bool // SuperAdmin: an unexpired platform delegation will do
	Status      int  // of success; 0 means 200
	Table       []Use
	Hashes      bool     // computes a password hash: memory and concurrency follow
	Sends       bool     // writes mail to the outbox
	Audit       []string // types of the events it writes
	MaxBody     int64    // bytes; 0 means 64 KiB
	Requests    int      // most requests to the store that a warm, successful call makes
	ReadUnits   float64  // most read request units of a cold, successful call, as test/cost makes it
	WriteUnits  float64  // the same in write request units
	HTML        bool     // may answer with a page to a browser
	Forms       Forms    // what a handler that encodes its own body answers, beside a page
	Cookies     bool     // sets or clears the session cookies
	Secrets     bool     // needs the key ring's private part
	Seals       bool     // seals the secret of an authenticator app (kms:Encrypt where AWS KMS does it)
	Opens       bool     // opens one (kms:Decrypt)
	Local       bool     // exists on the single machine only
	Interop     bool     // an outside standard fixes its form: a body that breaks it is 400, the client's X-Request-ID comes back
	Event       Event    // the sample for events/ and for tests
}

// Forms are the media types of a body that the handler encodes itself, each
// with a value of the type that it carries.
type Forms map[string]any

// Event is a sample request of an operation.
type Event struct {
	Params map[string]string // path parameters
	Query  string            // raw query string
	Body   any               // JSON body; nil for none
}

// interopKey marks an Interop operation for huma's error hook.
const interopKey = "interop"

// RouteKey is the route as API Gateway names it: "POST /api/auth/login".
func (s *Spec) RouteKey() string { return s.Method + " " + s.Path }

// Writes reports whether the operation's method may change state.
func (s *Spec) Writes() bool { return s.Method != http.MethodGet }

// Operation is a declared operation bound to its handler.
type Operation struct {
	Spec
	register func(huma.API)
}

// New declares an operation. In and Out follow huma's conventions: path, query
// and Body fields with validation tags; Out's Body is the answer. A handler's
// error reaches the client as the problem of its fault.
func New[In, Out any](spec Spec, handler func(context.Context, *In) (*Out, error)) Operation {
	if spec.Status == 0 {
		spec.Status = http.StatusOK
	}
	if spec.MaxBody == 0 {
		spec.MaxBody = 64 << 10
	}
	op := Operation{Spec: spec}
	op.register = func(a huma.API) {
		huma.Register(a, huma.Operation{
			OperationID: spec.ID, Method: spec.Method, Path: spec.Path,
			Summary: spec.Summary, Description: spec.Description, Tags: []string{spec.Tag},
			DefaultStatus: spec.Status, MaxBodyBytes: spec.MaxBody, BodyReadTimeout: -1,
			RejectUnknownQueryParameters: true,
			Errors:                       spec.errorStatuses(),
			Security:                     spec.security(),
			Metadata:                     map[string]any{interopKey: spec.Interop},
		}, func(ctx context.Context, in *In) (*Out, error) {
			out, err := handler(ctx, in)
			if err != nil {
				p := newProblem(ctx, err)
				if report, ok := ctx.Value(problemKey{}).(func(*Problem)); ok {
					report(p)
				}
				return nil, p
			}
			if out == nil {
				out = new(Out)
			}
			return out, nil
		})
	}
	return op
}

// errorStatuses lists the statuses a client must expect, for the document.
func (s *Spec) errorStatuses() []int {
	// Every request can be malformed (400: credentials, cookies) or carry a
	// parameter that the operation does not know (422), or too long a header (431).
	out := []int{http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusRequestHeaderFieldsTooLarge, http.StatusServiceUnavailable}
	if s.Writes() {
		out = append(out, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	// Writes may be cross-origin; who is known may lack the right, or the second
	// factor that the deployment asks of admins.
	if s.Writes() || s.Access != Public {
		out = append(out, http.StatusForbidden)
	}
	if s.Access != Public || strings.HasPrefix(s.Path, "/api/auth/") {
		out = append(out, http.StatusUnauthorized)
	}
	// A body may name somebody or something that is missing, too.
	if strings.Contains(s.Path, "{") || s.Writes() && (s.Access == User || s.Access == SuperAdmin) {
		out = append(out, http.StatusNotFound)
	}
	if s.Writes() {
		out = append(out, http.StatusConflict)
	}
	return out
}

func (s *Spec) security() []map[string][]string {
	either := []map[string][]string{{"bearer": {}}, {"cookie": {}}}
	switch s.Access {
	case User, SuperAdmin:
		return either
	case Optional:
		return append([]map[string][]string{{}}, either...)
	}
	return nil
}
