// Package policies shows that each function's generated policy is enough and
// not more than enough. Scenarios reach every operation, under the policies as
// deployed; and for every single action on every single key pattern, some
// request of theirs comes out differently without it.
package policies

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/internal/policytest"
)

// need is one action on one key pattern in a function's policy.
type need struct{ function, action, index, pattern string }

func (n need) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", n.function, n.action, n.pattern, n.index))
}

// needs lists what a policy allows.
func needs(function string, p *localdynamo.Policy) []need {
	var out []need
	for _, s := range p.Statements {
		for _, a := range s.Actions {
			for _, k := range s.LeadingKeys {
				out = append(out, need{function, a, s.Index, k})
			}
		}
	}
	return out
}

// without is a policy that allows all but one need.
func without(p *localdynamo.Policy, n need) *localdynamo.Policy {
	out := &localdynamo.Policy{}
	for _, s := range p.Statements {
		for _, a := range s.Actions {
			keys := slices.Clone(s.LeadingKeys)
			if a == n.action && s.Index == n.index {
				keys = slices.DeleteFunc(keys, func(k string) bool { return k == n.pattern })
			}
			if len(keys) > 0 { // none would mean all
				out.Statements = append(out.Statements, localdynamo.Statement{Actions: []string{a}, LeadingKeys: keys, Index: s.Index})
			}
		}
	}
	return out
}

// findings are what the scenarios showed of all policies.
type findings struct {
	policies map[string]*localdynamo.Policy
	mu       sync.Mutex
	proven   map[need]bool
	spared   map[need]string // asked for, and its want changed nothing: by which request
}

// prover is a world in which every request, and every settling, is first tried
// without each permission that it uses and that nothing has proven yet.
type prover struct {
	*lanyardtest.World
	*findings
	items  *dynamodb.Client
	inner  http.Handler
	forget func() // what is known of users' facts
	busy   sync.Mutex
}

func (f *findings) start(t *testing.T, env string) *prover {
	t.Helper()
	settings := []string{"LANYARD_THROTTLE=on", "LANYARD_ACCESS_CACHE_TTL=0s", "LANYARD_SESSION_LIMIT=4", "LANYARD_LIMIT_FORGOT=12/15m", "LANYARD_LIMIT_RESEND=12/15m"}
	if env != "" {
		settings = append(settings, env)
	}
	w := lanyardtest.Start(t, settings...)
	if w.Store.Engine == nil {
		t.Skip("needs the embedded engine's policies")
	}
	checker, err := w.Assembly.Access()
	if err != nil {
		t.Fatal(err)
	}
	p := &prover{World: w, forget: checker.ForgetAll, findings: f, inner: w.Handler, items: dynamodb.NewFromConfig(dynamotest.Config(), func(o *dynamodb.Options) {
		o.BaseEndpoint, o.HTTPClient = aws.String("http://localhost"), &http.Client{Transport: w.Store.Engine.RoundTripper()}
	})}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	w.URL = server.URL
	return p
}

// ServeHTTP answers a request after it was tried.
func (p *prover) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	p.busy.Lock()
	defer p.busy.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.T.Error(err)
		return
	}
	answer := func() *httptest.ResponseRecorder {
		again := r.Clone(r.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		p.forget() // another execution environment
		p.inner.ServeHTTP(rec, again)
		return rec
	}
	var last *httptest.ResponseRecorder
	p.try(r.Method+" "+r.URL.Path, []string{p.Serving(r), policytest.Authorizer}, func() (ok bool) {
		last = answer()
		return last.Code < http.StatusInternalServerError
	})
	maps.Copy(rw.Header(), last.Header())
	rw.WriteHeader(last.Code)
	if _, err := rw.Write(last.Body.Bytes()); err != nil {
		p.T.Error(err)
	}
}

// settle is Settle after it was tried.
func (p *prover) settle() {
	p.T.Helper()
	p.busy.Lock()
	defer p.busy.Unlock()
	var err error
	p.try("settle", []string{policytest.Mailer}, func() bool {
		err = p.TrySettle()
		return err == nil
	})
	if err != nil {
		p.T.Fatal(err)
	}
}

func (p *prover) mailed(to string) string {
	p.T.Helper()
	p.settle()
	return p.MailedToken(to)
}

// done reports whether nothing of the functions' policies is left to prove.
func (f *findings) done(functions []string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, function := range functions {
		if p := f.policies[function]; p != nil && slices.ContainsFunc(needs(function, p), func(n need) bool { return !f.proven[n] }) {
			return false
		}
	}
	return true
}

