package access

import "time"

// Standing is what a user holds on a resource: the level, where it comes from,
// and the fact that gave it. The zero value is nothing.
type Standing struct {
	Level   Level
	Source  Origin
	Because Fact
}

// Fact names the one fact a standing rests on; Explain shows it in full. The
// zero value is no fact.
type Fact struct {
	Kind FactKind
	ID   string // the organization, entity or document it is about, or a delegation's scope
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

// claim is one fact as it bears on one resource at one moment. It is a word, so
// that it lies in the table it is found in: the resource says the ids.
type claim struct {
	level Level
	ended bool // its time is over; it only explains
	kind  FactKind
	wide  bool // a delegation over everything
}

// fact names the fact that a claim on a resource is of; nil: no fact.
func (c *claim) fact(r *Resource) Fact {
	if c == nil {
		return Fact{}
	}
	switch c.kind {
	case FactGrant, FactExpiredGrant:
		if r.Kind == KindDocument {
			return Fact{c.kind, r.EntityID}
		}
		return Fact{c.kind, r.ID}
	case FactMembership:
		return Fact{c.kind, r.OrganizationID}
	case FactShare, FactExpiredShare:
		return Fact{c.kind, r.ID}
	case FactDelegation:
		if c.wide {
			return Fact{c.kind, ScopePlatform}
		}
		return Fact{c.kind, r.OrganizationID}
	default: // of nothing in particular
		return Fact{Kind: c.kind}
	}
}

// bearing is everything a user holds that bears on one resource; nil: nothing
// of that sort. A role that is not nil says that the user is a member.
type bearing struct {
	role, grant, share, power *claim
}

// verdict is a standing that has not been copied out yet.
type verdict struct {
	level   Level
	source  Origin
	because *claim
}

// settle applies the rules; everything in this package that says what someone
// may do comes from here. Each comparison is strict, so that their order is the
// precedence between equals; see the package comment.
func (b *bearing) settle() verdict {
	var v verdict
	if b.role != nil {
		if b.role.level >= LevelManager {
			v = verdict{b.role.level, FromOrgRole, b.role}
		}
		if g := b.grant; g != nil && g.level > v.level {
			if !g.ended {
				v = verdict{g.level, FromGrant, g}
			} else if v.level == LevelNone {
				v.because = g
			}
		}
		if b.role.level > v.level {
			v = verdict{b.role.level, FromOrgRole, b.role}
		}
	}
	if s := b.share; s != nil && s.level > v.level {
		if !s.ended {
			v = verdict{s.level, FromShare, s}
		} else if b.role != nil && v.level == LevelNone {
			// Told to members only: to anyone else a document they may not
			// see answers exactly as one that does not exist.
			v.because = s
		}
	}
	if b.power != nil && b.power.level > v.level {
		v = verdict{b.power.level, FromSuperAdmin, b.power}
	}
	return v
}

// standing gives the verdict on a resource.
func (v verdict) standing(r *Resource) Standing {
	return Standing{Level: v.level, Source: v.source, Because: v.because.fact(r)}
}

// decide gives the verdict on a resource as the answer about an action.
func (v verdict) decide(a Action, r *Resource) Decision {
	because := v.because.fact(r)
	allowed := v.level.Allows(a)
	return Decision{allowed, v.level, v.source, reason(allowed, v.level, v.source, because.Kind), because}
}

// The sorts of claim, each about the resource its fact was found for. What is not
// a level claims nothing.

func (m Membership) claim() claim { return claim{level: m.Role.Level(), kind: FactMembership} }

func (g Grant) claim(now time.Time) claim {
	c := claim{level: g.Level, kind: FactGrant}
	if g.Level > LevelAdmin {
		c.level = LevelNone
	}
	if !live(g.ExpiresAt, now) {
		c.ended, c.kind = true, FactExpiredGrant
	}
	return c
}

func (s Share) claim(now time.Time) claim {
	c := claim{level: min(s.Level, LevelEditor), kind: FactShare}
	if s.Level > LevelAdmin {
		c.level = LevelNone
	}
	if !live(s.ExpiresAt, now) {
		c.ended, c.kind = true, FactExpiredShare
	}
	return c
}

func powerClaim(f Fact) claim {
	return claim{level: LevelAdmin, kind: f.Kind, wide: f.ID == ScopePlatform}
}

// Resolve gives a user's standing on an entity or a document. It needs no more
// than the facts that bear on the resource. Nil facts, an unknown kind and a
// resource without an organization give nothing. It allocates nothing.
func Resolve(f *Facts, r *Resource, now time.Time) Standing {
	entity := r.entity()
	if f == nil || entity == "" || r.OrganizationID == "" {
		return Standing{}
	}
	var (
		b                         bearing
		role, grant, share, power claim
	)
	if m, ok := f.Memberships[r.OrganizationID]; ok && m.Role.IsMember() {
		role = m.claim()
		b.role = &role
		if g, ok := f.Grants[entity]; ok {
			grant = g.claim(now)
			b.grant = &grant
		}
	}
	if r.Kind == KindDocument {
		if s, ok := f.Shares[r.ID]; ok {
			share = s.claim(now)
			b.share = &share
		}
	}
	if p := f.power(r.OrganizationID, now); p.Kind != FactNone {
		power = powerClaim(p)
		b.power = &power
	}
	return b.settle().standing(r)
}

// power gives the fact by which the user acts with super-admin power over an
// organization, if there is one: their own before lent, the wider before the
// narrower. With no organization it gives what reaches everything.
func (f *Facts) power(organizationID string, now time.Time) Fact {
	if f.SuperAdmin {
		return Fact{Kind: FactSuperAdmin}
	}
	if len(f.Delegations) == 0 {
		return Fact{}
	}
	if d, ok := f.Delegations[ScopePlatform]; ok && d.live(now) {
		return Fact{FactDelegation, ScopePlatform}
	}
	if d, ok := f.Delegations[organizationID]; ok && organizationID != "" && d.live(now) {
		return Fact{FactDelegation, organizationID}
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
	return Decision{allowed, s.Level, s.Source, reason(allowed, s.Level, s.Source, s.Because.Kind), s.Because}
}
