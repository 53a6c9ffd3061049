package cost

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

const another = "a different horse battery staple"

// sampler makes one call of an operation, and whatever it needs first.
type sampler func(*fixture) request

// samples gives each operation's sampler. What a call uses up is made anew each
// time, and the caller is whom the operation is for: the tenant's admin, a
// super admin, or an ordinary user.
var samples = func() map[string]sampler {
	all := map[string]sampler{}
	for _, part := range []map[string]sampler{signingIn, account, secondFactor, tenancy, contents, questions, operating, open} {
		maps.Copy(all, part)
	}
	return all
}()

var signingIn = map[string]sampler{
	"auth-register": func(f *fixture) request {
		return request{by: f.Client(), path: "/api/auth/register", body: obj{"email": f.email(), "username": "sailor-" + strconv.Itoa(f.n), "password": lanyardtest.Password}}
	},
	"auth-login": func(f *fixture) request {
		email := f.email()
		f.Registered(email)
		return request{by: f.Client(), path: "/api/auth/login", body: obj{"email": email, "password": lanyardtest.Password, "delivery": "body"}}
	},
	"auth-refresh": func(f *fixture) request {
		return request{by: f.Client(), path: "/api/auth/refresh", body: obj{"refreshToken": f.user().Refresh}}
	},
	"auth-logout": func(f *fixture) request {
		c := f.user()
		return request{by: c, path: "/api/auth/logout", body: obj{"refreshToken": c.Refresh}}
	},
	"auth-logout-all": func(f *fixture) request { return request{by: f.user(), path: "/api/auth/logout-all"} },
	"auth-forgot-password": func(f *fixture) request {
		email := f.email()
		f.Registered(email)
		return request{by: f.Client(), path: "/api/auth/forgot-password", body: obj{"email": email}}
	},
	"auth-reset-password": func(f *fixture) request {
		return request{by: f.Client(), path: "/api/auth/reset-password", body: obj{"token": f.resetToken(), "newPassword": another}}
	},
	"auth-reset-password-link": func(f *fixture) request {
		return request{by: f.Client(), path: "/api/auth/reset-password/" + f.resetToken()}
	},
	"auth-check-password-needed": func(f *fixture) request {
		email := f.email()
		f.Registered(email)
		return request{by: f.Client(), path: "/api/auth/check-password-needed", body: obj{"email": email}}
	},
	"auth-verify-email-link": func(f *fixture) request {
		return request{by: f.Client(), path: "/api/auth/verify-email/" + f.verification()}
	},
	"auth-verify-email": func(f *fixture) request {
		return request{by: f.Client(), path: "/api/auth/verify-email", body: obj{"token": f.verification()}}
	},
	"auth-resend-verification": func(f *fixture) request {
		email := f.email()
		f.Client().Post("/api/auth/register", obj{"email": email, "password": lanyardtest.Password}).Want(http.StatusCreated)
		return request{by: f.Client(), path: "/api/auth/resend-verification", body: obj{"email": email}}
	},
}

func (f *fixture) resetToken() string {
	email := f.email()
	f.Registered(email)
	f.Client().Post("/api/auth/forgot-password", obj{"email": email}).Want(http.StatusAccepted)
	return f.MailedToken(email)
}

func (f *fixture) verification() string {
	email := f.email()
	f.Client().Post("/api/auth/register", obj{"email": email, "password": lanyardtest.Password}).Want(http.StatusCreated)
	return f.MailedToken(email)
}