// try runs something of some functions with all their permissions, then, from
// the same state of the table, without each of them that is new, and in the end
// with all again.
func (p *prover) try(what string, functions []string, run func() (ok bool)) {
	if p.done(functions) {
		run()
		return
	}
	before := p.snapshot()
	used := map[need]bool{}
	var mu sync.Mutex
	p.OnPermission(func(function string, perm localdynamo.Permission) {
		mu.Lock()
		defer mu.Unlock()
		for _, n := range needs(function, p.policies[function]) {
			if (localdynamo.Statement{Actions: []string{n.action}, LeadingKeys: []string{n.pattern}, Index: n.index}).Allows(perm) {
				used[n] = true
			}
		}
	})
	ok := run()
	p.OnPermission(nil)
	if !ok {
		return // the scenario's own check fails
	}
	after := p.snapshot()
	dirty := false
	for n := range used {
		p.mu.Lock()
		known := p.proven[n]
		p.mu.Unlock()
		if known {
			continue
		}
		p.restore(before)
		dirty = true
		p.WithPolicy(n.function, without(p.policies[n.function], n), func() { ok = run() })
		differs := !ok || !slices.Equal(keys(after), keys(p.snapshot()))
		p.mu.Lock()
		if differs {
			p.proven[n] = true
		} else {
			p.spared[n] = what
		}
		p.mu.Unlock()
	}
	if dirty {
		p.restore(before)
		run()
	}
}

type item = map[string]types.AttributeValue

func keyOf(it item) string {
	text := func(name string) string {
		s, ok := it[name].(*types.AttributeValueMemberS)
		if !ok {
			return ""
		}
		return s.Value
	}
	return text("PK") + " " + text("SK")
}

// keys gives the kinds of the items with the numbers in them: ids are new in
// every run, but the clock stands, and what is counted is counted again.
func keys(items map[string]item) []string {
	var out []string
	for k, it := range items {
		pk, sk, _ := strings.Cut(k, " ")
		kind, _, _ := strings.Cut(pk, "#")
		sort, _, _ := strings.Cut(sk, "#")
		if kind == sort { // an item that is its own partition
			sort = ""
		}
		line := kind + " " + strings.TrimRight(sort, "0123456789abcdef-")
		for _, name := range slices.Sorted(maps.Keys(it)) {
			if n, ok := it[name].(*types.AttributeValueMemberN); ok {
				line += " " + name + "=" + n.Value
			}
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// snapshot reads the whole table, past every policy.
func (p *prover) snapshot() map[string]item {
	p.T.Helper()
	out := map[string]item{}
	pages := dynamodb.NewScanPaginator(p.items, &dynamodb.ScanInput{TableName: aws.String(p.Store.Name()), ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			p.T.Fatalf("read the table: %v", err)
		}
		for _, it := range page.Items {
			out[keyOf(it)] = it
		}
	}
	return out
}

// restore puts the table back to what it was.
func (p *prover) restore(to map[string]item) {
	p.T.Helper()
	name := aws.String(p.Store.Name())
	var writes []types.WriteRequest
	for k, it := range p.snapshot() {
		if to[k] == nil {
			writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: item{"PK": it["PK"], "SK": it["SK"]}}})
		} else if !reflect.DeepEqual(to[k], it) {
			writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: to[k]}})
		}
	}
	now := p.snapshot()
	for k, it := range to {
		if now[k] == nil {
			writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
		}
	}
	for chunk := range slices.Chunk(writes, 25) {
		if _, err := p.items.BatchWriteItem(context.Background(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*name: chunk}}); err != nil {
			p.T.Fatalf("restore the table: %v", err)
		}
	}
}

func TestEveryPolicyIsEnoughAndNotMoreThanEnough(t *testing.T) {
	f := &findings{policies: policytest.Policies(t), proven: map[need]bool{}, spared: map[need]string{}}
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) { s.run(f.start(t, s.env)) })
	}
	if t.Failed() {
		return
	}
	total := 0
	for _, function := range slices.Sorted(maps.Keys(f.policies)) {
		for _, n := range needs(function, f.policies[function]) {
			total++
			switch why := f.spared[n]; {
			case f.proven[n]:
			case why != "":
				t.Errorf("%s: its want changed nothing in %s", n, why)
			default:
				t.Errorf("%s: nothing asks for it", n)
			}
		}
	}
	t.Logf("%d permissions of %d functions: each was missed when it was taken away", total, len(f.policies))
}
