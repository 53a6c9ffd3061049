// Package catalogtest gives tests one tenant with everything in it and, for
// every operation of the catalogue, a request that succeeds there. What holds
// for all operations - under faults, for secrets, for other tenants - is tested
// by going through them. It knows how an operation is called, not what it does.
// Only tests import it.
package catalogtest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// NewPassword is what changes and resets set.
const NewPassword = "incorrect pony charger tack"

// Request is one request that succeeds in the state that New leaves.
type Request struct {
	Operation string
	Method    string
	Route     string // the operation's path, with its parameters' names
	Path      string // with their values
	Body      any    // nil for none
	By        *lanyardtest.Client
	Status    int
}

// Do sends it.
func (r Request) Do() *lanyardtest.Answer { return r.By.Do(r.Method, r.Path, r.Body) }

// Scenario is a world with a tenant in it.
type Scenario struct {
	*lanyardtest.World
	Root      *lanyardtest.Client // super admin
	Owner     *lanyardtest.Client // the organization's admin
	Member    *lanyardtest.Client // a member with a grant on the entity
	Stranger  *lanyardtest.Client // nobody's member, with a share of the document
	Spare     *lanyardtest.Client // nobody's member, holds nothing
	Guest     *lanyardtest.Client // the invited address
	App       *lanyardtest.Client // has an authenticator app
	Enrolling *lanyardtest.Client // has one that is not confirmed

	Organization, Entity, Document, Invitation, Delegation, Suspended string

	// Secrets are what must be nowhere but where the contract says, by kind.
	Secrets map[string]string

	requests []Request
}

type obj = map[string]any

// New makes a scenario; env are settings for lanyardtest.Start.
func New(t testing.TB, env ...string) *Scenario {
	t.Helper()
	s := &Scenario{World: lanyardtest.Start(t, env...), Secrets: map[string]string{"password": lanyardtest.Password, "new password": NewPassword}}
	if _, err := s.Services.Operators.Bootstrap(context.Background(), "root@example.com", lanyardtest.Password); err != nil {
		t.Fatal(err)
	}
	s.Root = s.Client()
	s.Root.Login(obj{"email": "root@example.com", "password": lanyardtest.Password})
	s.Owner = s.Registered("owner@example.com")
	s.Member = s.Registered("member@example.com")
	s.Stranger = s.Registered("stranger@example.com")
	s.Spare = s.Registered("spare@example.com")
	s.Guest = s.Registered("guest@example.com")
	s.tenant()
	s.operated()
	s.secondFactors()
	s.fill()
	s.keep("access token", s.Owner.Access)
	s.keep("refresh token", s.Owner.Refresh)
	s.keep("super admin's access token", s.Root.Access)
	return s
}

// Requests gives the request of every operation, in the catalogue's order.
func (s *Scenario) Requests() []Request { return s.requests }

// Request gives that of one operation.
func (s *Scenario) Request(operation string) Request {
	s.T.Helper()
	for _, r := range s.requests {
		if r.Operation == operation {
			return r
		}
	}
	s.T.Fatalf("no request for %s", operation)
	return Request{}
}

func (s *Scenario) keep(kind, secret string) {
	s.T.Helper()
	if len(secret) < 6 {
		s.T.Fatalf("no %s", kind)
	}
	s.Secrets[kind] = secret
}

func (s *Scenario) tenant() {
	s.Organization = s.Owner.Post("/api/organizations", obj{"name": "Coastal"}).Want(http.StatusCreated).Text("id")
	org := "/api/organizations/" + s.Organization
	s.Owner.Post(org+"/members", obj{"userId": s.Member.UserID, "role": "member"}).Want(http.StatusCreated)
	s.Entity = s.Owner.Post(org+"/entities", obj{"type": "boat", "name": "Aurora"}).Want(http.StatusCreated).Text("id")
	s.Owner.Post("/api/entities/"+s.Entity+"/permissions", obj{"userId": s.Member.UserID, "level": "viewer"}).Want(http.StatusCreated)
	s.Document = s.Owner.Post("/api/entities/"+s.Entity+"/documents", obj{"title": "Log"}).Want(http.StatusCreated).Text("id")
	s.Owner.Post("/api/documents/"+s.Document+"/shares", obj{"userId": s.Stranger.UserID, "level": "viewer"}).Want(http.StatusCreated)
	s.Invitation = s.Owner.Post(org+"/invitations", obj{"email": "guest@example.com", "role": "viewer"}).Want(http.StatusCreated).Text("id")
	s.keep("invitation token", s.MailedToken("guest@example.com"))
}

