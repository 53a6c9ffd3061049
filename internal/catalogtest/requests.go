package catalogtest

import (
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// In these lists Path is what is added to the operation's path: a query, or
// ?user= and ?token= for the parameters of those names.

const (
	ok       = http.StatusOK
	created  = http.StatusCreated
	accepted = http.StatusAccepted
	none     = http.StatusNoContent
)

// account are the requests about the own account, and the public ones.
func (s *Scenario) account() []Request {
	anyone := s.Client()
	pw := lanyardtest.Password
	by := func(who *lanyardtest.Client, op string, body any, status int) Request {
		return Request{Operation: op, Body: body, By: who, Status: status}
	}
	app := s.Code("TOTP secret")
	return []Request{
		by(anyone, "auth-register", obj{"email": "newest@example.com", "username": "newest.one", "password": pw, "profile": obj{"firstName": "Ann"}}, created),
		by(anyone, "auth-login", obj{"email": "spare@example.com", "password": pw, "delivery": "body"}, ok),
		by(anyone, "auth-refresh", obj{"refreshToken": s.Owner.Refresh}, ok),
		by(anyone, "auth-logout", obj{"refreshToken": s.Owner.Refresh}, none),
		by(s.Owner, "auth-logout-all", nil, none),
		by(anyone, "auth-forgot-password", obj{"email": "spare@example.com"}, accepted),
		by(anyone, "auth-reset-password", obj{"token": s.Secrets["reset token"], "newPassword": NewPassword}, none),
		{Operation: "auth-reset-password-link", Path: "?token=" + s.Secrets["reset token"], By: anyone, Status: ok},
		by(s.Owner, "auth-change-password", obj{"currentPassword": pw, "newPassword": NewPassword}, none),
		by(anyone, "auth-check-password-needed", obj{"email": "spare@example.com"}, ok),
		{Operation: "auth-verify-email-link", Path: "?token=" + s.Secrets["verification token of a link"], By: s.reader(), Status: ok},
		by(anyone, "auth-verify-email", obj{"token": s.Secrets["verification token"]}, ok),
		by(anyone, "auth-resend-verification", obj{"email": "new@example.com"}, accepted),
		by(s.Owner, "auth-me", nil, ok),
		by(s.Owner, "auth-me-change", obj{"username": "renamed", "profile": obj{"firstName": "Re"}}, ok),
		by(s.Spare, "auth-me-delete", obj{"password": pw}, none),
		by(s.Owner, "auth-change-email", obj{"newEmail": "moved@example.com", "password": pw}, accepted),
		by(s.Owner, "auth-sessions-list", nil, ok),
		by(s.Owner, "auth-sessions-end", nil, none),
		by(s.Owner, "auth-activity", nil, ok),
		by(anyone, "auth-mfa-verify", obj{"mfaToken": s.Secrets["pending token"], "code": app, "delivery": "body"}, ok),
		by(s.Owner, "auth-mfa-totp-enrol", obj{"password": pw}, ok),
		by(s.Enrolling, "auth-mfa-totp-confirm", obj{"code": s.Code("unconfirmed TOTP secret")}, ok),
		by(s.App, "auth-mfa-totp-disable", obj{"password": pw, "code": app}, none),
		by(s.App, "auth-mfa-recovery-codes", obj{"password": pw, "code": app}, ok),
		by(anyone, "authzen-configuration", nil, ok),
		by(anyone, "public-jwks", nil, ok),
		by(anyone, "public-metadata", nil, ok),
		by(anyone, "public-health", nil, ok),
		by(anyone, "public-openapi", nil, ok),
		by(anyone, "public-docs", nil, ok),
	}
}

// reader is a program that follows a mailed link.
func (s *Scenario) reader() *lanyardtest.Client {
	c := s.Client()
	c.Header.Set("Accept", "application/json")
	return c
}

// tenantRequests are the requests about the tenant.
func (s *Scenario) tenantRequests() []Request {
	owner := func(op string, body any, status int) Request {
		return Request{Operation: op, Body: body, By: s.Owner, Status: status}
	}
	about := func(op string, user *lanyardtest.Client, body any, status int) Request {
		return Request{Operation: op, Path: "?user=" + user.UserID, Body: body, By: s.Owner, Status: status}
	}
	boat := obj{"type": "entity", "id": s.Entity}
	me := obj{"type": "user", "id": s.Owner.UserID}
	view := obj{"name": "view"}
	return []Request{
		owner("orgs-list", nil, ok),
		owner("orgs-create", obj{"name": "Other"}, created),
		owner("orgs-get", nil, ok),
		owner("orgs-change", obj{"name": "Renamed"}, ok),
		owner("orgs-delete", nil, none),
		owner("orgs-members-list", nil, ok),
		owner("orgs-members-add", obj{"userId": s.Spare.UserID, "role": "member"}, created),
		about("orgs-members-change", s.Member, obj{"role": "viewer"}, ok),
		about("orgs-members-remove", s.Member, nil, none),
		owner("orgs-invitations-list", nil, ok),
		owner("orgs-invitations-create", obj{"email": "another@example.com", "role": "viewer"}, created),
		owner("orgs-invitations-revoke", nil, none),
		{Operation: "invitations-accept", Body: obj{"token": s.Secrets["invitation token"]}, By: s.Guest, Status: ok},
		{Operation: "invitations-accept-link", Path: "?token=" + s.Secrets["invitation token"], By: s.Client(), Status: ok},
		owner("orgs-audit", nil, ok),
		owner("entities-list", nil, ok),
		owner("entities-create", obj{"type": "boat", "name": "Borealis", "attributes": obj{"length": 12}}, created),
		owner("entities-get", nil, ok),
		owner("entities-change", obj{"name": "Renamed"}, ok),
		owner("entities-delete", nil, none),
		owner("entities-permissions-list", nil, ok),
		owner("entities-permissions-grant", obj{"userId": s.Owner.UserID, "level": "editor"}, created),
		about("entities-permissions-change", s.Member, obj{"level": "editor"}, ok),
		about("entities-permissions-revoke", s.Member, nil, none),
		owner("documents-list", nil, ok),
		owner("documents-create", obj{"title": "New", "content": "text"}, created),
		owner("documents-get", nil, ok),
		owner("documents-change", obj{"title": "Renamed"}, ok),
		owner("documents-delete", nil, none),
		owner("documents-shares-list", nil, ok),
		owner("documents-shares-create", obj{"userId": s.Spare.UserID, "level": "viewer"}, created),
		about("documents-shares-revoke", s.Stranger, nil, none),
		owner("permissions-check", obj{"checks": []obj{{"entityId": s.Entity, "action": "view"}}}, ok),
		owner("permissions-explain", obj{"entityId": s.Entity, "action": "view"}, ok),
		{Operation: "permissions-entities", Path: "?action=view", By: s.Owner, Status: ok},
		owner("authzen-evaluation", obj{"subject": me, "action": view, "resource": boat}, ok),
		owner("authzen-evaluations", obj{"subject": me, "action": view, "evaluations": []obj{{"resource": boat}}}, ok),
		owner("authzen-search-resource", obj{"subject": me, "action": view, "resource": obj{"type": "entity"}}, ok),
		owner("authzen-search-action", obj{"subject": me, "resource": boat}, ok),
		owner("authzen-search-subject", obj{"subject": obj{"type": "user"}, "action": view, "resource": boat}, ok),
	}
}

// platform are the operators' requests.
func (s *Scenario) platform() []Request {
	root := func(op string, body any, status int) Request {
		return Request{Operation: op, Body: body, By: s.Root, Status: status}
	}
	user := func(op, id string, body any, status int) Request {
		return Request{Operation: op, Path: "?user=" + id, Body: body, By: s.Root, Status: status}
	}
	spare := s.Spare.UserID
	return []Request{
		root("users-list", nil, ok),
		user("users-get", spare, nil, ok),
		user("users-change", spare, obj{"profile": obj{"firstName": "Ann"}}, ok),
		user("users-delete", spare, nil, none),
		user("users-suspend", spare, obj{"reason": "asked"}, none),
		user("users-reactivate", s.Suspended, obj{"reason": "asked"}, none),
		user("users-logout", spare, obj{"reason": "asked"}, none),
		user("users-role", spare, obj{"role": "ADMIN", "reason": "asked"}, ok),
		root("admin-delegations-list", nil, ok),
		root("admin-delegations-create", obj{
			"userId": spare, "scope": "platform", "reason": "cover", "expiresAt": s.Clock.Now().Add(time.Hour).Format(time.RFC3339),
		}, created),
		root("admin-delegations-revoke", nil, none),
		root("admin-audit", nil, ok),
	}
}
