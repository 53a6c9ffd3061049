package permission_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// samples gives, for every operation, a request that an admin may make as often
// as they like.
func (w *world) samples() map[string]func() (path string, body any) {
	e, d, admin := w.entities[2], w.documents[0], w.admins[0]
	question := tuple{"subject": user(w.people["granted"]), "action": act("view"), "resource": thing("entity", e)}
	return map[string]func() (path string, body any){
		"entities-list": func() (string, any) { return "/api/organizations/" + w.orgs[0] + "/entities?type=boat", nil },
		"entities-create": func() (string, any) {
			return "/api/organizations/" + w.orgs[0] + "/entities", tuple{"type": "b", "name": "b"}
		},
		"entities-get":              func() (string, any) { return "/api/entities/" + e, nil },
		"entities-change":           func() (string, any) { return "/api/entities/" + e, tuple{"name": "x", "attributes": tuple{"a": 1}} },
		"entities-delete":           func() (string, any) { return "/api/entities/" + w.Entity(admin, w.orgs[0], "b", "b"), nil },
		"entities-permissions-list": func() (string, any) { return "/api/entities/" + e + "/permissions", nil },
		"entities-permissions-grant": func() (string, any) {
			return "/api/entities/" + e + "/permissions", tuple{"userId": w.Member(w.orgs[0], access.RoleMember), "level": "viewer"}
		},
		"entities-permissions-change": func() (string, any) {
			return "/api/entities/" + e + "/permissions/" + w.people["granted"], tuple{"level": "viewer", "expiresAt": w.Now().Add(time.Hour)}
		},
		"entities-permissions-revoke": func() (string, any) {
			u := w.Member(w.orgs[0], access.RoleMember)
			w.Grant(admin, e, u, "viewer")
			return "/api/entities/" + e + "/permissions/" + u, nil
		},
		"documents-list":        func() (string, any) { return "/api/entities/" + e + "/documents", nil },
		"documents-create":      func() (string, any) { return "/api/entities/" + e + "/documents", tuple{"title": "t"} },
		"documents-get":         func() (string, any) { return "/api/documents/" + d, nil },
		"documents-change":      func() (string, any) { return "/api/documents/" + d, tuple{"content": "x"} },
		"documents-delete":      func() (string, any) { return "/api/documents/" + w.Document(admin, e, "t"), nil },
		"documents-shares-list": func() (string, any) { return "/api/documents/" + d + "/shares", nil },
		"documents-shares-create": func() (string, any) {
			return "/api/documents/" + d + "/shares", tuple{"userId": w.User(), "level": "viewer"}
		},
		"documents-shares-revoke": func() (string, any) {
			u := w.User()
			w.Share(admin, d, u, "viewer")
			return "/api/documents/" + d + "/shares/" + u, nil
		},
		"permissions-check": func() (string, any) {
			return "/api/permissions/check", tuple{"userId": w.people["granted"], "checks": []tuple{{"entityId": e, "action": "view"}, {"documentId": d, "action": "view"}}}
		},
		"permissions-explain": func() (string, any) {
			return "/api/permissions/explain", tuple{"documentId": d, "action": "view", "userId": w.people["granted"]}
		},
		"permissions-entities": func() (string, any) { return "/api/permissions/entities?action=view&limit=5", nil },
		"authzen-evaluation":   func() (string, any) { return "/access/v1/evaluation", question },
		"authzen-evaluations":  func() (string, any) { return "/access/v1/evaluations", tuple{"evaluations": []tuple{question}} },
		"authzen-search-resource": func() (string, any) {
			return "/access/v1/search/resource", tuple{"subject": user(admin), "action": act("view"), "resource": tuple{"type": "document"}, "page": tuple{"limit": 2}}
		},
		"authzen-search-action": func() (string, any) { return "/access/v1/search/action", question },
		"authzen-search-subject": func() (string, any) {
			return "/access/v1/search/subject", tuple{"subject": tuple{"type": "user"}, "action": act("view"), "resource": thing("document", d)}
		},
		"authzen-configuration": func() (string, any) { return "/.well-known/authzen-configuration", nil },
	}
}

// Every operation keeps to the table use and the number of requests it
// declares: the function's IAM policy and the documented cost are made from these.
func TestOperationsDoWhatTheyDeclare(t *testing.T) {
	w := newWorld(t)
	if w.Store.Engine == nil {
		t.Skip("needs the embedded engine's policies")
	}
	admin, requests := w.admins[0], w.samples()
	for _, op := range w.Operations {
		request, ok := requests[op.ID]
		if !ok {
			t.Errorf("%s has no sample request here", op.ID)
			continue
		}
		policy := &localdynamo.Policy{}
		for _, u := range op.Table {
			s := localdynamo.Statement{LeadingKeys: []string{u.Keys}}
			if u.Index {
				s.Index = table.IndexName
			}
			for _, a := range u.Actions {
				s.Actions = append(s.Actions, string(a))
			}
			policy.Statements = append(policy.Statements, s)
		}
		for _, who := range []string{admin, w.people["superadmin"], w.people["delegate"], w.people["granted"]} {
			path, body := request()
			// Once cold, held to the policy; the second request's reads come from the cache.
			w.Access.ForgetAll()
			held := w.Store.Engine.With(localdynamo.Mode{Policy: policy})
			w.Store.Transport.Intercept(func(r *http.Request, _ string, _ http.RoundTripper) (*http.Response, error) { return held.RoundTrip(r) })
			w.Store.Transport.Reset()
			status, raw := w.Raw(who, op.Method, path, body)
			calls := w.Store.Transport.Calls()
			w.Store.Transport.Intercept(nil)
			if status >= 500 {
				t.Errorf("%s: %d %s", op.ID, status, raw)
			}
			if who != admin {
				continue
			}
			if status >= 300 {
				t.Errorf("%s: %d %s", op.ID, status, raw)
			}
			if op.Method == "GET" {
				w.Store.Transport.Reset()
				w.Want(200, who, op.Method, path, body, nil)
				calls = w.Store.Transport.Calls()
			}
			if calls > op.Requests {
				t.Errorf("%s takes %d requests, and declares %d", op.ID, calls, op.Requests)
			}
		}
	}
}

// Wherever the store fails, the answer is that it failed: nothing is allowed,
// nothing shown, and what was asked for is not half done.
func TestAFailureOfTheStoreIsNeverAnAnswer(t *testing.T) {
	w := newWorld(t)
	admin, requests := w.admins[0], w.samples()
	for _, op := range w.Operations {
		for _, who := range []string{admin, w.people["superadmin"]} {
			for n := 1; n < 60; n++ {
				path, body := requests[op.ID]()
				w.Access.ForgetAll()
				var left atomic.Int64
				var failed atomic.Bool
				left.Store(int64(n))
				w.Store.Transport.Intercept(func(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
					if left.Add(-1) > 0 {
						return next.RoundTrip(r)
					}
					failed.Store(true)
					return refusedByStore(), nil
				})
				status, raw := w.Raw(who, op.Method, path, body)
				w.Store.Transport.Intercept(nil)
				if !failed.Load() {
					break
				}
				if status < 500 || strings.Contains(string(raw), "items") || strings.Contains(string(raw), "results") {
					t.Errorf("%s, with request %d refused: %d %s", op.ID, n, status, raw)
				}
			}
		}
	}
}

// refusedByStore is an answer of the store that is not worth trying again for.
func refusedByStore() *http.Response {
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(`{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException","message":"no"}`)),
	}
}