// operated makes what operators act on.
func (s *Scenario) operated() {
	out := s.Registered("suspended@example.com")
	s.Suspended = out.UserID
	s.Root.Post("/api/users/"+s.Suspended+"/suspend", obj{"reason": "asked"}).Want(http.StatusNoContent)
	s.Delegation = s.Root.Post("/api/admin/delegations", obj{
		"userId": s.Stranger.UserID, "scope": s.Organization, "reason": "cover", "expiresAt": s.Clock.Now().Add(24 * time.Hour).Format(time.RFC3339),
	}).Want(http.StatusCreated).Text("id")
}

// secondFactors makes the users with an app, and what mail brings.
func (s *Scenario) secondFactors() {
	s.Enrolling = s.Registered("enrolling@example.com")
	s.keep("unconfirmed TOTP secret", s.Enrolling.Post("/api/auth/mfa/totp", obj{"password": lanyardtest.Password}).Want(http.StatusOK).Text("secret"))
	s.App = s.Registered("app@example.com")
	s.keep("TOTP secret", s.App.Post("/api/auth/mfa/totp", obj{"password": lanyardtest.Password}).Want(http.StatusOK).Text("secret"))
	confirmed := s.App.Post("/api/auth/mfa/totp/confirm", obj{"code": s.Code("TOTP secret")}).Want(http.StatusOK)
	s.keep("recovery code", confirmed.Text("recoveryCodes.0"))
	s.Clock.Advance(time.Minute) // the code of the confirmation is used up
	s.keep("pending token", s.Client().Post("/api/auth/login", obj{"email": "app@example.com", "password": lanyardtest.Password, "delivery": "body"}).Want(http.StatusOK).Text("mfaToken"))

	s.Client().Post("/api/auth/forgot-password", obj{"email": "member@example.com"}).Want(http.StatusAccepted)
	s.keep("reset token", s.MailedToken("member@example.com"))
	s.Client().Post("/api/auth/register", obj{"email": "new@example.com", "password": lanyardtest.Password}).Want(http.StatusCreated)
	s.keep("verification token", s.MailedToken("new@example.com"))
	s.Client().Post("/api/auth/register", obj{"email": "newer@example.com", "password": lanyardtest.Password}).Want(http.StatusCreated)
	s.keep("verification token of a link", s.MailedToken("newer@example.com"))
}

// Code gives the code that an app shows now for one of the scenario's secrets.
func (s *Scenario) Code(kind string) string {
	s.T.Helper()
	code, err := totp.GenerateCode(s.Secrets[kind], s.Clock.Now())
	if err != nil {
		s.T.Fatal(err)
	}
	return code
}

// fill makes the requests and fails the test when an operation has none.
func (s *Scenario) fill() {
	specs := map[string]struct{ method, path string }{}
	for _, op := range lanyardtest.Operations() {
		specs[op.ID] = struct{ method, path string }{op.Method, op.Path}
	}
	session := s.Owner.Get("/api/auth/sessions").Want(http.StatusOK).Text("items.0.id")
	values := strings.NewReplacer(
		"{orgId}", s.Organization, "{entityId}", s.Entity, "{documentId}", s.Document, "{invitationId}", s.Invitation,
		"{delegationId}", s.Delegation, "{sessionId}", session,
	)
	given := map[string]Request{}
	for _, r := range append(append(s.account(), s.tenantRequests()...), s.platform()...) {
		given[r.Operation] = r
	}
	for _, op := range lanyardtest.Operations() {
		r, found := given[op.ID]
		if !found {
			s.T.Errorf("no request is known for %s", op.ID)
			continue
		}
		r.Method, r.Route, r.Path = op.Method, op.Path, values.Replace(op.Path+r.Path)
		if i := strings.Index(r.Path, "?user="); i >= 0 {
			r.Path = strings.ReplaceAll(r.Path[:i], "{userId}", r.Path[i+len("?user="):])
		}
		if i := strings.Index(r.Path, "?token="); i >= 0 {
			r.Path = strings.ReplaceAll(r.Path[:i], "{token}", r.Path[i+len("?token="):])
		}
		if strings.Contains(r.Path, "{") {
			s.T.Errorf("%s: a parameter is left in %s", op.ID, r.Path)
		}
		s.requests = append(s.requests, r)
		delete(given, op.ID)
	}
	for name := range given {
		s.T.Errorf("%s is no operation", name)
	}
	if s.T.Failed() {
		s.T.FailNow()
	}
}
