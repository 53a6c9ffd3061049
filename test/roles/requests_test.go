package roles

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// fixed is a request that is the same for everybody.
func fixed(rq request) func(*world, *person) request {
	return func(*world, *person) request { return rq }
}

func params(kv ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		out[kv[i]] = kv[i+1]
	}
	return out
}

// obj is a JSON object.
type obj = map[string]any

// requests gives for each row of docs/roles.md how it is tried. Those of the
// own account and the public ones need only be let in: what a wrong password or
// a spent token answers is other tests' matter, and ends nobody's account here.
func requests() map[string]row {
	body := func(b any) row { return row{make: fixed(request{body: b})} }
	ok := row{make: fixed(request{}), strict: true}
	rows := map[string]row{
		"auth-register": {make: func(w *world, _ *person) request {
			w.n++
			return request{body: obj{"username": "newcomer-" + strconv.Itoa(w.n), "password": lanyardtest.Password}}
		}, strict: true},
		"auth-login":                 body(obj{"username": "nobody-of-that-name", "password": lanyardtest.Password}),
		"auth-refresh":               {make: fixed(request{body: obj{}})},
		"auth-logout":                {make: fixed(request{body: obj{}}), spends: "session", strict: true},
		"auth-logout-all":            {make: fixed(request{}), spends: "session", strict: true},
		"auth-forgot-password":       body(obj{"email": "who@example.com"}),
		"auth-reset-password":        body(obj{"token": "spent", "newPassword": "another long password"}),
		"auth-reset-password-link":   {make: fixed(request{params: params("token", "spent")})},
		"auth-change-password":       body(obj{"currentPassword": "not the password", "newPassword": "another long password"}),
		"auth-check-password-needed": body(obj{"email": "who@example.com"}),
		"auth-verify-email-link":     {make: fixed(request{params: params("token", "spent")})},
		"auth-verify-email":          body(obj{"token": "spent"}),
		"auth-resend-verification":   body(obj{"email": "who@example.com"}),
		"auth-me":                    ok,
		"auth-me-change":             {make: fixed(request{body: obj{"profile": obj{"firstName": "Ann"}}}), strict: true},
		"auth-me-delete":             body(obj{"password": "not the password"}),
		"auth-change-email":          body(obj{"newEmail": "new@example.com", "password": "not the password"}),
		"auth-sessions-list":         ok,
		"auth-sessions-end":          {make: ownSession, spends: "session", strict: true},
		"auth-sessions-end/other":    {make: othersSession},
		"auth-activity":              ok,
		"auth-mfa-verify":            body(obj{"mfaToken": "spent", "code": "123456"}),
		"auth-mfa-totp-enrol":        body(obj{"password": "not the password"}),
		"auth-mfa-totp-confirm":      body(obj{"code": "123456"}),
		"auth-mfa-totp-disable":      body(obj{"password": "not the password", "code": "123456"}),
		"auth-mfa-recovery-codes":    body(obj{"password": "not the password", "code": "123456"}),
		"orgs-list":                  ok,
		"orgs-create":                {make: fixed(request{body: obj{"name": "Other"}}), strict: true},
		"invitations-accept":         body(obj{"token": "spent"}),
		"invitations-accept-link":    {make: fixed(request{params: params("token", "spent")})},
		"authzen-configuration":      ok,
		"public-jwks":                ok,
		"public-metadata":            ok,
		"public-health":              ok,
		"public-openapi":             ok,
		"public-docs":                ok,
		"users-list":                 ok,
		"admin-delegations-list":     ok,
		"admin-audit":                ok,
	}
	for name, r := range tenantRequests() {
		rows[name] = r
	}
	for name, r := range platformRequests() {
		rows[name] = r
	}
	return rows
}