var account = map[string]sampler{
	"auth-change-password": func(f *fixture) request {
		// A browser, which gets a new session by it; a client with tokens costs less.
		email := f.email()
		f.Registered(email)
		by := f.Browser()
		by.Post("/api/auth/login", obj{"email": email, "password": lanyardtest.Password}).Want(http.StatusOK)
		return request{by: by, path: "/api/auth/change-password", body: obj{"currentPassword": lanyardtest.Password, "newPassword": another}}
	},
	"auth-me": func(f *fixture) request { return request{by: f.user(), path: "/api/auth/me"} },
	"auth-me-change": func(f *fixture) request {
		return request{by: f.user(), path: "/api/auth/me", body: obj{"profile": obj{"firstName": "Grace", "language": "de"}}}
	},
	"auth-me-delete": func(f *fixture) request {
		return request{by: f.user(), path: "/api/auth/me", body: obj{"password": lanyardtest.Password}}
	},
	"auth-change-email": func(f *fixture) request {
		return request{by: f.user(), path: "/api/auth/change-email", body: obj{"newEmail": f.email(), "password": lanyardtest.Password}}
	},
	"auth-sessions-list": func(f *fixture) request { return request{by: f.user(), path: "/api/auth/sessions"} },
	"auth-sessions-end": func(f *fixture) request {
		c := f.user()
		return request{by: c, path: "/api/auth/sessions/" + c.Get("/api/auth/sessions").Want(http.StatusOK).Text("items.0.id")}
	},
	"auth-activity": func(f *fixture) request { return request{by: f.user(), path: "/api/auth/activity"} },
	"invitations-accept": func(f *fixture) request {
		email := f.email()
		c := f.Registered(email)
		f.invitation(email)
		return request{by: c, path: "/api/invitations/accept", body: obj{"token": f.MailedToken(email)}}
	},
	"invitations-accept-link": func(f *fixture) request {
		email := f.email()
		f.invitation(email)
		return request{by: f.Client(), path: "/api/invitations/accept/" + f.MailedToken(email)}
	},
	"orgs-list": func(f *fixture) request { return request{by: f.people[0], path: "/api/organizations"} },
	"orgs-create": func(f *fixture) request {
		return request{by: f.user(), path: "/api/organizations", body: obj{"name": "Coastal Survey"}}
	},
}

var secondFactor = map[string]sampler{
	"auth-mfa-verify": func(f *fixture) request {
		_, email, code := f.enrolled()
		c := f.Client()
		pending := c.Post("/api/auth/login", obj{"email": email, "password": lanyardtest.Password, "delivery": "body"}).Want(http.StatusOK).Text("mfaToken")
		return request{by: c, path: "/api/auth/mfa/verify", body: obj{"mfaToken": pending, "code": code, "delivery": "body"}}
	},
	"auth-mfa-totp-enrol": func(f *fixture) request {
		return request{by: f.user(), path: "/api/auth/mfa/totp", body: obj{"password": lanyardtest.Password}}
	},
	"auth-mfa-totp-confirm": func(f *fixture) request {
		c := f.user()
		secret := c.Post("/api/auth/mfa/totp", obj{"password": lanyardtest.Password}).Want(http.StatusOK).Text("secret")
		return request{by: c, path: "/api/auth/mfa/totp/confirm", body: obj{"code": f.code(secret)}}
	},
	"auth-mfa-totp-disable": func(f *fixture) request {
		c, _, code := f.enrolled()
		return request{by: c, path: "/api/auth/mfa/totp", body: obj{"password": lanyardtest.Password, "code": code}}
	},
	"auth-mfa-recovery-codes": func(f *fixture) request {
		c, _, code := f.enrolled()
		return request{by: c, path: "/api/auth/mfa/recovery-codes", body: obj{"password": lanyardtest.Password, "code": code}}
	},
}

var tenancy = map[string]sampler{
	"orgs-get": func(f *fixture) request { return request{by: f.owner, path: "/api/organizations/" + f.org} },
	"orgs-change": func(f *fixture) request {
		f.n++
		return request{by: f.owner, path: "/api/organizations/" + f.org, body: obj{"name": "Coastal Survey " + strconv.Itoa(f.n)}}
	},
	"orgs-delete": func(f *fixture) request {
		c := f.user()
		return request{by: c, path: "/api/organizations/" + f.organization(c)}
	},
	"orgs-members-list": func(f *fixture) request { return request{by: f.owner, path: f.at("members")} },
	"orgs-members-add": func(f *fixture) request {
		return request{by: f.owner, path: f.at("members"), body: obj{"userId": f.user().UserID, "role": "member"}}
	},
	"orgs-members-change": func(f *fixture) request {
		return request{by: f.owner, path: f.at("members/" + f.member("member").UserID), body: obj{"role": "manager"}}
	},
	"orgs-members-remove": func(f *fixture) request {
		return request{by: f.owner, path: f.at("members/" + f.member("member").UserID)}
	},
	"orgs-invitations-list": func(f *fixture) request { return request{by: f.owner, path: f.at("invitations")} },
	"orgs-invitations-create": func(f *fixture) request {
		return request{by: f.owner, path: f.at("invitations"), body: obj{"email": f.email(), "role": "member"}}
	},
	"orgs-invitations-revoke": func(f *fixture) request {
		return request{by: f.owner, path: f.at("invitations/" + f.invitation(f.email()))}
	},
	"orgs-audit":    func(f *fixture) request { return request{by: f.owner, path: f.at("audit")} },
	"entities-list": func(f *fixture) request { return request{by: f.people[0], path: f.at("entities")} },
	"entities-create": func(f *fixture) request {
		return request{by: f.owner, path: f.at("entities"), body: obj{"type": "boat", "name": "Borealis"}}
	},
}

