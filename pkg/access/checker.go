package access

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"
)

// Bounds and defaults of a Checker.
const (
	DefaultTTL       = time.Minute
	MaxTTL           = 5 * time.Minute
	DefaultUsers     = 10_000
	DefaultResources = 20_000
	DefaultMaxFacts  = 500
	MaxBatch         = 100
)

// Config sets up a Checker. The zero value of every field stands for its default.
type Config struct {
	TTL       time.Duration    // how old a cached answer can be; at most MaxTTL; negative: nothing is cached
	Users     int              // how many users' facts are kept
	Resources int              // how many entities, and how many documents, are kept
	MaxFacts  int              // beyond so many facts, a user's are read one resource at a time
	Now       func() time.Time // the clock
}

// Checker answers what users may do, from facts it reads and keeps for a
// bounded time. It keeps facts, not decisions, so that everything asked about
// one user comes from one read. It is safe for use by many goroutines.
//
// An error means that nothing was decided: whoever asks must refuse.
type Checker struct {
	facts     FactSource
	resources ResourceSource
	ttl       time.Duration
	maxFacts  int
	now       func() time.Time
	nano      func() int64 // now for the fast path: Unix nanoseconds

	users  *cache[*held]
	places [KindPlatform]*cache[place] // by kind; places[0] stays empty
	count  counters
}

// New makes a Checker.
func New(facts FactSource, resources ResourceSource, cfg Config) (*Checker, error) {
	if facts == nil || resources == nil {
		return nil, fmt.Errorf("access: a checker needs its sources")
	}
	if cfg.TTL == 0 {
		cfg.TTL = DefaultTTL
	}
	if cfg.TTL > MaxTTL {
		return nil, fmt.Errorf("access: cached rights may be %v old at most, not %v", MaxTTL, cfg.TTL)
	}
	if cfg.Users == 0 {
		cfg.Users = DefaultUsers
	}
	if cfg.Resources == 0 {
		cfg.Resources = DefaultResources
	}
	if cfg.MaxFacts == 0 {
		cfg.MaxFacts = DefaultMaxFacts
	}
	if cfg.Users < 0 || cfg.Resources < 0 || cfg.MaxFacts < 0 {
		return nil, fmt.Errorf("access: a checker cannot keep less than nothing")
	}
	var nano func() int64
	if now := cfg.Now; now != nil {
		nano = func() int64 { return now().UnixNano() }
	} else {
		cfg.Now = time.Now
		nano = newSteady().unixNano
	}
	seed := maphash.MakeSeed()
	c := &Checker{
		facts: facts, resources: resources,
		ttl: max(cfg.TTL, 0), maxFacts: cfg.MaxFacts, now: cfg.Now, nano: nano,
		users: newCache[*held](seed, cfg.Users),
	}
	for k := KindOrganization; k <= KindDocument; k++ {
		c.places[k] = newCache[place](seed, cfg.Resources)
	}
	return c, nil
}

// Check says whether a user may do something to an entity or a document. From
// the cache it takes no lock and allocates nothing.
func (c *Checker) Check(ctx context.Context, userID string, ref Ref, a Action, how Consistency) (Decision, error) {
	if how == Cached {
		at := c.nano()
		if u := c.user(userID, at); u != nil {
			if p := c.place(ref, at); p != nil {
				c.count.hit(u.hash, 1)
				return u.value.index.settle(p).decide(a, &p.Resource), nil
			}
		}
	}
	v, err := c.look(ctx, userID, []Ref{ref}, how)
	if err != nil {
		return Decision{}, err
	}
	r := v.resource(ref)
	return Decide(v.about(ref), &r, a, v.now), nil
}

// Standing gives what a user holds on an entity or a document, and where that
// belongs; the resource is the zero value, and the standing nothing, when it
// does not exist.
func (c *Checker) Standing(ctx context.Context, userID string, ref Ref, how Consistency) (Standing, Resource, error) {
	if how == Cached {
		at := c.nano()
		if u := c.user(userID, at); u != nil {
			if p := c.place(ref, at); p != nil {
				c.count.hit(u.hash, 1)
				return u.value.index.settle(p).standing(&p.Resource), p.Resource, nil
			}
		}
	}
	v, err := c.look(ctx, userID, []Ref{ref}, how)
	if err != nil {
		return Standing{}, Resource{}, err
	}
	r := v.resource(ref)
	return Resolve(v.about(ref), &r, v.now), r, nil
}

// user gives the cached facts of a user, if they are whole and may be used.
func (c *Checker) user(userID string, at int64) *entry[*held] {
	if u := c.users.get(userID); u != nil && u.fresh(at) && !u.value.many {
		return u
	}
	return nil
}

// place gives the cached place of an entity or a document, if it may be used.
func (c *Checker) place(ref Ref, at int64) *place {
	if ref.Kind != KindEntity && ref.Kind != KindDocument {
		return nil
	}
	if e := c.places[ref.Kind].get(ref.ID); e != nil && e.fresh(at) {
		return &e.value
	}
	return nil
}

