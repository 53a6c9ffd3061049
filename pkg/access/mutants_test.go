package access_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// bentRules are wrong readings of the documented rules, each one that someone
// might plausibly build. Comparing the resolver with any of them must find a
// difference, or the comparison would not notice if the resolver were built so.
var bentRules = map[string]func(*oracleRules){
	"organization admin gives only manager": func(o *oracleRules) {
		swap(o, "organization admin", func(g given) given { g.level = "manager"; return g })
	},
	"organization manager gives admin": func(o *oracleRules) {
		swap(o, "organization manager", func(g given) given { g.level = "admin"; return g })
	},
	"organization viewer gives nothing": func(o *oracleRules) { delete(o.gives, "organization viewer") },
	"organization viewer gives editor": func(o *oracleRules) {
		swap(o, "organization viewer", func(g given) given { g.level = "editor"; return g })
	},
	"plain members view": func(o *oracleRules) {
		o.gives["plain member"] = func(s situation) []given {
			if s.facts.Memberships[s.organization].Role == access.RoleMember {
				return []given{{"viewer", "org_role", "membership " + s.organization, 3}}
			}
			return nil
		}
	},
	"a role counts in every organization": func(o *oracleRules) {
		o.gives["any organization"] = func(s situation) []given {
			for id, m := range s.facts.Memberships {
				if m.Role == access.RoleAdmin {
					return []given{{"admin", "org_role", "membership " + id, 1}}
				}
			}
			return nil
		}
	},
	"grants give nothing":               func(o *oracleRules) { delete(o.gives, "grant") },
	"a grant counts without membership": func(o *oracleRules) { o.member = func(situation) bool { return true } },
	"a grant counts for plain members only": func(o *oracleRules) {
		o.member = func(s situation) bool { return s.facts.Memberships[s.organization].Role == access.RoleMember }
	},
	"membership in any organization will do": func(o *oracleRules) {
		o.member = func(s situation) bool { return len(s.facts.Memberships) > 0 }
	},
	"a grant on any entity counts": func(o *oracleRules) {
		o.gives["any grant"] = func(s situation) []given {
			for id, g := range s.facts.Grants {
				if o.member(s) && !o.expired(g.ExpiresAt, s.now) {
					return []given{{g.Level.String(), "grant", "grant " + id, 2}}
				}
			}
			return nil
		}
	},
	"grants do not reach documents": func(o *oracleRules) {
		only(o, "grant", func(s situation) bool { return s.kind == "entity" })
	},
	"expiry is ignored": func(o *oracleRules) { o.expired = func(time.Time, time.Time) bool { return false } },
	"still in force at the moment it ends": func(o *oracleRules) {
		o.expired = func(end, now time.Time) bool { return !end.IsZero() && end.Before(now) }
	},
	"no end means ended": func(o *oracleRules) {
		o.expired = func(end, now time.Time) bool { return !end.After(now) }
	},
	"expiry is judged by the second": func(o *oracleRules) {
		o.expired = func(end, now time.Time) bool { return !end.IsZero() && end.Unix() <= now.Unix() }
	},
	"the least permissive wins": func(o *oracleRules) {
		o.better = func(a, b given) bool {
			return b.level == "none" || height[a.level] < height[b.level] || a.level == b.level && a.rank < b.rank
		}
	},
	"a grant overrides an organization role": func(o *oracleRules) {
		o.better = func(a, b given) bool {
			if grant, role := a.source == "grant", b.source == "org_role"; grant && role {
				return true
			}
			if grant, role := b.source == "grant", a.source == "org_role"; grant && role {
				return false
			}
			return height[a.level] > height[b.level] || a.level == b.level && a.rank < b.rank
		}
	},
	"between equals the grant is named before the manager": func(o *oracleRules) {
		swap(o, "grant", func(g given) given { g.rank = 0; return g })
	},
	"between equals the viewer is named before the grant": func(o *oracleRules) {
		swap(o, "organization viewer", func(g given) given { g.rank = 1; return g })
	},
	"between equals the share is named first": func(o *oracleRules) {
		swap(o, "share", func(g given) given { g.rank = 0; return g })
	},
	"super-admin power is named although it was not needed": func(o *oracleRules) {
		swap(o, "super admin", func(g given) given { g.rank = 0; return g })
	},
	"shares give nothing": func(o *oracleRules) { delete(o.gives, "share") },
	"a share needs membership": func(o *oracleRules) {
		only(o, "share", func(s situation) bool { return o.member(s) })
	},
	"a share always gives editor": func(o *oracleRules) {
		swap(o, "share", func(g given) given { g.level = "editor"; return g })
	},
	"a share reaches the whole entity": func(o *oracleRules) {
		o.gives["wide share"] = func(s situation) []given {
			for _, r := range universe {
				if sh, ok := s.facts.Shares[r.ID]; ok && r.EntityID == s.entity && !o.expired(sh.ExpiresAt, s.now) {
					return []given{{sh.Level.String(), "share", "share " + r.ID, 4}}
				}
			}
			return nil
		}
	},
	"super admins need membership": func(o *oracleRules) {
		only(o, "super admin", func(s situation) bool { return o.member(s) })
	},
	"super admins only manage": func(o *oracleRules) {
		swap(o, "super admin", func(g given) given { g.level = "manager"; return g })
	},
	"platform delegations give nothing":     func(o *oracleRules) { delete(o.gives, "platform delegation") },
	"organization delegations give nothing": func(o *oracleRules) { delete(o.gives, "organization delegation") },
	"a delegation reaches every organization": func(o *oracleRules) {
		o.gives["any delegation"] = func(s situation) []given {
			for scope, d := range s.facts.Delegations {
				if d.ExpiresAt.After(s.now) {
					return []given{{"admin", "super_admin", "delegation " + scope, 7}}
				}
			}
			return nil
		}
	},
	"a delegation without an end never ends": func(o *oracleRules) {
		o.gives["endless delegation"] = func(s situation) []given {
			if d, ok := s.facts.Delegations["platform"]; ok && d.ExpiresAt.IsZero() {
				return []given{{"admin", "super_admin", "delegation platform", 6}}
			}
			return nil
		}
	},
	"viewers edit":            func(o *oracleRules) { o.allows["viewer"] = "view edit" },
	"editors do not create":   func(o *oracleRules) { o.allows["editor"] = "view edit" },
	"editors delete":          func(o *oracleRules) { o.allows["editor"] = "view edit create delete" },
	"managers do not share":   func(o *oracleRules) { o.allows["manager"] = "view edit create delete" },
	"managers change grants":  func(o *oracleRules) { o.allows["manager"] = o.allows["admin"] },
	"admins change no grants": func(o *oracleRules) { o.allows["admin"] = o.allows["manager"] },
	"nothing lets one view":   func(o *oracleRules) { o.allows["none"] = "view" },
}

