package access_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// The oracle: the documented rules as plain set logic over words, sharing
// nothing with the code it judges. Every rule looks at the facts and names what
// it would give; the greatest of all that is named wins.

// given is what one rule gives. rank is the documented precedence between equals.
type given struct {
	level  string
	source string
	fact   string // kind and id of the fact
	rank   int
}

// situation is one user, one resource, one moment.
type situation struct {
	facts        access.Facts
	kind         string // entity or document
	id           string
	entity       string
	organization string
	now          time.Time
}

// oracleRules are the rules by name, so that a test can bend one of them.
type oracleRules struct {
	gives   map[string]func(situation) []given
	expired func(end, now time.Time) bool
	member  func(situation) bool
	better  func(a, b given) bool
	allows  map[string]string // level → its actions
}

var height = map[string]int{"none": 0, "viewer": 1, "editor": 2, "manager": 3, "admin": 4}

func documentedRules() *oracleRules {
	o := &oracleRules{}
	o.expired = func(end, now time.Time) bool { return !end.IsZero() && !end.After(now) }
	o.member = func(s situation) bool {
		m, ok := s.facts.Memberships[s.organization]
		return ok && m.Role != access.RoleNone
	}
	o.better = func(a, b given) bool {
		return height[a.level] > height[b.level] || height[a.level] == height[b.level] && a.rank < b.rank
	}
	o.allows = map[string]string{
		"none":    "",
		"viewer":  "view",
		"editor":  "view edit create",
		"manager": "view edit create delete share",
		"admin":   "view edit create delete share manage",
	}
	o.gives = map[string]func(situation) []given{
		"organization admin": func(s situation) []given {
			if s.facts.Memberships[s.organization].Role == access.RoleAdmin {
				return []given{{"admin", "org_role", "membership " + s.organization, 1}}
			}
			return nil
		},
		"organization manager": func(s situation) []given {
			if s.facts.Memberships[s.organization].Role == access.RoleManager {
				return []given{{"manager", "org_role", "membership " + s.organization, 1}}
			}
			return nil
		},
		"grant": func(s situation) []given {
			g, ok := s.facts.Grants[s.entity]
			if !ok || o.expired(g.ExpiresAt, s.now) || !o.member(s) {
				return nil
			}
			return []given{{g.Level.String(), "grant", "grant " + s.entity, 2}}
		},
		"organization viewer": func(s situation) []given {
			if s.facts.Memberships[s.organization].Role == access.RoleViewer {
				return []given{{"viewer", "org_role", "membership " + s.organization, 3}}
			}
			return nil
		},
		"share": func(s situation) []given {
			sh, ok := s.facts.Shares[s.id]
			if !ok || s.kind != "document" || o.expired(sh.ExpiresAt, s.now) {
				return nil
			}
			return []given{{sh.Level.String(), "share", "share " + s.id, 4}}
		},
		"super admin": func(s situation) []given {
			if s.facts.SuperAdmin {
				return []given{{"admin", "super_admin", "super_admin ", 5}}
			}
			return nil
		},
		"platform delegation": func(s situation) []given {
			d, ok := s.facts.Delegations["platform"]
			if !ok || d.ExpiresAt.IsZero() || o.expired(d.ExpiresAt, s.now) {
				return nil
			}
			return []given{{"admin", "super_admin", "delegation platform", 6}}
		},
		"organization delegation": func(s situation) []given {
			d, ok := s.facts.Delegations[s.organization]
			if !ok || d.ExpiresAt.IsZero() || o.expired(d.ExpiresAt, s.now) {
				return nil
			}
			return []given{{"admin", "super_admin", "delegation " + s.organization, 7}}
		},
	}
	return o
}

// standing gives the best of what the rules give.
func (o *oracleRules) standing(s situation) given {
	best := given{level: "none", source: "none", rank: 100}
	for _, name := range slices.Sorted(maps.Keys(o.gives)) {
		for _, g := range o.gives[name](s) {
			if g.level != "none" && o.better(g, best) {
				best = g
			}
		}
	}
	return best
}

// allowed says whether the best includes an action.
func (o *oracleRules) allowed(s situation, action string) bool {
	return slices.Contains(strings.Fields(o.allows[o.standing(s).level]), action)
}

func situationOf(f access.Facts, r access.Resource, now time.Time) situation {
	s := situation{facts: f, kind: r.Kind.String(), id: r.ID, entity: r.EntityID, organization: r.OrganizationID, now: now}
	if r.Kind == access.KindEntity {
		s.entity = r.ID
	}
	return s
}

// factText spells the deciding fact as the oracle does.
func factText(f access.Fact) string {
	switch f.Kind {
	case access.FactMembership:
		return "membership " + f.ID
	case access.FactGrant:
		return "grant " + f.ID
	case access.FactShare:
		return "share " + f.ID
	case access.FactSuperAdmin:
		return "super_admin " + f.ID
	case access.FactDelegation:
		return "delegation " + f.ID
	default:
		return "" // an expired fact explains, and gives nothing
	}
}
