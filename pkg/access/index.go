package access

import (
	"time"
	"unique"
)

// name is an interned id: comparing two reads no memory but the names.
type name = unique.Handle[string]

// index is a user's facts as they stand at one moment, laid out for checks that
// allocate nothing and read no more memory than they must. What has ended, and
// what has not, is settled when it is made; so it may be used only until the
// next of the facts ends, and a cache entry never lasts longer than that.
type index struct {
	platform *claim // super-admin power over everything
	roles    claims // by organization
	grants   claims // by entity
	shares   claims // by document
	powers   claims // by organization: delegations
}

// claims is a hash table of claims that does not change any more: open
// addressing with linear probing, at most two thirds full.
type claims struct {
	slots []claimSlot // a power of two, or none where there are no claims
}

type claimSlot struct {
	about name
	claim claim // of no fact: empty
}

// key is an id as a table of claims is asked for it.
type key struct {
	hash uint64
	name name
}

// find gives the claim about an id, or nil.
func (t *claims) find(k *key) *claim {
	if len(t.slots) == 0 {
		return nil
	}
	for i := k.hash; ; i++ {
		s := &t.slots[i&uint64(len(t.slots)-1)]
		if s.about == k.name {
			return &s.claim
		}
		if s.claim.kind == FactNone {
			return nil
		}
	}
}

// tabulate makes a table of facts by id.
func tabulate[F any](facts map[string]F, hash func(string) uint64, claimOf func(id string, f F) (claim, bool)) claims {
	if len(facts) == 0 {
		return claims{}
	}
	size := 2
	for 2*size < 3*len(facts) {
		size *= 2
	}
	t := claims{make([]claimSlot, size)}
	for id, f := range facts {
		c, ok := claimOf(id, f)
		if !ok {
			continue
		}
		i := hash(id) & uint64(size-1)
		for t.slots[i].claim.kind != FactNone {
			i = (i + 1) & uint64(size-1)
		}
		t.slots[i] = claimSlot{unique.Make(id), c}
	}
	return t
}

func newIndex(f *Facts, hash func(string) uint64, now time.Time) index {
	x := index{
		roles:  tabulate(f.Memberships, hash, func(_ string, m Membership) (claim, bool) { return m.claim(), m.Role.IsMember() }),
		grants: tabulate(f.Grants, hash, func(_ string, g Grant) (claim, bool) { return g.claim(now), true }),
		shares: tabulate(f.Shares, hash, func(_ string, s Share) (claim, bool) { return s.claim(now), true }),
	}
	if p := f.power("", now); p.Kind != FactNone {
		c := powerClaim(p)
		x.platform = &c
		return x
	}
	x.powers = tabulate(f.Delegations, hash, func(scope string, d Delegation) (claim, bool) {
		return powerClaim(f.power(scope, now)), scope != ScopePlatform && d.live(now)
	})
	return x
}

// place is a resource with the keys by which facts about it are found.
type place struct {
	organization, entity key
	self                 key // of a document
	Resource
}

func newPlace(r Resource, hash func(string) uint64) place {
	keyOf := func(id string) key { return key{hash(id), unique.Make(id)} }
	p := place{organization: keyOf(r.OrganizationID), entity: keyOf(r.entity()), Resource: r}
	if r.Kind == KindDocument {
		p.self = keyOf(r.ID)
	}
	return p
}

// settle gives what the user holds on an entity or a document.
func (x *index) settle(p *place) verdict {
	var b bearing
	if b.role = x.roles.find(&p.organization); b.role != nil {
		b.grant = x.grants.find(&p.entity)
	}
	if p.Kind == KindDocument {
		b.share = x.shares.find(&p.self)
	}
	if b.power = x.platform; b.power == nil {
		b.power = x.powers.find(&p.organization)
	}
	return b.settle()
}
