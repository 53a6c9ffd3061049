package access

import "time"

// Standing is what a user holds on a resource: the level, where it comes from,
// and the fact that gave it. The zero value is nothing.
type Standing struct {
	Level   Level
	Source  Origin
	Because Fact
}

// Fact is the one fact a standing rests on. The zero value is no fact.
type Fact struct {
	Kind      FactKind
	ID        string    // the organization, entity or document it is about, or a delegation's scope
	GrantedBy string    // who gave it, where that is recorded
	ExpiresAt time.Time // zero: never
}

// FactKind is what kind of fact one is.
type FactKind uint8

// The kinds of fact. An expired or missing one never gives a standing; the
// first two only explain one that is nothing.
const (
	FactNone FactKind = iota
	FactExpiredGrant
	FactExpiredShare
	FactMembership
	FactGrant
	FactShare
	FactSuperAdmin
	FactDelegation
)

// Resolve gives a user's standing on an entity or a document. It needs no more
// than the facts that bear on the resource. Nil facts, an unknown kind and a
// resource without an organization give nothing.
//
// The order of the comparisons is the order of precedence between equals, see
// the package comment.
func Resolve(f *Facts, r *Resource, now time.Time) Standing {
	var s Standing
	entity := r.entity()
	if f == nil || entity == "" || r.OrganizationID == "" {
		return s
	}
	m, ok := f.Memberships[r.OrganizationID]
	member := ok && m.Role.IsMember()
	if member {
		byRole := m.Role.Level()
		if byRole >= LevelManager {
			s = Standing{byRole, FromOrgRole, Fact{Kind: FactMembership, ID: r.OrganizationID}}
		}
		if g, ok := f.Grants[entity]; ok && g.Level > s.Level && g.Level <= LevelAdmin {
			if live(g.ExpiresAt, now) {
				s = Standing{g.Level, FromGrant, Fact{FactGrant, entity, g.GrantedBy, g.ExpiresAt}}
			} else if s.Level == LevelNone {
				s.Because = Fact{FactExpiredGrant, entity, g.GrantedBy, g.ExpiresAt}
			}
		}
		if byRole > s.Level {
			s = Standing{byRole, FromOrgRole, Fact{Kind: FactMembership, ID: r.OrganizationID}}
		}
	}
	if r.Kind == KindDocument {
		if sh, ok := f.Shares[r.ID]; ok {
			// A share never gives more than editing the document itself.
			level := min(sh.Level, LevelEditor)
			if live(sh.ExpiresAt, now) {
				if level > s.Level {
					s = Standing{level, FromShare, Fact{FactShare, r.ID, sh.GrantedBy, sh.ExpiresAt}}
				}
			} else if member && s.Level == LevelNone {
				// Told to members only: to anyone else a document they may
				// not see answers exactly as one that does not exist.
				s.Because = Fact{FactExpiredShare, r.ID, sh.GrantedBy, sh.ExpiresAt}
			}
		}
	}
	if s.Level < LevelAdmin {
		if power := f.power(r.OrganizationID, now); power.Kind != FactNone {
			s = Standing{LevelAdmin, FromSuperAdmin, power}
		}
	}
	return s
}

// power gives the fact by which the user acts with super-admin power over an
// organization, if there is one: their own before lent, the wider before the
// narrower.
func (f *Facts) power(organizationID string, now time.Time) Fact {
	if f.SuperAdmin {
		return Fact{Kind: FactSuperAdmin}
	}
	if len(f.Delegations) == 0 {
		return Fact{}
	}
	if d, ok := f.Delegations[ScopePlatform]; ok && d.live(now) {
		return Fact{FactDelegation, ScopePlatform, d.GrantedBy, d.ExpiresAt}
	}
	if d, ok := f.Delegations[organizationID]; ok && d.live(now) {
		return Fact{FactDelegation, organizationID, d.GrantedBy, d.ExpiresAt}
	}
	return Fact{}
}

// OrgStanding is what a user is to an organization itself. The zero value is
// nothing: not a member, and without power over it.
type OrgStanding struct {
	Role    OrgRole
	Source  Origin
	Because Fact
}

// ResolveRole gives a user's standing in an organization. Super-admin power
// counts as the role admin, and is named where the user's own role is less.
func ResolveRole(f *Facts, organizationID string, now time.Time) OrgStanding {
	if f == nil || organizationID == "" {
		return OrgStanding{}
	}
	var s OrgStanding
	if m, ok := f.Memberships[organizationID]; ok && m.Role.IsMember() {
		s = OrgStanding{m.Role, FromOrgRole, Fact{Kind: FactMembership, ID: organizationID}}
	}
	if s.Role < RoleAdmin {
		if power := f.power(organizationID, now); power.Kind != FactNone {
			s = OrgStanding{RoleAdmin, FromSuperAdmin, power}
		}
	}
	return s
}

// Decision is the answer to one question. The zero value denies.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Level   Level  `json:"level"`
	Source  Origin `json:"source"`
	Reason  string `json:"reason"`
	Because Fact   `json:"-"`
}

// Decide says whether the facts permit the action on the resource, and why. It
// allocates nothing.
func Decide(f *Facts, r *Resource, a Action, now time.Time) Decision {
	return Resolve(f, r, now).Decide(a)
}

// Decide says whether the standing permits the action.
func (s Standing) Decide(a Action) Decision {
	allowed := s.Level.Allows(a)
	return Decision{allowed, s.Level, s.Source, s.reason(allowed), s.Because}
}