var contents = map[string]sampler{
	"entities-get": func(f *fixture) request { return request{by: f.people[0], path: "/api/entities/" + f.boat} },
	"entities-change": func(f *fixture) request {
		return request{by: f.people[0], path: "/api/entities/" + f.boat, body: obj{"name": "Aurora II"}}
	},
	"entities-delete": func(f *fixture) request { return request{by: f.owner, path: "/api/entities/" + f.entity()} },
	"entities-permissions-list": func(f *fixture) request {
		return request{by: f.owner, path: "/api/entities/" + f.boat + "/permissions"}
	},
	"entities-permissions-grant": func(f *fixture) request {
		return request{by: f.owner, path: "/api/entities/" + f.boat + "/permissions", body: obj{"userId": f.member("member").UserID, "level": "viewer"}}
	},
	"entities-permissions-change": func(f *fixture) request {
		boat := f.entity()
		f.grant(boat, f.people[1])
		return request{by: f.owner, path: "/api/entities/" + boat + "/permissions/" + f.people[1].UserID, body: obj{"level": "viewer"}}
	},
	"entities-permissions-revoke": func(f *fixture) request {
		boat := f.entity()
		f.grant(boat, f.people[1])
		return request{by: f.owner, path: "/api/entities/" + boat + "/permissions/" + f.people[1].UserID}
	},
	"documents-list": func(f *fixture) request {
		return request{by: f.people[0], path: "/api/entities/" + f.boat + "/documents"}
	},
	"documents-create": func(f *fixture) request {
		return request{by: f.people[0], path: "/api/entities/" + f.boat + "/documents", body: obj{"title": "Log", "content": "Calm."}}
	},
	"documents-get": func(f *fixture) request { return request{by: f.people[0], path: "/api/documents/" + f.doc} },
	"documents-change": func(f *fixture) request {
		return request{by: f.people[0], path: "/api/documents/" + f.doc, body: obj{"title": "Log II"}}
	},
	"documents-delete": func(f *fixture) request {
		return request{by: f.owner, path: "/api/documents/" + f.document(f.boats[1])}
	},
	"documents-shares-list": func(f *fixture) request { return request{by: f.owner, path: "/api/documents/" + f.doc + "/shares"} },
	"documents-shares-create": func(f *fixture) request {
		return request{by: f.owner, path: "/api/documents/" + f.document(f.boats[1]) + "/shares", body: obj{"userId": f.people[1].UserID, "level": "viewer"}}
	},
	"documents-shares-revoke": func(f *fixture) request {
		doc := f.document(f.boats[1])
		f.share(doc, f.people[1])
		return request{by: f.owner, path: "/api/documents/" + doc + "/shares/" + f.people[1].UserID}
	},
}

