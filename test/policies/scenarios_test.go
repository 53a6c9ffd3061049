package policies

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/mail"
)

type m = map[string]any

const (
	pw      = lanyardtest.Password
	nextPW  = "another correct horse battery"
	thirdPW = "yet another horse and battery"
)

// scenarios reach every operation: what it does, what it refuses after it has
// looked, and what it cleans up.
func scenarios() map[string]scenario {
	out := map[string]scenario{
		"registration": {run: registration}, "sessions": {run: sessions}, "own account": {run: ownAccount}, "second factor": {run: secondFactor},
		"too many attempts": {run: tooMany}, "operators": {run: operators}, "public": {run: public},
	}
	for name, run := range map[string]func(*prover){
		"organizations": organizations, "invitations": invitations, "entities": entities, "documents": documents, "questions": questions,
	} {
		// Of a user with very many facts, those that bear on a question are read by themselves.
		out[name] = scenario{run: run}
		out[name+", with very many facts"] = scenario{run: run, env: "LANYARD_ACCESS_MAX_FACTS=1"}
	}
	return out
}

type scenario struct {
	run func(*prover)
	env string
}

// join makes a verified user with an address and a username, signed in.
func (p *prover) join(name string) *lanyardtest.Client {
	p.T.Helper()
	c := p.Client()
	email := name + "@example.com"
	c.Post("/api/auth/register", m{"email": email, "username": name, "password": pw}).Want(201)
	c.Post("/api/auth/verify-email", m{"token": p.mailed(email)}).Want(200)
	c.Login(m{"email": email, "password": pw})
	return c
}

// root makes the first operator.
func (p *prover) root() *lanyardtest.Client {
	p.T.Helper()
	if _, err := p.Services.Operators.Bootstrap(context.Background(), "root@example.com", pw); err != nil {
		p.T.Fatal(err)
	}
	c := p.Client()
	c.Login(m{"email": "root@example.com", "password": pw})
	return c
}

// json is a GET that asks for JSON where a browser gets a page.
func (p *prover) json(path string) *lanyardtest.Answer {
	c := p.Client()
	c.Header.Set("Accept", "application/json")
	return c.Get(path)
}

func (p *prover) spent(c *lanyardtest.Client, path string, body m) {
	c.Post(path, body).Want(422)
}

func registration(p *prover) {
	c := p.Client()
	c.Post("/api/auth/register", m{"email": "ann@example.com", "username": "ann.first", "password": pw}).Want(201)
	c.Post("/api/auth/register", m{"email": "ann@example.com", "password": pw}).Want(201) // not verified yet
	c.Post("/api/auth/resend-verification", m{"email": "ann@example.com"}).Want(202)
	link := p.mailed("ann@example.com")
	p.Client().Get("/api/auth/verify-email/" + link).Want(200)
	p.json("/api/auth/verify-email/" + link).Want(200)
	p.json("/api/auth/verify-email/" + link).Want(422)
	c.Post("/api/auth/register", m{"email": "ann@example.com", "password": pw}).Want(201) // verified
	c.Post("/api/auth/register", m{"username": "bob", "password": pw}).Want(201)
	c.Post("/api/auth/register", m{"username": "bob", "password": pw}).Want(409)
	c.Post("/api/auth/resend-verification", m{"email": "ann@example.com"}).Want(202)
	c.Post("/api/auth/check-password-needed", m{"email": "ann@example.com"}).Want(200)
	c.Post("/api/auth/check-password-needed", m{"email": "nobody@example.com"}).Want(200)
	p.spent(c, "/api/auth/verify-email", m{"token": link})
	p.settle()
}

