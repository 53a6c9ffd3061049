package cost

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/config"
)

type obj = map[string]any

// request is one call of an operation that will succeed.
type request struct {
	by   *lanyardtest.Client
	path string
	body any
}

// fixture is the world that the samples are taken in: a tenant of ordinary
// size, made by requests.
type fixture struct {
	*lanyardtest.World
	meter  *meter
	n      int
	admin  *lanyardtest.Client // a super admin
	owner  *lanyardtest.Client // the tenant's admin
	org    string
	boats  []string
	boat   string
	doc    string
	docs   []string
	people []*lanyardtest.Client // members
}

// The tenant's size. The costs of lists are those of one page of it.
const (
	members   = 10
	entities  = 50
	documents = 10
)

func newFixture(t *testing.T) *fixture {
	t.Helper()
	env := []string{"LANYARD_THROTTLE=on", "LANYARD_SESSION_CHECK_TTL=60s"}
	for _, field := range config.Fields() {
		if field.Kind == "limit" { // counted, and never reached
			env = append(env, field.Variable+"=1000000/15m")
		}
	}
	w := lanyardtest.Start(t, env...)
	if w.Store.Engine == nil {
		t.Skip("capacity is the embedded engine's to tell")
	}
	// A number's size in the table follows from its digits without trailing
	// zeros: let the seconds never end in one.
	w.Clock.Advance(time.Duration(10+7-w.Clock.Now().Unix()%10) * time.Second)
	f := &fixture{World: w, meter: newMeter(w)}
	if _, err := w.Services.Operators.Bootstrap(context.Background(), "root@example.com", lanyardtest.Password); err != nil {
		t.Fatal(err)
	}
	f.admin = w.Client()
	f.admin.Login(obj{"email": "root@example.com", "password": lanyardtest.Password})
	f.owner = f.user()
	f.org = f.organization(f.owner)
	for range members {
		f.people = append(f.people, f.member("member"))
	}
	for range entities {
		f.boats = append(f.boats, f.entity())
	}
	f.boat = f.boats[0]
	for range documents {
		f.docs = append(f.docs, f.document(f.boat))
	}
	f.doc = f.docs[0]
	for _, p := range f.people {
		f.grant(f.boat, p)
		f.share(f.doc, p)
	}
	return f
}

func (f *fixture) email() string {
	f.n++
	return fmt.Sprintf("person-%05d@example.com", f.n)
}

func (f *fixture) user() *lanyardtest.Client { return f.Registered(f.email()) }

func (f *fixture) organization(by *lanyardtest.Client) string {
	return by.Post("/api/organizations", obj{"name": "Coastal Survey"}).Want(http.StatusCreated).Text("id")
}

func (f *fixture) member(role string) *lanyardtest.Client {
	c := f.user()
	f.owner.Post(f.at("members"), obj{"userId": c.UserID, "role": role}).Want(http.StatusCreated)
	return c
}

// at gives a path under the tenant.
func (f *fixture) at(rest string) string { return "/api/organizations/" + f.org + "/" + rest }

func (f *fixture) entity() string {
	f.n++
	return f.owner.Post(f.at("entities"), obj{"type": "boat", "name": fmt.Sprintf("Aurora %05d", f.n), "attributes": obj{"harbour": "Kiel", "berth": 12}}).
		Want(http.StatusCreated).Text("id")
}

func (f *fixture) document(entity string) string {
	return f.owner.Post("/api/entities/"+entity+"/documents", obj{"title": "Log", "content": "Wind from the west, sea moderate."}).Want(http.StatusCreated).Text("id")
}

func (f *fixture) grant(entity string, to *lanyardtest.Client) {
	f.owner.Post("/api/entities/"+entity+"/permissions", obj{"userId": to.UserID, "level": "editor"}).Want(http.StatusCreated)
}

func (f *fixture) share(doc string, to *lanyardtest.Client) {
	f.owner.Post("/api/documents/"+doc+"/shares", obj{"userId": to.UserID, "level": "viewer"}).Want(http.StatusCreated)
}

func (f *fixture) invitation(email string) string {
	return f.owner.Post(f.at("invitations"), obj{"email": email, "role": "member"}).Want(http.StatusCreated).Text("id")
}

func (f *fixture) loan(to string) string {
	return f.admin.Post("/api/admin/delegations", f.lending(to)).Want(http.StatusCreated).Text("id")
}

func (f *fixture) lending(to string) obj {
	return obj{"userId": to, "scope": "platform", "reason": "cover for the night", "expiresAt": f.Clock.Now().Add(time.Hour).Format(time.RFC3339)}
}

// code gives the code of an authenticator app.
func (f *fixture) code(secret string) string {
	c, err := totp.GenerateCode(secret, f.Clock.Now())
	if err != nil {
		f.T.Fatal(err)
	}
	return c
}

// enrolled makes a user with a second factor and gives a recovery code, since
// the app's code of this half minute is used up.
func (f *fixture) enrolled() (c *lanyardtest.Client, email, code string) {
	email = f.email()
	c = f.Registered(email)
	secret := c.Post("/api/auth/mfa/totp", obj{"password": lanyardtest.Password}).Want(http.StatusOK).Text("secret")
	code = c.Post("/api/auth/mfa/totp/confirm", obj{"code": f.code(secret)}).Want(http.StatusOK).Text("recoveryCodes.0")
	return c, email, code
}

// forget empties what this process has cached: the next call is as on an
// instance that has just started.
func (f *fixture) forget(c *lanyardtest.Client) {
	f.T.Helper()
	checker, err := f.Assembly.Access()
	if err != nil {
		f.T.Fatal(err)
	}
	checker.ForgetAll()
	if c.UserID != "" {
		f.Checker.Forget(c.UserID)
	}
}

// warm fills the caches that an instance would have filled: the session's
// check and, where the operation only reads, whatever it reads itself.
func (f *fixture) warm(t *testing.T, op api.Spec, rq request) {
	t.Helper()
	if rq.by.Access == "" {
		return
	}
	rq.by.Get("/api/auth/me").Want(http.StatusOK)
	if op.Method == http.MethodGet || strings.HasPrefix(op.ID, "permissions-") || strings.HasPrefix(op.ID, "authzen-") {
		rq.by.Do(op.Method, rq.path, rq.body)
		f.Settle()
	}
}
