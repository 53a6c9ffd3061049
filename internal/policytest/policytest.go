// Package policytest holds what tests do in one process to the policies of the
// functions that would do it when deployed. What a request does to the store is
// held to the generated policy of its route's function; a call that a policy
// refuses fails the test. Only tests import it.
package policytest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	openapi "github.com/lanyard-auth/lanyard/api"
	"github.com/lanyard-auth/lanyard/internal/kmstest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/mfa/kms"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// The functions that serve no route.
const (
	Authorizer = "authorizer"
	Mailer     = "mailer"
)

type grant struct {
	Actions, Keys []string
	Index         bool
}

// inventory is the part of api/operations.json that matters here.
type inventory struct {
	Authorizer, Mailer []grant
	Operations         []struct {
		ID, Method, Path string
		Policy           []grant
		Seals, Opens     bool
	}
}

func read(t testing.TB) *inventory {
	t.Helper()
	var v inventory
	if err := json.Unmarshal(openapi.Inventory, &v); err != nil {
		t.Fatal(err)
	}
	return &v
}

// Policies gives each function's policy from api/operations.json, which is what
// gets deployed, in the engine's form.
func Policies(t testing.TB) map[string]*localdynamo.Policy {
	t.Helper()
	inventory := read(t)
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
	out := map[string]*localdynamo.Policy{Authorizer: policy(inventory.Authorizer), Mailer: policy(inventory.Mailer)}
	for _, op := range inventory.Operations {
		out[op.ID] = policy(op.Policy)
	}
	return out
}

// Keys gives what each function may do with the keys of AWS KMS, as deployed.
func Keys(t testing.TB) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, op := range read(t).Operations {
		if op.Seals {
			out[op.ID] = append(out[op.ID], "Encrypt")
		}
		if op.Opens {
			out[op.ID] = append(out[op.ID], "Decrypt")
		}
	}
	return out
}

// functionKey is the context key of the function in whose name something is done.
type functionKey struct{}

// As says in whose name what follows is done; "" is the test itself, which may
// do everything.
func As(ctx context.Context, function string) context.Context {
	return context.WithValue(ctx, functionKey{}, function)
}

// Function gives the function in whose name something is done, "" for none.
func Function(ctx context.Context) string {
	name, _ := ctx.Value(functionKey{}).(string)
	return name
}

// Guard holds the clients of one store to policies.
type Guard struct {
	functions map[string]string // by route key
	routes    *http.ServeMux

	mu       sync.Mutex
	policies map[string]*localdynamo.Policy
	asked    func(function string, p localdynamo.Permission)
	called   func(function string, c localdynamo.Call)
	keys     map[string][]string // actions on KMS keys, by function
	keyUse   func(function string, c kmstest.Call)
	denied   []string
	expected bool // denials are what the test is about
}

// New puts a guard before a store. Where that is not the embedded engine, the
// guard lets everything through.
func New(t testing.TB, store *dynamotest.Store) *Guard {
	t.Helper()
	g := &Guard{policies: Policies(t), keys: Keys(t), functions: map[string]string{}, routes: http.NewServeMux()}
	for _, op := range read(t).Operations {
		route := op.Method + " " + op.Path
		g.routes.Handle(route, http.NotFoundHandler())
		g.functions[route] = op.ID
	}
	store.Restrict(func(ctx context.Context) *localdynamo.Policy {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.policies[Function(ctx)]
	}, func(ctx context.Context, p localdynamo.Permission) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.asked != nil {
			g.asked(Function(ctx), p)
		}
	}, func(ctx context.Context, c localdynamo.Call) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.called != nil {
			g.called(Function(ctx), c)
		}
		if c.Error == "AccessDeniedException" && !g.expected {
			g.denied = append(g.denied, fmt.Sprintf("%s in %s", c.Operation, Function(ctx)))
		}
	})
	// Registered before any server of the test, so run after its end.
	t.Cleanup(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, d := range g.denied {
			t.Errorf("a policy refuses %s: the operation declares too little", d)
		}
	})
	return g
}

// Serving gives the function that a request's route belongs to, "" for none.
func (g *Guard) Serving(r *http.Request) string {
	_, pattern := g.routes.Handler(r)
	return g.functions[pattern]
}

// Handler does each request in the name of its route's function.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(rw, r.WithContext(As(r.Context(), g.Serving(r))))
	})
}

// WithPolicy runs something under another policy of a function. Refusals are no
// failures of the test meanwhile: they are what it is about.
func (g *Guard) WithPolicy(function string, p *localdynamo.Policy, run func()) {
	set := func(p *localdynamo.Policy, expected bool) (before *localdynamo.Policy) {
		g.mu.Lock()
		defer g.mu.Unlock()
		before = g.policies[function]
		g.policies[function], g.expected = p, expected
		return before
	}
	before := set(p, true)
	defer set(before, false)
	run()
}

// DecideKey holds calls of KMS to policies: to what the function in whose name
// they are made declares, and to the encryption context in its statement.
func (g *Guard) DecideKey(ctx context.Context, c kmstest.Call) kmstest.Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	function := Function(ctx)
	if g.keyUse != nil {
		g.keyUse(function, c)
	}
	bound := len(c.Context) == 2 && c.Context[kms.ContextPurpose] == kms.PurposeTOTP && c.Context[kms.ContextUser] != ""
	if function == "" || bound && slices.Contains(g.keys[function], c.Action) {
		return kmstest.None
	}
	if !g.expected {
		g.denied = append(g.denied, fmt.Sprintf("kms:%s in %s, context %v", c.Action, function, c.Context))
	}
	return kmstest.Denied
}

// WithoutKey runs something without an action on KMS keys in a function's
// policy. Refusals are no failures of the test meanwhile.
func (g *Guard) WithoutKey(function, action string, run func()) {
	set := func(actions []string, expected bool) (before []string) {
		g.mu.Lock()
		defer g.mu.Unlock()
		before = g.keys[function]
		g.keys[function], g.expected = actions, expected
		return before
	}
	g.mu.Lock()
	less := slices.DeleteFunc(slices.Clone(g.keys[function]), func(a string) bool { return a == action })
	g.mu.Unlock()
	before := set(less, true)
	defer set(before, false)
	run()
}

// OnKey has f told of every call of KMS; nil ends that.
func (g *Guard) OnKey(f func(function string, c kmstest.Call)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keyUse = f
}

// OnPermission has f told of every permission that a function uses; nil ends that.
func (g *Guard) OnPermission(f func(function string, p localdynamo.Permission)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = f
}

// OnCall has f told of every call to the store that is over, and in whose name
// it was made; nil ends that.
func (g *Guard) OnCall(f func(function string, c localdynamo.Call)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.called = f
}
