package operator_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Every operation, with every one of its requests to the store failing in turn,
// answers 503; role, fact and counter stay together.
func TestAStoreThatFailsLetsNothingThroughAndNothingHalfDone(t *testing.T) {
	w := newWorldOn(t, dynamotest.NewWith(t, localdynamo.Options{TTLEvery: -1}, table.Options{MaxAttempts: 1}))
	root := w.root("root")
	all := []string{root}
	for _, after := range []bool{false, true} {
		for op := range len(routes("", "")) + 1 {
			for n := 1; ; n++ {
				if n > 400 {
					t.Fatal("an operation makes more than 400 requests")
				}
				name := fmt.Sprintf("u-%v-%d-%d", after, op, n)
				target := w.root(name)
				all = append(all, target)
				id := newID(t)
				w.put(facts.NewDelegation(id, target, access.ScopePlatform, root, "r", w.clock(), w.clock()),
					struct {
						table.Key
						User  string `dynamo:"user"`
						Scope string `dynamo:"scope"`
					}{table.DelegationID(id), target, access.ScopePlatform})
				var met atomic.Int64 // lists read several shards at once
				w.store.Transport.Intercept(func(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
					if met.Add(1) != int64(n) {
						return next.RoundTrip(r)
					}
					if after {
						if res, err := next.RoundTrip(r); err == nil {
							_ = res.Body.Close()
						}
					}
					return nil, errors.New("connection lost")
				})
				var got answer
				if op < len(routes("", "")) {
					r := routes(target, id)[op]
					if r.method == "PUT" {
						r.body = map[string]any{"role": "USER", "reason": "r"}
					}
					if r.path == "/api/admin/audit" {
						r.path += "?from=" + w.clock().Add(-time.Hour).Format(time.RFC3339)
					}
					got = w.do(root, r.method, r.path, r.body)
				} else {
					got = w.do(root, "GET", "/api/users?email="+name+"@example.com&username="+name, nil)
				}
				w.store.Transport.Intercept(nil)
				if met.Load() < int64(n) {
					if got.status >= 300 {
						t.Errorf("operation %d without a failure: %+v", op, got)
					}
					break
				}
				if got.status != http.StatusServiceUnavailable {
					t.Errorf("operation %d, request %d, after %v: %+v", op, n, after, got)
				}
				if n > 30 { // a page of many shards: the rest is alike
					break
				}
			}
		}
	}
	if n := w.admins(all...); n[0] != n[1] || n[1] != n[2] {
		t.Errorf("by state, fact, counter: %v", n)
	}
}