func sessions(p *prover) {
	c := p.join("cleo")
	for range 2 {
		p.Client().Post("/api/auth/login", m{"email": "cleo@example.com", "password": pw + "!"}).Want(401)
	}
	p.Client().Post("/api/auth/login", m{"username": "nobody", "password": pw}).Want(401)
	p.Client().Login(m{"username": "cleo", "password": pw})
	old := c.Refresh
	c.Keep(c.Post("/api/auth/refresh", m{"refreshToken": old}).Want(200))
	c.Post("/api/auth/refresh", m{"refreshToken": old}).Want(200) // within the grace
	p.Clock.Advance(time.Hour)
	p.Client().Post("/api/auth/refresh", m{"refreshToken": old}).Want(401) // reuse ends the session
	c.Login(m{"email": "cleo@example.com", "password": pw})
	other := p.Client()
	other.Login(m{"email": "cleo@example.com", "password": pw})
	list := c.Get("/api/auth/sessions").Want(200)
	c.Delete("/api/auth/sessions/"+list.Text("items.0.id"), nil)
	c.Delete("/api/auth/sessions/01900000-0000-7000-8000-0000000000f1", nil)
	c.Login(m{"email": "cleo@example.com", "password": pw})
	p.Client().Post("/api/auth/logout", m{"refreshToken": c.Refresh}).Want(204)
	p.Client().Post("/api/auth/refresh", m{"refreshToken": c.Refresh}).Want(401)
	c.Login(m{"email": "cleo@example.com", "password": pw})
	c.Post("/api/auth/logout", nil).Want(204)
	c.Login(m{"email": "cleo@example.com", "password": pw})
	c.Get("/api/auth/activity").Want(200)
	c.Post("/api/auth/logout-all", nil).Want(204)
	p.settle()
}

func ownAccount(p *prover) {
	c := p.join("dora")
	p.Client().Login(m{"email": "dora@example.com", "password": pw}) // another session, for what ends all
	c.Get("/api/auth/me").Want(200)
	c.Patch("/api/auth/me", m{"profile": m{"firstName": "Dora"}}).Want(200)
	c.Patch("/api/auth/me", m{"username": "dora-2"}).Want(200)
	emil := p.join("emil")
	c.Patch("/api/auth/me", m{"username": "emil"}).Want(409)
	for range 2 {
		c.Post("/api/auth/change-password", m{"currentPassword": pw + "!", "newPassword": nextPW}).Want(401)
	}
	c.Post("/api/auth/change-password", m{"currentPassword": pw, "newPassword": nextPW}).Want(204)
	p.settle()
	p.Client().Post("/api/auth/forgot-password", m{"email": "nobody@example.com"}).Want(202)
	p.Client().Post("/api/auth/forgot-password", m{"email": "dora@example.com"}).Want(202)
	token := p.mailed("dora@example.com")
	p.Client().Get("/api/auth/reset-password/" + token).Want(200)
	p.Client().Post("/api/auth/login", m{"email": "dora@example.com", "password": pw}).Want(401)
	p.Client().Post("/api/auth/reset-password", m{"token": token, "newPassword": thirdPW}).Want(204)
	p.spent(p.Client(), "/api/auth/reset-password", m{"token": token, "newPassword": thirdPW})
	c.Login(m{"email": "dora@example.com", "password": thirdPW})
	for range 2 {
		c.Post("/api/auth/change-email", m{"newEmail": "dora@example.org", "password": pw}).Want(401)
	}
	for i, verify := range []func(token string){
		func(token string) { p.Client().Post("/api/auth/verify-email", m{"token": token}).Want(200) },
		func(token string) { p.json("/api/auth/verify-email/" + token).Want(200) },
	} {
		to := "dora@" + []string{"example.org", "example.net"}[i]
		c.Post("/api/auth/change-email", m{"newEmail": "emil@example.com", "password": thirdPW}).Want(202) // somebody's
		c.Post("/api/auth/change-email", m{"newEmail": "else@example.com", "password": thirdPW}).Want(202)
		c.Post("/api/auth/change-email", m{"newEmail": to, "password": thirdPW}).Want(202)
		verify(p.mailed(to))
	}
	c.Login(m{"username": "dora-2", "password": thirdPW})
	for range 2 {
		c.Delete("/api/auth/me", m{"password": pw}).Want(401)
	}
	org := c.Post("/api/organizations", m{"name": "Coastal"}).Want(201).Text("id")
	c.Delete("/api/auth/me", m{"password": thirdPW}).Want(409) // its only admin
	c.Post("/api/organizations/"+org+"/members", m{"userId": emil.UserID, "role": "admin"}).Want(201)
	c.Delete("/api/auth/me", m{"password": thirdPW}).Want(204)
	p.settle()
	root := p.root()
	root.Put("/api/users/"+emil.UserID+"/role", m{"role": "ADMIN", "reason": "joins"}).Want(200)
	emil.Login(m{"username": "emil", "password": pw})
	root.Post("/api/organizations/"+org+"/members", m{"userId": root.UserID, "role": "admin"}).Want(201)
	emil.Delete("/api/auth/me", m{"password": pw}).Want(204)
	p.settle()
}

