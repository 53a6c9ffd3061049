package lanyardtest_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/api"
)

// FuzzOperations sends any body, query and path part to any operation, as a
// super admin, so that nothing is refused for want of rights before it is read.
// No answer is an error of the server's.
func FuzzOperations(f *testing.F) {
	w := lanyardtest.Start(f)
	if _, err := w.Services.Operators.Bootstrap(f.Context(), "root@example.com", lanyardtest.Password); err != nil {
		f.Fatal(err)
	}
	root := w.Client()
	root.Login(map[string]any{"email": "root@example.com", "password": lanyardtest.Password})
	org := root.Post("/api/organizations", map[string]any{"name": "One"}).Want(201).Text("id")
	boat := root.Post("/api/organizations/"+org+"/entities", map[string]any{"type": "boat", "name": "One"}).Want(201).Text("id")
	var ops []api.Spec
	for _, op := range lanyardtest.Operations() {
		// These end the session that everything is sent with.
		if op.ID != "auth-logout" && op.ID != "auth-logout-all" && op.ID != "auth-sessions-end" {
			ops = append(ops, op)
		}
	}
	for i := range ops {
		for _, body := range []string{
			``, `{}`, `{"email":"a@example.com","password":"correct horse battery"}`, `{"name":"x","type":"boat","attributes":{"a":1}}`,
			`{"checks":[{"entityId":"` + boat + `","action":"view"}]}`, `{"refreshToken":"AQEAAQ"}`, `{"token":"lyr_x","newPassword":"correct horse battery"}`,
			`{"subject":{"type":"user","id":"` + root.UserID + `"},"resource":{"type":"entity","id":"` + boat + `"},"action":{"name":"view"},"page":{"token":"x"}}`,
		} {
			f.Add(uint8(i), body, "limit=1&cursor=AQ", org)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body, query, part string) {
		op := ops[int(which)%len(ops)]
		path := op.Path
		for strings.Contains(path, "{") {
			before, rest, _ := strings.Cut(path, "{")
			_, after, _ := strings.Cut(rest, "}")
			path = before + url.PathEscape(part) + after
		}
		r := httptest.NewRequestWithContext(t.Context(), op.Method, "/", bytes.NewReader([]byte(body)))
		u, err := url.Parse("http://127.0.0.1:8080" + path)
		if err != nil {
			t.Skip()
		}
		u.RawQuery = query
		r.URL, r.Host = u, u.Host
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+root.Access)
		rec := httptest.NewRecorder()
		w.Handler.ServeHTTP(rec, r)
		problem := strings.HasPrefix(rec.Header().Get("Content-Type"), "application/problem+json")
		if rec.Code >= http.StatusInternalServerError || rec.Code >= http.StatusBadRequest && !problem {
			t.Fatalf("%s with %q, query %q, part %q: %d %s", op.ID, body, query, part, rec.Code, rec.Body)
		}
	})
}
