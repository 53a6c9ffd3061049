package lanyardtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	openapi "github.com/lanyard-auth/lanyard/api"
	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/pkg/authorizer"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/standing"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Every world is one process, and still each function has only what it has when
// deployed: what a request does to the store is held to the generated policy of
// its route's function, what the authorizer does to the authorizer's, tasks and
// mail to the mailer's. A call that a policy refuses fails the test.

// The functions that serve no route.
const (
	AuthorizerFunction = "authorizer"
	MailerFunction     = "mailer"
)

// Policies gives each function's policy from api/operations.json, which is what
// gets deployed, in the engine's form.
func Policies(t testing.TB) map[string]*localdynamo.Policy {
	t.Helper()
	type grant struct {
		Actions, Keys []string
		Index         bool
	}
	var inventory struct {
		Authorizer, Mailer []grant
		Operations         []struct {
			ID     string
			Policy []grant
		}
	}
	if err := json.Unmarshal(openapi.Inventory, &inventory); err != nil {
		t.Fatal(err)
	}
	policy := func(grants []grant) *localdynamo.Policy {
		p := &localdynamo.Policy{}
		for _, g := range grants {
			s := localdynamo.Statement{Actions: g.Actions, LeadingKeys: g.Keys}
			if g.Index {
				s.Index = table.IndexName
			}
			p.Statements = append(p.Statements, s)
		}
		return p
	}
	out := map[string]*localdynamo.Policy{AuthorizerFunction: policy(inventory.Authorizer), MailerFunction: policy(inventory.Mailer)}
	for _, op := range inventory.Operations {
		out[op.ID] = policy(op.Policy)
	}
	return out
}

// functionKey is the context key of the function in whose name something is done.
type functionKey struct{}

// as says in whose name what follows is done; "" is the test itself.
func as(ctx context.Context, function string) context.Context {
	return context.WithValue(ctx, functionKey{}, function)
}

// Function gives the function in whose name something is done, "" for none.
func Function(ctx context.Context) string {
	name, _ := ctx.Value(functionKey{}).(string)
	return name
}

// policed holds the world's functions to their policies.
type policed struct {
	mu       sync.Mutex
	policies map[string]*localdynamo.Policy
	asked    func(function string, p localdynamo.Permission)
	called   func(function string, c localdynamo.Call)
	denied   []string
	expected bool // denials are what the test is about
}

func (w *World) police() {
	w.policed = &policed{policies: Policies(w.T)}
	p := w.policed
	w.Store.Restrict(func(ctx context.Context) *localdynamo.Policy {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.policies[Function(ctx)]
	}, func(ctx context.Context, perm localdynamo.Permission) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.asked != nil {
			p.asked(Function(ctx), perm)
		}
	}, func(ctx context.Context, c localdynamo.Call) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.called != nil {
			p.called(Function(ctx), c)
		}
		if c.Error == "AccessDeniedException" && !p.expected {
			p.denied = append(p.denied, fmt.Sprintf("%s in %s", c.Operation, Function(ctx)))
		}
	})
	// Registered before the server's end, so run after it.
	w.T.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, d := range p.denied {
			w.T.Errorf("a policy refuses %s: the operation declares too little", d)
		}
	})
}

// SetPolicy replaces a function's policy; with it, refusals are no failures of
// the test any more, since they are what it is about.
func (w *World) SetPolicy(function string, p *localdynamo.Policy) {
	w.policed.mu.Lock()
	defer w.policed.mu.Unlock()
	w.policed.policies[function], w.policed.expected = p, true
}

// OnPermission has f told of every permission that a function used.
func (w *World) OnPermission(f func(function string, p localdynamo.Permission)) {
	w.policed.mu.Lock()
	defer w.policed.mu.Unlock()
	w.policed.asked = f
}

// OnCall has f told of every call to the store that is over, and in whose name
// it was made.
func (w *World) OnCall(f func(function string, c localdynamo.Call)) {
	w.policed.mu.Lock()
	defer w.policed.mu.Unlock()
	w.policed.called = f
}

// inTheNameOf says for each request which function would have got it.
func inTheNameOf(next http.Handler) http.Handler {
	routes, functions := http.NewServeMux(), map[string]string{}
	for _, s := range Operations() {
		routes.Handle(s.RouteKey(), http.NotFoundHandler())
		functions[s.RouteKey()] = s.ID
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, pattern := routes.Handler(r)
		next.ServeHTTP(rw, r.WithContext(as(r.Context(), functions[pattern])))
	})
}

// checkedByAuthorizer lets the authorizer read in its own name.
type checkedByAuthorizer struct{ *standing.Checker }

// Check implements authorizer.Sessions.
func (c checkedByAuthorizer) Check(ctx context.Context, userID, sessionID string) (standing.Finding, error) {
	return c.Checker.Check(as(ctx, AuthorizerFunction), userID, sessionID)
}

var _ authorizer.Sessions = checkedByAuthorizer{}

// delivered hands mails on outside of the mailer: SES keeps them elsewhere.
type delivered struct {
	mail.Sender
	count *atomic.Int64
}

// Send implements mail.Sender.
func (d delivered) Send(ctx context.Context, m *mail.Mail) error {
	d.count.Add(1)
	return d.Sender.Send(as(ctx, ""), m)
}

// Sent gives how many mails were handed on so far.
func (w *World) Sent() int { return int(w.sent.Load()) }
