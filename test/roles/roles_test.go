// Package roles holds every operation to the table of docs/roles.md: for each
// kind of person, by cookie and by bearer token, on the own tenant and on a
// foreign one.
package roles

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// documented reads docs/roles.md: by operation (or operation/variant), by
// person, what is to happen: "yes", or the status of the refusal.
func documented(t *testing.T) (people []string, want map[string]map[string]string) {
	t.Helper()
	raw, err := os.ReadFile("../../docs/roles.md")
	if err != nil {
		t.Fatal(err)
	}
	want = map[string]map[string]string{}
	for line := range strings.SplitSeq(string(raw), "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		switch {
		case cells[0] == "operation":
			people = cells[1:]
		case people != nil && len(cells) == len(people)+1:
			row := map[string]string{}
			for i, p := range people {
				row[p] = cells[i+1]
			}
			want[cells[0]] = row
		}
	}
	return people, want
}

// refusals are the codes with which somebody is not let in. Any other problem
// is about the request, not about who sends it.
var refusals = []string{
	string(fault.CodeUnauthenticated), string(fault.CodeInvalidToken), string(fault.CodeTokenExpired), string(fault.CodeSessionRevoked),
	string(fault.CodeForbidden), string(fault.CodeCrossOrigin), string(fault.CodeDelegateLimited), string(fault.CodeNotFound), string(fault.CodeMFARequired),
}

// outcome says what an answer means in the table's words.
func outcome(a *lanyardtest.Answer) string {
	switch {
	case a.Status < 400:
		return "yes"
	case slices.Contains(refusals, a.Text("code")):
		return fmt.Sprint(a.Status)
	default:
		return "yes"
	}
}

func TestEveryOperationLetsInExactlyWhomTheTableSays(t *testing.T) {
	people, want := documented(t)
	known := map[string]bool{}
	for _, op := range lanyardtest.Operations() {
		known[op.ID] = true
		if want[op.ID] == nil {
			t.Errorf("%s has no row in docs/roles.md", op.ID)
		}
	}
	rows := requests()
	for name := range want {
		if id, _, _ := strings.Cut(name, "/"); !known[id] {
			t.Errorf("docs/roles.md has a row for %s, which is no operation", name)
		}
		if rows[name].make == nil {
			t.Errorf("no request is known for %s", name)
		}
	}
	for name := range rows {
		if want[name] == nil {
			t.Errorf("%s is tried and not documented", name)
		}
	}
	if t.Failed() {
		return
	}
	for _, cred := range []string{"bearer", "cookie"} {
		t.Run(cred, func(t *testing.T) {
			w := newWorld(t)
			for _, p := range people {
				if w.people[p] == nil {
					t.Fatalf("nobody is a %q", p)
				}
			}
			var table strings.Builder
			for _, op := range lanyardtest.Operations() {
				for _, name := range variants(op.ID, rows) {
					fmt.Fprintf(&table, "| `%s` |", name)
					for _, p := range people {
						got := w.try(op.Method, op.Path, cred, w.people[p], rows[name])
						if got != want[name][p] {
							t.Errorf("%s as %s: %s, documented is %s", name, p, got, want[name][p])
						}
						fmt.Fprintf(&table, " %s |", got)
					}
					table.WriteByte('\n')
				}
			}
			if t.Failed() {
				t.Logf("what happened:\n%s", &table)
			}
		})
	}
}

// Whatever somebody is in one tenant, in another they are nobody: everything
// there is missing.
func TestNobodyReachesAForeignTenantButByPowerOverThePlatform(t *testing.T) {
	w := newWorld(t)
	rows := requests()
	other := w.newTenant(w.people["foreign admin"])
	w.target = other
	for _, op := range lanyardtest.Operations() {
		if !strings.Contains(op.Path, "{orgId}") && !strings.Contains(op.Path, "{entityId}") && !strings.Contains(op.Path, "{documentId}") {
			continue
		}
		for name, p := range w.people {
			if name == "anonymous" || name == "foreign admin" || name == "platform delegate" || name == "super admin" {
				continue
			}
			for _, cred := range []string{"bearer", "cookie"} {
				if got := w.try(op.Method, op.Path, cred, p, rows[op.ID]); got != "404" {
					t.Errorf("%s on a foreign tenant as %s by %s: %s, want 404", op.ID, name, cred, got)
				}
			}
		}
		if got := w.try(op.Method, op.Path, "bearer", w.people["foreign admin"], row{make: rows[op.ID].make, spends: rows[op.ID].spends}); got != "yes" && op.ID != "documents-shares-revoke" {
			t.Errorf("%s as that tenant's own admin: %s", op.ID, got) // the control: the request itself is good
		}
	}
}