// Role gives what a user is to an organization; nothing when it does not exist.
func (c *Checker) Role(ctx context.Context, userID, organizationID string, how Consistency) (OrgStanding, error) {
	ref := Ref{KindOrganization, organizationID}
	if how == Cached {
		at := c.nano()
		if u := c.user(userID, at); u != nil {
			if e := c.places[KindOrganization].get(organizationID); e != nil && e.fresh(at) {
				c.count.hit(u.hash, 1)
				return ResolveRole(&u.value.facts, organizationID, time.Unix(0, at)), nil
			}
		}
	}
	v, err := c.look(ctx, userID, []Ref{ref}, how)
	if err != nil {
		return OrgStanding{}, err
	}
	return ResolveRole(v.about(ref), v.resource(ref).OrganizationID, v.now), nil
}

// Question is one question of a batch.
type Question struct {
	Ref
	Action Action
}

// CheckMany answers up to MaxBatch questions about one user in their order, the
// same question as often as it is asked, from one read of the user's facts and
// one of the resources.
func (c *Checker) CheckMany(ctx context.Context, userID string, questions []Question, how Consistency) ([]Decision, error) {
	if len(questions) > MaxBatch {
		return nil, fmt.Errorf("access: %d questions at once; at most %d", len(questions), MaxBatch)
	}
	if how == Cached {
		if out := c.checkCached(userID, questions); out != nil {
			return out, nil
		}
	}
	refs := make([]Ref, len(questions))
	for i, q := range questions {
		refs[i] = q.Ref
	}
	v, err := c.look(ctx, userID, refs, how)
	if err != nil {
		return nil, err
	}
	out := make([]Decision, len(questions))
	for i, q := range questions {
		r := v.resource(q.Ref)
		out[i] = Decide(v.about(q.Ref), &r, q.Action, v.now)
	}
	return out, nil
}

// checkCached answers a batch from the cache, if that holds all of it.
func (c *Checker) checkCached(userID string, questions []Question) []Decision {
	at := c.nano()
	u := c.user(userID, at)
	if u == nil {
		return nil
	}
	out := make([]Decision, len(questions))
	for i, q := range questions {
		p := c.place(q.Ref, at)
		if p == nil {
			return nil
		}
		out[i] = u.value.index.settle(p).decide(q.Action, &p.Resource)
	}
	c.count.hit(u.hash, uint64(len(questions)))
	return out
}

// StandingsOn gives what a user holds on each of up to MaxBatch resources that
// the caller has itself just read from the table and knows to exist, with all
// they lie under. It reads nothing but the user's facts.
func (c *Checker) StandingsOn(ctx context.Context, userID string, resources []Resource, how Consistency) ([]Standing, error) {
	if len(resources) > MaxBatch {
		return nil, fmt.Errorf("access: %d resources at once; at most %d", len(resources), MaxBatch)
	}
	how = c.honest(how)
	u, err := c.factsOf(ctx, userID, how)
	if err != nil {
		return nil, err
	}
	known, err := c.factsAbout(ctx, userID, u, resources, how)
	if err != nil {
		return nil, err
	}
	now := c.now()
	out := make([]Standing, len(resources))
	for i := range resources {
		out[i] = Resolve(known.about(resources[i].Ref()), &resources[i], now)
	}
	return out, nil
}

// Explanation is a decision and the user's own facts that bear on it. A grant
// or share that has expired is among them. It says nothing about a resource the
// user has nothing to do with: neither whether it exists nor whose it is.
type Explanation struct {
	Decision   Decision
	Role       OrgRole     // in the organization; RoleNone: not a member
	Grant      *Grant      // on the entity, if the user is a member
	Share      *Share      // of the document
	Delegation *Delegation // one in force that reaches it
	SuperAdmin bool
}

// Explain answers one question with the facts behind it.
func (c *Checker) Explain(ctx context.Context, userID string, q Question, how Consistency) (Explanation, error) {
	v, err := c.look(ctx, userID, []Ref{q.Ref}, how)
	if err != nil {
		return Explanation{}, err
	}
	r, ok := v.found[q.Ref]
	if !ok {
		return Explanation{Decision: Denied()}, nil
	}
	f := v.about(q.Ref)
	e := Explanation{Decision: Decide(f, &r, q.Action, v.now), SuperAdmin: f.SuperAdmin}
	role := f.Memberships[r.OrganizationID].Role
	member := role.IsMember()
	if member {
		e.Role = role
		if g, ok := f.Grants[r.entity()]; ok {
			e.Grant = &g
		}
	}
	if s, ok := f.Shares[r.ID]; ok && (member || live(s.ExpiresAt, v.now)) {
		e.Share = &s
	}
	if power := f.power(r.OrganizationID, v.now); power.Kind == FactDelegation {
		d := f.Delegations[power.ID]
		e.Delegation = &d
	}
	return e, nil
}