// tenantRequests are those on the target tenant.
func tenantRequests() map[string]row {
	org := func(b any, spends string) row {
		return row{strict: true, spends: spends, make: func(w *world, _ *person) request {
			return request{params: params("orgId", w.target.org, "userId", w.target.member, "invitationId", w.target.invitation), body: b}
		}}
	}
	entity := func(b any, spends string) row {
		return row{strict: true, spends: spends, make: func(w *world, _ *person) request {
			return request{params: params("entityId", w.target.entity, "userId", w.target.grantee), body: b}
		}}
	}
	document := func(b any, spends string) row {
		return row{strict: true, spends: spends, make: func(w *world, _ *person) request {
			return request{params: params("documentId", w.target.document, "userId", w.target.shared), body: b}
		}}
	}
	about := func(body func(w *world) any) row {
		return row{strict: true, make: func(w *world, _ *person) request { return request{body: body(w)} }}
	}
	subject := func(p *person) obj { return obj{"type": "user", "id": p.id} }
	boat := func(w *world) obj { return obj{"type": "entity", "id": w.target.entity} }
	zen := func(body func(w *world, p *person) any) row {
		return row{strict: true, make: func(w *world, p *person) request { return request{body: body(w, p)} }}
	}
	return map[string]row{
		"orgs-get":          org(nil, ""),
		"orgs-change":       org(obj{"name": "Renamed"}, ""),
		"orgs-delete":       org(nil, "tenant"),
		"orgs-members-list": org(nil, ""),
		"orgs-members-add": {strict: true, spends: "spare", make: func(w *world, _ *person) request {
			return request{params: params("orgId", w.target.org), body: obj{"userId": w.spare, "role": "member"}}
		}},
		"orgs-members-change":   org(obj{"role": "viewer"}, ""),
		"orgs-members-remove":   org(nil, "member"),
		"orgs-invitations-list": org(nil, ""),
		"orgs-invitations-create": {strict: true, make: func(w *world, _ *person) request {
			w.n++
			return request{params: params("orgId", w.target.org), body: obj{"email": "guest-" + strconv.Itoa(w.n) + "@example.com", "role": "viewer"}}
		}},
		"orgs-invitations-revoke":          org(nil, "invitation"),
		"orgs-audit":                       org(nil, ""),
		"entities-list":                    org(nil, ""),
		"entities-create":                  org(obj{"type": "boat", "name": "Borealis"}, ""),
		"entities-get":                     entity(nil, ""),
		"entities-change":                  entity(obj{"name": "Renamed"}, ""),
		"entities-delete":                  entity(nil, "entity"),
		"entities-permissions-list":        entity(nil, ""),
		"entities-permissions-grant":       {strict: true, spends: "member", make: grantTo("editor")},
		"entities-permissions-grant/admin": {strict: true, spends: "member", make: grantTo("admin")},
		"entities-permissions-change":      entity(obj{"level": "editor"}, ""),
		"entities-permissions-revoke":      entity(nil, "entity"),
		"documents-list":                   entity(nil, ""),
		"documents-create":                 entity(obj{"title": "New"}, ""),
		"documents-get":                    document(nil, ""),
		"documents-change":                 document(obj{"title": "Renamed"}, ""),
		"documents-delete":                 document(nil, "document"),
		"documents-shares-list":            document(nil, ""),
		"documents-shares-create": {strict: true, spends: "spare", make: func(w *world, _ *person) request {
			return request{params: params("documentId", w.target.document), body: obj{"userId": w.spare, "level": "viewer"}}
		}},
		"documents-shares-revoke": document(nil, "document"),
		"permissions-check":       about(func(w *world) any { return obj{"checks": []obj{{"entityId": w.target.entity, "action": "view"}}} }),
		"permissions-check/other": about(func(w *world) any {
			return obj{"userId": w.target.member, "checks": []obj{{"entityId": w.target.entity, "action": "view"}}}
		}),
		"permissions-explain": about(func(w *world) any { return obj{"entityId": w.target.entity, "action": "view"} }),
		"permissions-explain/other": about(func(w *world) any {
			return obj{"userId": w.target.member, "entityId": w.target.entity, "action": "view"}
		}),
		"permissions-entities": {strict: true, make: fixed(request{query: "action=view"})},
		"permissions-entities/other": {strict: true, make: func(w *world, _ *person) request {
			return request{query: url.Values{"action": {"view"}, "organizationId": {w.target.org}, "userId": {w.target.member}}.Encode()}
		}},
		"authzen-evaluation": zen(func(w *world, p *person) any {
			return obj{"subject": subject(p), "action": obj{"name": "view"}, "resource": boat(w)}
		}),
		"authzen-evaluations": zen(func(w *world, p *person) any {
			return obj{"subject": subject(p), "action": obj{"name": "view"}, "evaluations": []obj{{"resource": boat(w)}}}
		}),
		"authzen-search-resource": zen(func(_ *world, p *person) any {
			return obj{"subject": subject(p), "action": obj{"name": "view"}, "resource": obj{"type": "entity"}}
		}),
		"authzen-search-action": zen(func(w *world, p *person) any { return obj{"subject": subject(p), "resource": boat(w)} }),
		"authzen-search-subject": zen(func(w *world, _ *person) any {
			return obj{"subject": obj{"type": "user"}, "action": obj{"name": "view"}, "resource": boat(w)}
		}),
	}
}

// platformRequests are the operators'.
func platformRequests() map[string]row {
	user := func(b any) row {
		return row{strict: true, spends: "spare", make: func(w *world, _ *person) request { return request{params: params("userId", w.spare), body: b} }}
	}
	return map[string]row{
		"users-get":     user(nil),
		"users-change":  user(obj{"profile": obj{"firstName": "Ann"}}),
		"users-delete":  user(nil),
		"users-suspend": user(obj{"reason": "asked"}),
		"users-reactivate": {spends: "spare", make: func(w *world, _ *person) request {
			return request{params: params("userId", w.spare), body: obj{"reason": "asked"}}
		}},
		"users-logout": user(obj{"reason": "asked"}),
		"users-role":   user(obj{"role": "ADMIN", "reason": "asked"}),
		"admin-delegations-create": {strict: true, spends: "spare", make: func(w *world, _ *person) request {
			return request{body: obj{"userId": w.spare, "scope": "platform", "reason": "cover", "expiresAt": w.Clock.Now().Add(time.Hour).Format(time.RFC3339)}}
		}},
		"admin-delegations-revoke": {strict: true, spends: "loan", make: func(w *world, _ *person) request { return request{params: params("delegationId", w.lent)} }},
	}
}

// grantTo grants to a member who has no grant yet.
func grantTo(level string) func(*world, *person) request {
	return func(w *world, _ *person) request {
		w.target.owner.program.Delete("/api/entities/"+w.target.entity+"/permissions/"+w.target.grantee, nil)
		return request{params: params("entityId", w.target.entity), body: obj{"userId": w.target.member, "level": level}}
	}
}

// ownSession is a session of the person themself, the one that is asking.
func ownSession(_ *world, p *person) request {
	if p.id == "" {
		return request{params: params("sessionId", "01900000-0000-7000-8000-0000000000f1")}
	}
	return request{params: params("sessionId", p.program.Get("/api/auth/sessions").Want(http.StatusOK).Text("items.0.id"))}
}

// othersSession is somebody else's.
func othersSession(w *world, _ *person) request {
	return request{params: params("sessionId", w.target.owner.program.Get("/api/auth/sessions").Want(http.StatusOK).Text("items.0.id"))}
}