func swap(o *oracleRules, name string, change func(given) given) {
	rule := o.gives[name]
	o.gives[name] = func(s situation) []given {
		var out []given
		for _, g := range rule(s) {
			out = append(out, change(g))
		}
		return out
	}
}

func only(o *oracleRules, name string, when func(situation) bool) {
	rule := o.gives[name]
	o.gives[name] = func(s situation) []given {
		if !when(s) {
			return nil
		}
		return rule(s)
	}
}

func TestEveryBentRuleIsCaught(t *testing.T) {
	for name, bend := range bentRules {
		t.Run(name, func(t *testing.T) {
			o := documentedRules()
			bend(o)
			facts := rapid.Custom(drawFacts)
			for seed := range 5_000 {
				f := facts.Example(seed)
				for _, now := range moments {
					if disagreement(o, f, now) != "" {
						return
					}
				}
			}
			t.Error("the resolver was taken to agree with it")
		})
	}
}

// sourceMutations are changes of the code itself. Each must make the tests of
// the rules fail.
var sourceMutations = []struct{ file, old, new string }{
	{"resolve.go", "b.role.level >= LevelManager", "b.role.level > LevelManager"},
	{"resolve.go", "b.role.level >= LevelManager", "b.role.level >= LevelViewer"},
	{"resolve.go", "g != nil && g.level > v.level", "g != nil && g.level >= v.level"},
	{"resolve.go", "g != nil && g.level > v.level", "g != nil"},
	{"resolve.go", "if !g.ended {", "if true {"},
	{"resolve.go", "if b.role.level > v.level {", "if b.role.level >= v.level {"},
	{"resolve.go", "if b.role.level > v.level {", "if false {"},
	{"resolve.go", "s != nil && s.level > v.level", "s != nil && s.level >= v.level"},
	{"resolve.go", "if !s.ended {", "if true {"},
	{"resolve.go", "} else if b.role != nil && v.level == LevelNone {", "} else if v.level == LevelNone {"},
	{"resolve.go", "b.power.level > v.level", "b.power.level >= v.level"},
	{"resolve.go", "if b.role != nil {\n\t\tif b.role.level >=", "if true {\n\t\tif b.role != nil && b.role.level >="},
	{"resolve.go", "min(s.Level, LevelEditor)", "s.Level"},
	{"resolve.go", "ok && m.Role.IsMember() {\n\t\trole", "ok {\n\t\trole"},
	{"resolve.go", "if r.Kind == KindDocument {\n\t\tif s, ok", "if true {\n\t\tif s, ok"},
	{"resolve.go", "if f.SuperAdmin {", "if false {"},
	{"resolve.go", "f.Delegations[ScopePlatform]; ok && d.live(now)", "f.Delegations[ScopePlatform]; ok && !d.ExpiresAt.IsZero()"},
	{"resolve.go", "ok && organizationID != \"\" && d.live(now)", "ok && organizationID != \"\" && !d.ExpiresAt.IsZero()"},
	{"resolve.go", "ok && organizationID != \"\" && d.live(now)", "ok && d.live(now)"},
	{"resolve.go", "f == nil || entity == \"\" || r.OrganizationID == \"\"", "f == nil || entity == \"\""},
	{"resolve.go", "if s.Role < RoleAdmin {", "if s.Role < RoleManager {"},
	{"facts.go", "return end.IsZero() || now.Before(end)", "return end.IsZero() || !now.After(end)"},
	{"facts.go", "return end.IsZero() || now.Before(end)", "return now.Before(end)"},
	{"facts.go", "bool { return now.Before(d.ExpiresAt) }", "bool { return live(d.ExpiresAt, now) }"},
	{"facts.go", "\t\treturn r.EntityID", "\t\treturn r.ID"},
	{"facts.go", "end.Before(next)", "end.After(next)"},
	{"level.go", "case ActionDelete, ActionShare:\n\t\treturn LevelManager", "case ActionDelete, ActionShare:\n\t\treturn LevelEditor"},
	{"level.go", "\t\treturn LevelAdmin + 1", "\t\treturn LevelAdmin"},
	{"level.go", "l <= LevelAdmin && l >= a.needs()", "l >= a.needs()"},
	{"role.go", "case RoleViewer:\n\t\treturn LevelViewer", "case RoleMember, RoleViewer:\n\t\treturn LevelViewer"},
	{"role.go", "return r >= RoleMember && r <= RoleAdmin", "return r > RoleMember && r <= RoleAdmin"},
	{"role.go", "return r == RoleManager || r == RoleAdmin", "return r >= RoleViewer"},
	{"granting.go", "s.Level == LevelManager && s.Source == FromOrgRole", "s.Level == LevelManager"},
	{"granting.go", "level >= LevelViewer && level <= s.Grantable()", "level <= s.Grantable()"},
	{"granting.go", "return s.MayGrant(from) && (", "return ("},
	{"index.go", "scope != ScopePlatform && d.live(now)", "scope != ScopePlatform"},
	{"index.go", "if s.about == k.name {", "if true {"},
	{"index.go", "if s.claim.kind == FactNone {", "if true {"},
	{"held.go", "ttl = min(ttl, next.Sub(began))", "_ = next"},
	{"held.go", "how == Cached && e.fresh(now)", "how == Cached"},
	{"held.go", "if how == Cached {\n\t\twanted", "if true {\n\t\twanted"},
	{"held.go", "ok && p.fresh(now)", "ok"},
	{"cache.go", "if t.epoch != c.epochs[h%epochStripes] {", "if false {"},
	{"cache.go", "old != nil && old.ticket > t.sequence", "false"},
	{"cache.go", "\tc.epochs[h%epochStripes]++\n", ""},
	{"cache.go", "\tdelete(c.flights, key)\n\ti, old", "\ti, old"},
	{"cache.go", "\t\tc.slots[gap].Store(next)\n", ""},
	{"cache.go", "return uint64(now-e.began) < e.span", "return now-e.began < int64(e.span)"},
	{"flight.go", "if !f.cancelled {", "if true {"},
	{"flight.go", "err: errLoadPanicked}", "}"},
	{"places.go", "if how == Cached {\n\t\t\tif e :=", "if true {\n\t\t\tif e :="},
	{"places.go", "if r.OrganizationID == \"\" || r.Kind == KindDocument && r.EntityID == \"\" {", "if false {"},
	{"forget.go", "return p.EntityID == ref.ID", "return false"},
	{"forget.go", "return p.OrganizationID == ref.ID", "return false"},
	{"allowed.go", "return !w.covered(f, r.OrganizationID, now) &&", "return"},
	{"allowed.go", "return !Resolve(f, &under, now).Level.Allows(w.action) &&", "return under.ID != \"\" &&"},
	{"allowed.go", "if w.sel.OrganizationID == \"\" && w.powers", "if w.powers"},
	{"allowed.go", "\t\tnext = ids[MaxBatch]\n", ""},
	{"allowed.go", "return id < from", "return id <= from"},
	{"allowed.go", "(w.sel.OrganizationID == \"\" || r.OrganizationID == w.sel.OrganizationID)", "true"},
	{"allowed.go", "if scope != ScopePlatform {", "if false {"},
	{"look.go", "v.now = c.now() // after", "// after"},
	{"look.go", "if c.ttl == 0 {", "if false {"},
	{"checker.go", "u.fresh(at) && !u.value.many", "u.fresh(at)"},
	{"checker.go", "(member || live(s.ExpiresAt, v.now))", "true"},
}

