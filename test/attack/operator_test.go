package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/catalogtest"
)

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// cancelled is DynamoDB's answer to a transaction that met another.
func cancelled(r *http.Request) *http.Response {
	body := `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"Transaction cancelled","CancellationReasons":[{"Code":"TransactionConflict","Message":"conflict"}]}`
	return &http.Response{
		StatusCode: http.StatusBadRequest, Request: r, ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(bytes.NewReader([]byte(body))),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
	}
}

func operatorAttacks() []attack {
	return []attack{
		{"M1", "lent power names who uses it and ends", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			until := s.Clock.Now().Add(10 * time.Minute)
			s.Root.Post("/api/admin/delegations", m{"userId": s.Spare.UserID, "scope": "platform", "reason": "cover", "expiresAt": until.Format(time.RFC3339)}).Want(201)
			s.Spare.Get("/api/organizations/" + s.Organization).Want(200)
			s.Spare.Post("/api/users/"+s.Member.UserID+"/suspend", m{"reason": "seen"}).Want(204)
			trail := string(s.Root.Get("/api/admin/audit").Want(200).Raw)
			if !strings.Contains(trail, s.Spare.UserID) || !strings.Contains(trail, s.Member.UserID) || !strings.Contains(trail, "user.suspended") {
				t.Error("the trail does not name both")
			}
			if me := s.Spare.Get("/api/auth/me").Want(200); me.Text("id") != s.Spare.UserID || me.Text("role") != "USER" {
				t.Errorf("me %s", me.Raw)
			}
			s.Owner.Get("/api/auth/me").Want(200)
			s.Clock.Advance(11 * time.Minute)
			s.Spare.Get("/api/organizations/"+s.Organization).Problem(404, "not_found")
			s.Spare.Get("/api/users").Problem(403, "forbidden")
		}},
		{"M2", "what lent power may not do", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			until := s.Clock.Now().Add(time.Hour).Format(time.RFC3339)
			s.Root.Post("/api/admin/delegations", m{"userId": s.Spare.UserID, "scope": "platform", "reason": "cover", "expiresAt": until}).Want(201)
			s.Spare.Get("/api/users").Want(200) // the control: it is in force
			before := rows(t, s.World)
			for _, r := range s.Requests() {
				switch r.Operation {
				case "users-role", "admin-delegations-create", "admin-delegations-revoke", "admin-delegations-list":
					r.By = s.Spare
					if a := r.Do(); a.Status != 403 {
						t.Errorf("%s by a delegate: %d %s", r.Operation, a.Status, a.Raw)
					}
				}
			}
			s.Spare.Patch("/api/users/"+s.Member.UserID, m{"emailVerified": true, "email": "mine@example.com"}).Problem(422, "validation_failed")
			s.Spare.Patch("/api/users/"+s.Member.UserID, m{"password": other}).Problem(422, "validation_failed")
			s.Spare.Delete("/api/admin/audit", nil).Problem(405, "method_not_allowed")
			s.Spare.Post("/api/users/"+s.Root.UserID+"/suspend", m{"reason": "x"}).Want(403)
			s.Spare.Post("/api/users/"+s.Root.UserID+"/logout", m{"reason": "x"}).Want(403)
			unchanged(t, s.World, before, "a delegate")
		}},
		{"M4", "lent power over one organization", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			_, org, entity := foreigner(s)
			delegate := s.Stranger // lent s.Organization
			delegate.Get("/api/organizations/" + s.Organization).Want(200)
			for _, path := range []string{"/api/organizations/" + org, "/api/organizations/" + org + "/members", "/api/organizations/" + org + "/audit", "/api/entities/" + entity} {
				delegate.Get(path).Problem(404, "not_found")
			}
			delegate.Patch("/api/organizations/"+org, m{"name": "x"}).Problem(404, "not_found")
			delegate.Get("/api/users").Problem(403, "forbidden")
			delegate.Get("/api/admin/audit").Problem(403, "forbidden")
		}},
		{"M5", "no way to the first super admin over HTTP", false, func(t *testing.T, s *site) {
			w := s.start()
			for _, who := range [][2]string{{"admin", "admin"}, {"root", "root"}, {"admin", "password"}, {"administrator", "administrator"}} {
				w.Client().Post("/api/auth/login", m{"username": who[0], "password": who[1]}).Problem(401, "invalid_credentials")
				signIn(w.Client(), who[0]+"@example.com", who[1]).Problem(401, "invalid_credentials")
			}
			for _, path := range []string{"/api/admin/bootstrap", "/api/setup", "/setup", "/api/admin", "/api/admin/create", "/api/users/bootstrap"} {
				if a := w.Client().Post(path, m{}); a.Status != 404 && a.Status != 401 && a.Status != 405 {
					t.Errorf("%s: %d", path, a.Status)
				}
			}
			superAdmin(w) // the control: the command makes one, once an address
			got := together(8, func(int) bool {
				_, err := w.Services.Operators.Bootstrap(context.Background(), "root@example.com", other)
				return err == nil
			})
			if got[true] != 0 {
				t.Errorf("made again: %v", got)
			}
			signIn(w.Client(), "root@example.com", other).Problem(401, "invalid_credentials")
		}},
		{"M7", "roles that a request gives itself", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			for _, field := range []string{`"role":"ADMIN"`, `"superAdmin":true`, `"act":{"sub":"x"}`, `"status":"active"`, `"emailVerified":true`, `"isAdmin":true`, `"profile":{"role":"ADMIN"}`} {
				for path, body := range map[string]string{
					"/api/auth/register": `{"username":"self.made","password":"` + password + `",` + field + `}`,
					"/api/auth/login":    `{"email":"` + victim + `","password":"` + password + `",` + field + `}`,
				} {
					w.Client().Post(path, body).Problem(422, "validation_failed")
				}
				c.Patch("/api/auth/me", "{"+field+"}").Problem(422, "validation_failed")
			}
			if me := c.Get("/api/auth/me").Want(200); me.Text("role") != "USER" {
				t.Errorf("me %s", me.Raw)
			}
			c.Get("/api/users").Problem(403, "forbidden")
			superAdmin(w).Get("/api/users").Want(200)
		}},
		{"M8", "an operator and a user's password", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			for _, body := range []m{{"password": other}, {"newPassword": other}, {"passwordHash": "x"}, {"mfaEnabled": false}} {
				s.Root.Patch("/api/users/"+s.Member.UserID, body).Problem(422, "validation_failed")
			}
			for _, path := range []string{"/password", "/reset-password", "/mfa", "/sessions", "/impersonate"} {
				s.Root.Post("/api/users/"+s.Member.UserID+path, m{}).Problem(404, "not_found")
			}
			// A reset that anybody asks for goes to the user, and its answer is empty.
			a := s.Root.Post("/api/auth/forgot-password", m{"email": "member@example.com"}).Want(202)
			if len(bytes.TrimSpace(a.Raw)) > 2 {
				t.Errorf("the answer tells: %s", a.Raw)
			}
			reset(s.World, s.MailedToken("member@example.com"), other).Want(204)
			trail := string(s.Root.Get("/api/admin/audit").Want(200).Raw)
			for kind, secret := range s.Secrets {
				if strings.Contains(trail, secret) {
					t.Errorf("the %s is in the trail", kind)
				}
			}
		}},
	}
}