func secondFactor(p *prover) {
	c := p.join("finn")
	for range 2 {
		c.Post("/api/auth/mfa/totp", m{"password": pw + "!"}).Want(401)
	}
	c.Post("/api/auth/mfa/totp", m{"password": pw}).Want(200)
	secret := c.Post("/api/auth/mfa/totp", m{"password": pw}).Want(200).Text("secret") // anew
	code := func() string {
		p.Clock.Advance(30 * time.Second) // a code works once
		s, err := totp.GenerateCode(secret, p.Clock.Now())
		if err != nil {
			p.T.Fatal(err)
		}
		return s
	}
	wrong := func() string { return strings.Map(func(r rune) rune { return '0' + (r-'0'+1)%10 }, code()) }
	c.Post("/api/auth/mfa/totp/confirm", m{"code": wrong()}).Want(401)
	confirmed := c.Post("/api/auth/mfa/totp/confirm", m{"code": code()}).Want(200)
	pending := func() string {
		return p.Client().Post("/api/auth/login", m{"email": "finn@example.com", "password": pw}).Want(200).Text("mfaToken")
	}
	token := pending()
	p.Client().Post("/api/auth/mfa/verify", m{"mfaToken": token, "code": wrong()}).Want(401)
	p.Client().Post("/api/auth/mfa/verify", m{"mfaToken": token, "code": code()}).Want(200)
	p.Client().Post("/api/auth/mfa/verify", m{"mfaToken": pending(), "code": confirmed.Text("recoveryCodes.0")}).Want(200)
	c.Post("/api/auth/mfa/recovery-codes", m{"password": pw + "!", "code": code()}).Want(401)
	c.Post("/api/auth/mfa/recovery-codes", m{"password": pw, "code": wrong()}).Want(401)
	c.Post("/api/auth/mfa/recovery-codes", m{"password": pw, "code": code()}).Want(200)
	c.Delete("/api/auth/mfa/totp", m{"password": pw + "!", "code": code()}).Want(401)
	c.Delete("/api/auth/mfa/totp", m{"password": pw, "code": wrong()}).Want(401)
	c.Delete("/api/auth/mfa/totp", m{"password": pw, "code": code()}).Want(204)
	p.settle()
}

