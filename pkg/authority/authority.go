package authority

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Authority is a caller and the fact they act by. The zero value is no right.
type Authority struct {
	UserID  string
	Role    access.OrgRole // when the fact is a membership: which role it must still be
	Level   access.Level   // when the fact is a grant or a share: which level it must still be
	Source  access.Origin
	Because access.Fact
}

// InOrganization is the authority of a standing in an organization.
func InOrganization(userID string, s access.OrgStanding) Authority {
	return Authority{UserID: userID, Role: s.Role, Source: s.Source, Because: s.Because}
}

// On is the authority of a standing on an entity or a document.
func On(userID string, s access.Standing) Authority {
	a := Authority{UserID: userID, Level: s.Level, Source: s.Source, Because: s.Because}
	for _, r := range access.OrgRoles() {
		if s.Source == access.FromOrgRole && r.Level() == s.Level {
			a.Role = r
		}
	}
	return a
}

// Caller gives the signed-in user of a request. Operations declared for users
// always have one, and without one this fails closed.
func Caller(ctx context.Context) (*caller.Principal, error) {
	c, ok := caller.From(ctx)
	if !ok || c.Principal == nil {
		return nil, fault.New(fault.CodeUnauthenticated, fault.CodeUnauthenticated.Meaning())
	}
	return c.Principal, nil
}

// Lent reports whether the power is lent by a delegation.
func (a Authority) Lent() bool { return a.Because.Kind == access.FactDelegation }

// Own reports whether the right is a role, grant or share of the user's own,
// and not super-admin power.
func (a Authority) Own() bool { return a.Source != access.FromSuperAdmin }

// Event gives e with the power that was used, where it was not a right of the
// user's own.
func (a Authority) Event(e audit.Event) audit.Event {
	if a.Own() {
		return e
	}
	e.Details = maps.Clone(e.Details)
	if e.Details == nil {
		e.Details = map[string]string{}
	}
	e.Details["power"] = string(audit.SuperAdminPower)
	if a.Lent() {
		e.Details["power"] = string(audit.DelegatedPower)
		e.Details["scope"] = a.Because.ID
	}
	return e
}

// Holds gives the condition that the right still stands at the moment of the
// write, for its transaction: rights taken away meanwhile then refuse it. It is
// nil where the fact is one of skip, items that the transaction writes itself
// under a condition of its own, since DynamoDB takes one write an item.
func (a Authority) Holds(now time.Time, skip ...table.Key) *table.Write {
	var w *table.Write
	var key table.Key
	switch a.Because.Kind {
	case access.FactMembership:
		key = table.Membership(a.UserID, a.Because.ID)
		w = table.Check(key).If("'role' = ?", a.Role.String())
	case access.FactGrant:
		key = table.Grant(a.UserID, a.Because.ID)
		w = table.Check(key).If("'level' = ? AND (attribute_not_exists(expiresAt) OR expiresAt > ?)", a.Level.String(), table.At(now))
	case access.FactShare:
		key = table.Share(a.UserID, a.Because.ID)
		w = table.Check(key).If("'level' = ? AND (attribute_not_exists(expiresAt) OR expiresAt > ?)", a.Level.String(), table.At(now))
	case access.FactSuperAdmin:
		key = table.SuperAdmin(a.UserID)
		w = table.Check(key).IfExists()
	case access.FactDelegation:
		key = table.Delegation(a.UserID, a.Because.ID)
		w = table.Check(key).If("expiresAt > ?", table.At(now))
	default:
		// Nothing gives a right, so nothing may be written by it.
		key = table.SuperAdmin(a.UserID)
		return table.Check(key).If("attribute_exists(PK) AND attribute_not_exists(PK)").Else(errForbidden)
	}
	if slices.Contains(skip, key) {
		return nil
	}
	return w.Else(errForbidden)
}

var errForbidden = fault.New(fault.CodeForbidden, fault.CodeForbidden.Meaning())

// Limited refuses what lent power does not reach: whatever would outlast it.
func (a Authority) Limited() error {
	if a.Lent() {
		return fault.New(fault.CodeDelegateLimited, fault.CodeDelegateLimited.Meaning())
	}
	return nil
}

// SecondFactor refuses super-admin power, own or lent, to a session that has
// shown a password only, where the deployment requires more of admins.
func (a Authority) SecondFactor(required bool, p *caller.Principal) error {
	if required && !a.Own() {
		return RequireSecondFactor(p)
	}
	return nil
}

// RequireSecondFactor refuses a session whose method references (RFC 8176) show
// nothing beside a password.
func RequireSecondFactor(p *caller.Principal) error {
	if p != nil && slices.ContainsFunc(p.AMR, func(m string) bool { return m != "pwd" }) {
		return nil
	}
	return fault.New(fault.CodeMFARequired, fault.CodeMFARequired.Meaning())
}