var questions = map[string]sampler{
	"permissions-check": func(f *fixture) request {
		return request{by: f.people[0], path: "/api/permissions/check", body: obj{"checks": []obj{{"entityId": f.boat, "action": "view"}}, "consistency": "cached"}}
	},
	"permissions-explain": func(f *fixture) request {
		return request{by: f.people[0], path: "/api/permissions/explain", body: obj{"entityId": f.boat, "action": "view"}}
	},
	"permissions-entities": func(f *fixture) request {
		return request{by: f.people[0], path: "/api/permissions/entities?action=view"}
	},
	"authzen-evaluation": func(f *fixture) request {
		return request{by: f.people[0], path: "/access/v1/evaluation", body: f.question()}
	},
	"authzen-evaluations": func(f *fixture) request {
		q := f.question()
		delete(q, "resource")
		q["evaluations"] = []obj{{"resource": obj{"type": "entity", "id": f.boat}}, {"resource": obj{"type": "document", "id": f.doc}}}
		return request{by: f.people[0], path: "/access/v1/evaluations", body: q}
	},
	"authzen-search-resource": func(f *fixture) request {
		q := f.question()
		q["resource"] = obj{"type": "entity"}
		return request{by: f.people[0], path: "/access/v1/search/resource", body: q}
	},
	"authzen-search-action": func(f *fixture) request {
		q := f.question()
		delete(q, "action")
		return request{by: f.people[0], path: "/access/v1/search/action", body: q}
	},
	"authzen-search-subject": func(f *fixture) request {
		q := f.question()
		q["subject"] = obj{"type": "user"}
		return request{by: f.owner, path: "/access/v1/search/subject", body: q}
	},
}

func (f *fixture) question() obj {
	return obj{"subject": obj{"type": "user", "id": f.people[0].UserID}, "action": obj{"name": "view"}, "resource": obj{"type": "entity", "id": f.boat}}
}

// The lists of everything are spread over partitions by random ids, and how
// many rounds a page takes depends on how they fell: one row is always one.
var operating = map[string]sampler{
	"users-list": func(f *fixture) request { return request{by: f.admin, path: "/api/users?limit=1"} },
	"users-get":  func(f *fixture) request { return request{by: f.admin, path: "/api/users/" + f.people[0].UserID} },
	"users-change": func(f *fixture) request {
		return request{by: f.admin, path: "/api/users/" + f.user().UserID, body: obj{"profile": obj{"firstName": "Grace"}}}
	},
	"users-delete": func(f *fixture) request { return request{by: f.admin, path: "/api/users/" + f.user().UserID} },
	"users-suspend": func(f *fixture) request {
		return request{by: f.admin, path: "/api/users/" + f.user().UserID + "/suspend", body: obj{"reason": "asked"}}
	},
	"users-reactivate": func(f *fixture) request {
		id := f.user().UserID
		f.admin.Post("/api/users/"+id+"/suspend", obj{"reason": "asked"}).Want(http.StatusNoContent)
		return request{by: f.admin, path: "/api/users/" + id + "/reactivate", body: obj{"reason": "asked"}}
	},
	"users-logout": func(f *fixture) request {
		return request{by: f.admin, path: "/api/users/" + f.user().UserID + "/logout", body: obj{"reason": "asked"}}
	},
	"users-role": func(f *fixture) request {
		return request{by: f.admin, path: "/api/users/" + f.user().UserID + "/role", body: obj{"role": "ADMIN", "reason": "asked"}}
	},
	"admin-delegations-list": func(f *fixture) request { return request{by: f.admin, path: "/api/admin/delegations"} },
	"admin-delegations-create": func(f *fixture) request {
		return request{by: f.admin, path: "/api/admin/delegations", body: f.lending(f.user().UserID)}
	},
	"admin-delegations-revoke": func(f *fixture) request {
		return request{by: f.admin, path: "/api/admin/delegations/" + f.loan(f.user().UserID)}
	},
	"admin-audit": func(f *fixture) request { return request{by: f.admin, path: "/api/admin/audit?limit=1"} },
}

var open = map[string]sampler{
	"authzen-configuration": func(f *fixture) request { return request{by: f.Client(), path: "/.well-known/authzen-configuration"} },
	"public-jwks":           func(f *fixture) request { return request{by: f.Client(), path: "/.well-known/jwks.json"} },
	"public-metadata": func(f *fixture) request {
		return request{by: f.Client(), path: "/.well-known/oauth-authorization-server"}
	},
	"public-health":  func(f *fixture) request { return request{by: f.Client(), path: "/healthz"} },
	"public-openapi": func(f *fixture) request { return request{by: f.Client(), path: "/openapi.json"} },
	"public-docs":    func(f *fixture) request { return request{by: f.Client(), path: "/docs"} },
}