// tooMany reaches what happens at the limits: accounts are told, sessions make
// room for others, mails are not sent.
func tooMany(p *prover) {
	c := p.join("gus")
	for range 8 { // the account's limit for one client is five
		p.Client().Post("/api/auth/login", m{"email": "gus@example.com", "password": pw + "!"})
		c.Post("/api/auth/change-password", m{"currentPassword": pw + "!", "newPassword": nextPW})
		p.Client().Post("/api/auth/forgot-password", m{"email": "gus@example.com"}).Want(202)
		p.Client().Post("/api/auth/resend-verification", m{"email": "gus@example.com"}).Want(202)
		p.settle()
	}
	for range 8 { // the address has a limit, too
		p.Client().Post("/api/auth/forgot-password", m{"email": "gus@example.com"})
		p.Client().Post("/api/auth/resend-verification", m{"email": "gus@example.com"})
	}
	p.Clock.Advance(2 * time.Hour)
	p.RefuseMail(&mail.SendError{Reason: "no such mailbox", Permanent: true})
	p.Client().Post("/api/auth/forgot-password", m{"email": "gus@example.com"}).Want(202)
	p.settle()
	p.RefuseMail(nil)
	p.Client().Post("/api/auth/register", m{"email": "hal@example.com", "password": pw}).Want(201)
	p.Client().Post("/api/auth/login", m{"email": "hal@example.com", "password": pw}).Want(401) // unverified: a fresh mail
	p.settle()
	c.Login(m{"email": "gus@example.com", "password": pw})
	secret := c.Post("/api/auth/mfa/totp", m{"password": pw}).Want(200).Text("secret")
	code := func() string {
		p.Clock.Advance(30 * time.Second)
		s, err := totp.GenerateCode(secret, p.Clock.Now())
		if err != nil {
			p.T.Fatal(err)
		}
		return s
	}
	for range 4 { // sessions beyond the most that a user may have
		p.Client().Login(m{"email": "gus@example.com", "password": pw})
	}
	c.Login(m{"email": "gus@example.com", "password": pw})
	c.Post("/api/auth/mfa/totp/confirm", m{"code": code()}).Want(200)
	for range 4 {
		token := p.Client().Post("/api/auth/login", m{"email": "gus@example.com", "password": pw}).Want(200).Text("mfaToken")
		p.Client().Post("/api/auth/mfa/verify", m{"mfaToken": token, "code": code()}).Want(200)
	}
	for range 8 {
		token := p.Client().Post("/api/auth/login", m{"email": "gus@example.com", "password": pw}).Text("mfaToken")
		p.Client().Post("/api/auth/mfa/verify", m{"mfaToken": token, "code": "000000"})
		p.settle()
	}
}

func organizations(p *prover) {
	ann, ben, cat := p.join("ann"), p.join("ben"), p.join("cat")
	root := p.root()
	ann.Post("/api/organizations", m{"name": "Another"}).Want(201) // more than one fact
	org := ann.Post("/api/organizations", m{"name": "Coastal"}).Want(201).Text("id")
	at := "/api/organizations/" + org
	for _, c := range []*lanyardtest.Client{ann, root} {
		c.Get(at).Want(200)
		c.Patch(at, m{"name": "Marine"}).Want(200)
		c.Post(at+"/members", m{"userId": ben.UserID, "role": "member"}).Want(201)
		c.Post(at+"/members", m{"userId": ben.UserID, "role": "member"})
		c.Get(at + "/members").Want(200)
		c.Patch(at+"/members/"+ben.UserID, m{"role": "admin"}).Want(200)
		c.Patch(at+"/members/"+ben.UserID, m{"role": "viewer"}).Want(200)
		c.Patch(at+"/members/"+ben.UserID, m{"role": "manager"}).Want(200)
		c.Get(at + "/audit").Want(200)
		c.Delete(at+"/members/"+ben.UserID, nil).Want(204)
		c.Get("/api/organizations").Want(200)
		ann.Post(at+"/members", m{"userId": cat.UserID, "role": "admin"})
		c.Delete(at+"/members/"+cat.UserID, nil).Want(204)
	}
	ann.Patch(at+"/members/"+ann.UserID, m{"role": "viewer"}) // the last admin
	ann.Delete(at+"/members/"+ann.UserID, nil)
	for _, c := range []*lanyardtest.Client{ben} { // nobody there
		c.Get(at).Want(404)
		c.Patch(at, m{"name": "X"}).Want(404)
		c.Delete(at, nil).Want(404)
	}
	ann.Delete(at, nil).Want(204)
	org = ann.Post("/api/organizations", m{"name": "Coastal"}).Want(201).Text("id")
	boat := ann.Post("/api/organizations/"+org+"/entities", m{"type": "boat", "name": "Aurora"}).Want(201).Text("id")
	doc := ann.Post("/api/entities/"+boat+"/documents", m{"title": "Log", "content": "x"}).Want(201).Text("id")
	ann.Post("/api/organizations/"+org+"/members", m{"userId": ben.UserID, "role": "member"}).Want(201)
	ann.Post("/api/entities/"+boat+"/permissions", m{"userId": ben.UserID, "level": "viewer"}).Want(201)
	ann.Post("/api/documents/"+doc+"/shares", m{"userId": cat.UserID, "level": "viewer"}).Want(201)
	ann.Post("/api/organizations/"+org+"/invitations", m{"email": "guest@example.com", "role": "viewer"}).Want(201)
	root.Delete("/api/organizations/"+org, nil).Want(204)
	p.settle()
}

