package access

import "time"

// index is a user's facts as they stand at one moment, laid out for checks that
// allocate nothing and read no more memory than they must. What has ended, and
// what has not, is settled when it is made; so it may be used only until the
// next of the facts ends, and a cache entry never lasts longer than that.
//
// Its keys are found by the hashes that the cache of resources has computed
// already.
type index struct {
	platform *claim // super-admin power over everything
	roles    claims // by organization
	powers   claims // by organization: delegations
	grants   claims // by entity
	shares   claims // by document
}

// claims is a hash table of claims that does not change any more: open
// addressing with linear probing, at most half full.
type claims struct {
	mask  uint64
	slots []claimSlot // none where there are no claims
}

type claimSlot struct {
	hash  uint64
	claim *claim // nil: empty
}

// find gives the claim about an id, or nil.
func (t *claims) find(hash uint64, id string) *claim {
	if len(t.slots) == 0 {
		return nil
	}
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		s := &t.slots[i]
		if s.claim == nil {
			return nil
		}
		if s.hash == hash && s.claim.fact.ID == id {
			return s.claim
		}
	}
}

// tabulate makes a table of facts by id.
func tabulate[F any](facts map[string]F, hash func(string) uint64, claimOf func(id string, f F) (claim, bool)) claims {
	if len(facts) == 0 {
		return claims{}
	}
	size := 2
	for size < 2*len(facts) {
		size *= 2
	}
	t := claims{mask: uint64(size - 1), slots: make([]claimSlot, size)}
	list := make([]claim, 0, len(facts))
	for id, f := range facts {
		c, ok := claimOf(id, f)
		if !ok {
			continue
		}
		list = append(list, c)
		h := hash(id)
		i := h & t.mask
		for t.slots[i].claim != nil {
			i = (i + 1) & t.mask
		}
		t.slots[i] = claimSlot{h, &list[len(list)-1]}
	}
	return t
}

func newIndex(f *Facts, hash func(string) uint64, now time.Time) *index {
	x := &index{
		roles: tabulate(f.Memberships, hash, func(id string, m Membership) (claim, bool) {
			return m.claim(id), m.Role.IsMember()
		}),
		grants: tabulate(f.Grants, hash, func(id string, g Grant) (claim, bool) { return g.claim(id, now), true }),
		shares: tabulate(f.Shares, hash, func(id string, s Share) (claim, bool) { return s.claim(id, now), true }),
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

// place is a resource with the hashes by which facts about it are found.
type place struct {
	hash, entityHash, organizationHash uint64
	Resource
}

// settle gives what the user holds on an entity or a document.
func (x *index) settle(p *place) verdict {
	var b bearing
	if b.role = x.roles.find(p.organizationHash, p.OrganizationID); b.role != nil {
		b.grant = x.grants.find(p.entityHash, p.entity())
	}
	if p.Kind == KindDocument {
		b.share = x.shares.find(p.hash, p.ID)
	}
	if b.power = x.platform; b.power == nil {
		b.power = x.powers.find(p.organizationHash, p.OrganizationID)
	}
	return b.settle()
}