// TestEveryMutationOfTheSourceIsCaught builds this package once for each
// mutation, which takes minutes; LANYARD_MUTATE=1 runs it.
func TestEveryMutationOfTheSourceIsCaught(t *testing.T) {
	if os.Getenv("LANYARD_MUTATE") == "" {
		t.Skip("LANYARD_MUTATE is not set")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range sourceMutations {
		t.Run(m.file+": "+m.new, func(t *testing.T) {
			path := filepath.Join(dir, m.file)
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.old); n != 1 {
				t.Fatalf("%q stands there %d times, not once", m.old, n)
			}
			tmp := t.TempDir()
			mutant := filepath.Join(tmp, m.file)
			if err := os.WriteFile(mutant, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: mutant}})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(tmp, "overlay.json"), overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			build := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", filepath.Join(tmp, "overlay.json"), "-o", filepath.Join(tmp, "mutant.test"), ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("it does not build: %v\n%s", err, out)
			}
			run := exec.CommandContext(ctx, filepath.Join(tmp, "mutant.test"), "-test.short", "-test.failfast", "-test.timeout=30s", "-rapid.nofailfile")
			run.Env = append(os.Environ(), "LANYARD_MUTATE=")
			if out, err := run.CombinedOutput(); err == nil {
				t.Errorf("every test passed\n%s", out)
			}
		})
	}
}