func invitations(p *prover) {
	ann, ben := p.join("ann"), p.join("ben")
	root := p.root()
	ann.Post("/api/organizations", m{"name": "Another"}).Want(201) // more than one fact
	org := ann.Post("/api/organizations", m{"name": "Coastal"}).Want(201).Text("id")
	at := "/api/organizations/" + org + "/invitations"
	for _, c := range []*lanyardtest.Client{ann, root} {
		c.Post(at, m{"email": "guest@example.com", "role": "viewer"}).Want(201)
		c.Post(at, m{"email": "guest@example.com", "role": "viewer"})
		id := c.Get(at).Want(200).Text("items.0.id")
		c.Delete(at+"/"+id, nil).Want(204)
		c.Delete(at+"/"+id, nil)
	}
	ann.Post(at, m{"email": "ben@example.com", "role": "member"}).Want(201)
	token := p.mailed("ben@example.com")
	p.Client().Get("/api/invitations/accept/" + token).Want(200)
	ann.Post("/api/invitations/accept", m{"token": token})
	ben.Post("/api/invitations/accept", m{"token": token}).Want(200)
	ben.Post("/api/invitations/accept", m{"token": token})
	cat := p.join("cat")
	ann.Post(at, m{"email": "cat@example.com", "role": "admin"}).Want(201)
	cat.Post("/api/invitations/accept", m{"token": p.mailed("cat@example.com")}).Want(200)
}

// staff is a tenant with an admin, an entity and a document, a member with a
// grant, somebody with a share, a stranger and an operator.
type staff struct {
	admin, member, guest, stranger, root *lanyardtest.Client
	org, boat, doc                       string
}

func (p *prover) staff() *staff {
	s := &staff{admin: p.join("ann"), member: p.join("ben"), guest: p.join("cat"), stranger: p.join("dan"), root: p.root()}
	s.admin.Post("/api/organizations", m{"name": "Another"}).Want(201) // more than one fact
	s.org = s.admin.Post("/api/organizations", m{"name": "Coastal"}).Want(201).Text("id")
	s.admin.Post("/api/organizations/"+s.org+"/members", m{"userId": s.member.UserID, "role": "member"}).Want(201)
	s.boat = s.admin.Post("/api/organizations/"+s.org+"/entities", m{"type": "boat", "name": "Aurora"}).Want(201).Text("id")
	s.doc = s.admin.Post("/api/entities/"+s.boat+"/documents", m{"title": "Log", "content": "x"}).Want(201).Text("id")
	return s
}

func (s *staff) everybody() []*lanyardtest.Client {
	return []*lanyardtest.Client{s.admin, s.root, s.member, s.guest, s.stranger}
}

func entities(p *prover) {
	s := p.staff()
	grants := "/api/entities/" + s.boat + "/permissions"
	for _, c := range []*lanyardtest.Client{s.admin, s.root} {
		made := c.Post("/api/organizations/"+s.org+"/entities", m{"type": "dock", "name": "North"}).Want(201).Text("id")
		c.Patch("/api/entities/"+made, m{"name": "South"}).Want(200)
		c.Post(grants, m{"userId": s.member.UserID, "level": "viewer"}).Want(201)
		c.Post(grants, m{"userId": s.member.UserID, "level": "viewer"})
		c.Post(grants, m{"userId": s.stranger.UserID, "level": "viewer"})
		c.Patch(grants+"/"+s.member.UserID, m{"level": "manager"}).Want(200)
		c.Get(grants).Want(200)
		c.Delete("/api/entities/"+made, nil).Want(204)
		for _, other := range s.everybody() {
			other.Get("/api/organizations/" + s.org + "/entities")
			other.Get("/api/organizations/" + s.org + "/entities?type=boat")
			other.Get("/api/entities/" + s.boat)
			other.Get(grants)
			other.Get("/api/organizations/" + s.org + "/members")
		}
		c.Delete(grants+"/"+s.member.UserID, nil).Want(204)
		c.Delete(grants+"/"+s.member.UserID, nil)
	}
	s.admin.Post(grants, m{"userId": s.member.UserID, "level": "admin"}).Want(201)
	s.member.Patch("/api/entities/"+s.boat, m{"name": "Borealis"}).Want(200)
	s.admin.Delete("/api/entities/"+s.boat, nil).Want(204)
	p.settle()
}