func variants(id string, rows map[string]row) []string {
	out := []string{id}
	for name := range rows {
		if strings.HasPrefix(name, id+"/") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// person is somebody with both kinds of credentials.
type person struct {
	id       string
	username string
	program  *lanyardtest.Client
	browser  *lanyardtest.Client
}

func (p *person) client(cred string) *lanyardtest.Client {
	if cred == "cookie" {
		return p.browser
	}
	return p.program
}

// tenant is one organization with things to act on.
type tenant struct {
	owner                                           *person
	staffed                                         bool // the people of the table have their places here
	org, entity, document                           string
	member, invitation, invitationToken, delegation string
	grantee, shared                                 string
}

type world struct {
	*lanyardtest.World
	t      *testing.T
	n      int
	people map[string]*person
	target *tenant
	spare  string // a user to operate on, whom nobody else needs
	lent   string // a delegation to take back
	admin  *person
}

func newWorld(t *testing.T) *world {
	w := &world{World: lanyardtest.Start(t), t: t, people: map[string]*person{}}
	for _, name := range []string{
		"stranger", "foreign admin", "org viewer", "org member", "org manager", "org admin",
		"entity viewer", "entity editor", "entity manager", "entity admin", "share viewer", "share editor",
		"org delegate", "platform delegate",
	} {
		w.people[name] = w.person()
	}
	w.people["anonymous"] = &person{program: w.Client(), browser: w.Browser()}
	if _, err := w.Services.Operators.Bootstrap(context.Background(), "root@example.com", lanyardtest.Password); err != nil {
		t.Fatal(err)
	}
	w.admin = &person{username: "", program: w.Client(), browser: w.Browser()}
	w.signIn(w.admin)
	w.people["super admin"] = w.admin
	w.lend(w.people["platform delegate"].id, "platform")
	owner := w.person()
	w.target = w.newTenant(owner)
	w.staff(w.target)
	w.renewSpare()
	w.renewLoan()
	return w
}

// person registers somebody and signs them in twice.
func (w *world) person() *person {
	w.n++
	p := &person{username: fmt.Sprintf("person-%d", w.n), program: w.Client(), browser: w.Browser()}
	w.Client().Post("/api/auth/register", map[string]any{"username": p.username, "password": lanyardtest.Password}).Want(http.StatusCreated)
	w.signIn(p)
	return p
}

func (w *world) signIn(p *person) {
	p.program.Access = ""
	p.program.Login(p.credentials())
	p.browser.Post("/api/auth/login", p.credentials()).Want(http.StatusOK)
	p.id = p.program.UserID
}

func (p *person) credentials() map[string]any {
	if p.username == "" {
		return map[string]any{"email": "root@example.com", "password": lanyardtest.Password}
	}
	return map[string]any{"username": p.username, "password": lanyardtest.Password}
}

func (w *world) lend(userID, scope string) string {
	return w.admin.program.Post("/api/admin/delegations", map[string]any{
		"userId": userID, "scope": scope, "reason": "cover", "expiresAt": w.Clock.Now().Add(24 * time.Hour).Format(time.RFC3339),
	}).Want(http.StatusCreated).Text("id")
}

// newTenant makes an organization with an entity, a document and somebody to act on.
func (w *world) newTenant(owner *person) *tenant {
	tn := &tenant{owner: owner}
	tn.org = owner.program.Post("/api/organizations", map[string]any{"name": "Coastal"}).Want(http.StatusCreated).Text("id")
	tn.shared = w.person().id
	w.renewMember(tn)
	w.renewEntity(tn)
	w.renewInvitation(tn)
	return tn
}

// staff gives the people of the table their places in a tenant.
func (w *world) staff(tn *tenant) {
	for name, role := range map[string]string{
		"org viewer": "viewer", "org member": "member", "org manager": "manager", "org admin": "admin",
		"entity viewer": "member", "entity editor": "member", "entity manager": "member", "entity admin": "member",
	} {
		tn.owner.program.Post("/api/organizations/"+tn.org+"/members", map[string]any{"userId": w.people[name].id, "role": role}).Want(http.StatusCreated)
	}
	w.lend(w.people["org delegate"].id, tn.org)
	tn.staffed = true
	w.renewEntity(tn)
}

func (w *world) renewMember(tn *tenant) {
	p := w.person()
	tn.owner.program.Post("/api/organizations/"+tn.org+"/members", map[string]any{"userId": p.id, "role": "member"}).Want(http.StatusCreated)
	tn.member = p.id
}

func (w *world) renewEntity(tn *tenant) {
	tn.entity = tn.owner.program.Post("/api/organizations/"+tn.org+"/entities", map[string]any{"type": "boat", "name": "Aurora"}).Want(http.StatusCreated).Text("id")
	grants := map[string]string{tn.member: "viewer"}
	if tn.staffed {
		for _, level := range []string{"viewer", "editor", "manager", "admin"} {
			grants[w.people["entity "+level].id] = level
		}
	}
	for user, level := range grants {
		tn.owner.program.Post("/api/entities/"+tn.entity+"/permissions", map[string]any{"userId": user, "level": level}).Want(http.StatusCreated)
	}
	tn.grantee = tn.member
	w.renewDocument(tn)
}

func (w *world) renewDocument(tn *tenant) {
	tn.document = tn.owner.program.Post("/api/entities/"+tn.entity+"/documents", map[string]any{"title": "Log"}).Want(http.StatusCreated).Text("id")
	shares := map[string]string{tn.shared: "viewer"}
	if tn.staffed {
		shares[w.people["share viewer"].id] = "viewer"
		shares[w.people["share editor"].id] = "editor"
	}
	for user, level := range shares {
		tn.owner.program.Post("/api/documents/"+tn.document+"/shares", map[string]any{"userId": user, "level": level}).Want(http.StatusCreated)
	}
}

func (w *world) renewInvitation(tn *tenant) {
	w.n++
	a := tn.owner.program.Post("/api/organizations/"+tn.org+"/invitations", map[string]any{"email": fmt.Sprintf("guest-%d@example.com", w.n), "role": "member"})
	tn.invitation = a.Want(http.StatusCreated).Text("id")
}

func (w *world) renewSpare() { w.spare = w.person().id }

func (w *world) renewLoan() { w.lent = w.lend(w.person().id, "platform") }

// row is how an operation is tried.
type row struct {
	make   func(w *world, p *person) request
	spends string // what a request that was let in uses up, to be made anew
	strict bool   // who is let in must succeed
}

// request is what fills in an operation's route.
type request struct {
	params map[string]string
	query  string
	body   any
}

// try sends one request as one person and says how it ended.
func (w *world) try(method, path, cred string, p *person, r row) string {
	w.t.Helper()
	rq := r.make(w, p)
	for name, v := range rq.params {
		path = strings.ReplaceAll(path, "{"+name+"}", v)
	}
	if strings.Contains(path, "{") {
		w.t.Fatalf("%s: a parameter is left", path)
	}
	if rq.query != "" {
		path += "?" + rq.query
	}
	a := p.client(cred).Do(method, path, rq.body)
	got := outcome(a)
	if r.strict && got == "yes" && a.Status >= 400 {
		w.t.Errorf("%s %s is a poor sample: %d %s", method, path, a.Status, a.Raw)
	}
	if got == "yes" {
		w.renew(r.spends, p)
	}
	return got
}

func (w *world) renew(what string, p *person) {
	tn := w.target
	switch what {
	case "":
	case "session":
		if p.id != "" {
			w.signIn(p)
		}
	case "tenant":
		w.target = w.newTenant(tn.owner)
		if tn.staffed {
			w.staff(w.target)
		}
	case "member":
		w.renewMember(tn)
		w.renewEntity(tn)
	case "entity":
		w.renewEntity(tn)
	case "document":
		w.renewDocument(tn)
	case "invitation":
		w.renewInvitation(tn)
	case "spare":
		w.renewSpare()
	case "loan":
		w.renewLoan()
	default:
		w.t.Fatalf("nothing is called %s", what)
	}
}