func documents(p *prover) {
	s := p.staff()
	list, shares := "/api/entities/"+s.boat+"/documents", "/api/documents/"+s.doc+"/shares"
	s.admin.Post("/api/entities/"+s.boat+"/permissions", m{"userId": s.member.UserID, "level": "editor"}).Want(201)
	for _, c := range []*lanyardtest.Client{s.admin, s.root, s.member} {
		made := c.Post(list, m{"title": "Log", "content": "a"}).Want(201).Text("id")
		c.Patch("/api/documents/"+made, m{"title": "Book"}).Want(200)
		c.Patch("/api/documents/"+made, m{"content": "b"}).Want(200)
		c.Get("/api/documents/" + made).Want(200)
		c.Delete("/api/documents/"+made, nil)
	}
	for _, c := range []*lanyardtest.Client{s.admin, s.root} {
		c.Post(shares, m{"userId": s.guest.UserID, "level": "viewer"}).Want(201)
		c.Post(shares, m{"userId": s.guest.UserID, "level": "editor"})
		c.Post(shares, m{"userId": s.member.UserID, "level": "viewer"}).Want(201)
		c.Delete(shares+"/"+s.member.UserID, nil).Want(204)
		c.Get(shares).Want(200)
		for _, other := range s.everybody() {
			other.Get(list)
			other.Get("/api/documents/" + s.doc)
			other.Get(shares)
		}
		c.Delete(shares+"/"+s.guest.UserID, nil).Want(204)
		c.Delete(shares+"/"+s.guest.UserID, nil)
	}
	s.admin.Post(shares, m{"userId": s.guest.UserID, "level": "editor"}).Want(201)
	s.guest.Patch("/api/documents/"+s.doc, m{"title": "Theirs"}).Want(200)
	s.admin.Delete("/api/documents/"+s.doc, nil).Want(204)
	p.settle()
}

func questions(p *prover) {
	s := p.staff()
	s.admin.Post("/api/entities/"+s.boat+"/permissions", m{"userId": s.member.UserID, "level": "editor"}).Want(201)
	s.admin.Post("/api/documents/"+s.doc+"/shares", m{"userId": s.guest.UserID, "level": "viewer"}).Want(201)
	view, boat, doc := m{"name": "view"}, m{"type": "entity", "id": s.boat}, m{"type": "document", "id": s.doc}
	org := m{"type": "organization", "id": s.org}
	subjects := []string{s.admin.UserID, s.member.UserID, s.guest.UserID, s.stranger.UserID, s.root.UserID}
	for _, c := range s.everybody() {
		for _, about := range []m{{"entityId": s.boat}, {"documentId": s.doc}, {"organizationId": s.org}} {
			check := m{"action": "view"}
			for k, v := range about {
				check[k] = v
			}
			for _, consistency := range []string{"strong", "eventual"} {
				c.Post("/api/permissions/check", m{"checks": []m{check}, "consistency": consistency})
				c.Post("/api/permissions/check", m{"userId": s.member.UserID, "checks": []m{check}, "consistency": consistency})
			}
			c.Post("/api/permissions/explain", check)
			check["userId"] = s.member.UserID
			c.Post("/api/permissions/explain", check)
		}
		c.Get("/api/permissions/entities?action=view").Want(200)
		c.Get("/api/permissions/entities?action=view&organizationId=" + s.org)
		c.Get("/api/permissions/entities?action=view&organizationId=" + s.org + "&userId=" + s.member.UserID)
		for _, id := range subjects {
			who := m{"type": "user", "id": id}
			for _, what := range []m{boat, doc, org} {
				c.Post("/access/v1/evaluation", m{"subject": who, "action": view, "resource": what})
				c.Post("/access/v1/evaluations", m{"subject": who, "action": view, "evaluations": []m{{"resource": what}}})
				c.Post("/access/v1/search/action", m{"subject": who, "resource": what})
				c.Post("/access/v1/search/subject", m{"subject": m{"type": "user"}, "action": view, "resource": what})
				c.Post("/access/v1/search/resource", m{"subject": who, "action": view, "resource": m{"type": what["type"]}})
			}
		}
	}
}

func operators(p *prover) {
	root, ann, ben := p.root(), p.join("ann"), p.join("ben")
	lend := func(user, scope string) string {
		return root.Post("/api/admin/delegations", m{"userId": user, "scope": scope, "reason": "cover",
			"expiresAt": p.Clock.Now().Add(time.Hour).Format(time.RFC3339)}).Want(201).Text("id")
	}
	org := ann.Post("/api/organizations", m{"name": "Coastal"}).Want(201).Text("id")
	lend(ann.UserID, org)
	loan := lend(ann.UserID, "platform")
	for i, c := range []*lanyardtest.Client{root, ann} {
		name := []string{"vic", "wim"}[i]
		victim := p.join(name)
		at := "/api/users/" + victim.UserID
		c.Get("/api/users").Want(200)
		c.Get("/api/users?email=" + name + "@example.com").Want(200)
		c.Get("/api/users?username=" + name).Want(200)
		c.Get(at).Want(200)
		c.Patch(at, m{"profile": m{"firstName": "V"}}).Want(200)
		root.Patch(at, m{"emailVerified": false}).Want(200)
		root.Patch(at, m{"emailVerified": true}).Want(200)
		c.Post(at+"/suspend", m{"reason": "asked"}).Want(204)
		c.Post(at+"/reactivate", m{"reason": "asked"}).Want(204)
		victim.Login(m{"username": name, "password": pw})
		c.Post(at+"/logout", m{"reason": "asked"}).Want(204)
		c.Get("/api/admin/delegations")
		c.Get("/api/admin/audit")
		root.Put(at+"/role", m{"role": "ADMIN", "reason": "joins"}).Want(200)
		root.Put(at+"/role", m{"role": "ADMIN", "reason": "joins"})
		root.Post(at+"/suspend", m{"reason": "asked"})
		root.Post(at+"/reactivate", m{"reason": "asked"})
		root.Put(at+"/role", m{"role": "USER", "reason": "leaves"})
		root.Put(at+"/role", m{"role": "ADMIN", "reason": "joins"})
		ann.Post("/api/organizations/"+org+"/members", m{"userId": victim.UserID, "role": "admin"}).Want(201)
		victim.Login(m{"username": name, "password": pw})
		c.Delete(at, nil)
		root.Delete(at, nil)
		p.settle()
	}
	ben.Get("/api/users").Want(http.StatusForbidden)
	for _, s := range lanyardtest.Operations() { // refusals are recorded
		if strings.HasPrefix(s.ID, "users-") || strings.HasPrefix(s.ID, "admin-") {
			path := strings.NewReplacer("{userId}", ann.UserID, "{delegationId}", loan).Replace(s.Path)
			var body any
			if s.Event.Body != nil {
				body = s.Event.Body
			}
			ben.Do(s.Method, path, body).Want(http.StatusForbidden)
		}
	}
	root.Get("/api/admin/delegations").Want(200)
	root.Delete("/api/admin/delegations/"+loan, nil).Want(204)
	root.Delete("/api/admin/delegations/"+loan, nil)
	root.Get("/api/admin/audit").Want(200)
	p.settle()
}

func public(p *prover) {
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/.well-known/authzen-configuration", "/healthz", "/openapi.json", "/docs"} {
		p.Client().Get(path).Want(200)
	}
}
