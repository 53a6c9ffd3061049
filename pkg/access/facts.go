package access

import "time"

// Kind is what a resource is. The zero value is nothing that exists.
type Kind uint8

// The kinds of resource. KindPlatform stands for everything and occurs only as
// a Candidate.
const (
	KindOrganization Kind = iota + 1
	KindEntity
	KindDocument
	KindPlatform
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KindOrganization:
		return "organization"
	case KindEntity:
		return "entity"
	case KindDocument:
		return "document"
	case KindPlatform:
		return "platform"
	default:
		return "unknown"
	}
}

// Ref names a resource, without saying where it belongs.
type Ref struct {
	Kind Kind
	ID   string
}

// Resource is a resource and where it belongs, which never changes and is only
// ever taken from the store, never from a request.
type Resource struct {
	Kind           Kind
	ID             string
	EntityID       string // of a document: the entity it lies under
	OrganizationID string // of an organization: itself
}

// Ref names the resource.
func (r Resource) Ref() Ref { return Ref{r.Kind, r.ID} }

// entity is the entity that rules over the resource; empty when there is none.
func (r Resource) entity() string {
	switch r.Kind {
	case KindEntity:
		return r.ID
	case KindDocument:
		return r.EntityID
	default:
		return ""
	}
}

// ScopePlatform is the scope of a delegation over everything; every other scope
// is the id of one organization.
const ScopePlatform = "platform"

// Membership is a user's role in one organization.
type Membership struct {
	OrganizationID string
	Role           OrgRole
}

// Grant is a user's level on one entity. It counts only while the user is a
// member of the entity's organization.
type Grant struct {
	EntityID       string
	OrganizationID string
	Level          Level
	GrantedBy      string
	ExpiresAt      time.Time // zero: never
}

// Share is a user's level, viewer or editor, on one document.
type Share struct {
	DocumentID     string
	OrganizationID string
	Level          Level
	GrantedBy      string
	ExpiresAt      time.Time // zero: never
}

// Delegation is super-admin power lent to a user over a scope. It always ends:
// one without an end counts as ended.
type Delegation struct {
	Scope     string
	GrantedBy string
	ExpiresAt time.Time
	Reason    string
}

// Facts is what the store holds about one user's access. Facts that were handed
// to the resolver or the Checker are not changed any more by anyone.
type Facts struct {
	SuperAdmin  bool                  // the platform role ADMIN
	Memberships map[string]Membership // by organization
	Grants      map[string]Grant      // by entity
	Shares      map[string]Share      // by document
	Delegations map[string]Delegation // by scope

	// Complete says that these are all. Otherwise the user holds more facts
	// than one read should carry. The resolver does not look at it: it judges
	// by what it is given.
	Complete bool
}

// live reports whether something that ends at the given moment, or never when
// that is zero, is in force now. At the moment itself it has ended.
func live(end, now time.Time) bool { return end.IsZero() || now.Before(end) }

// live reports whether the delegation is in force.
func (d Delegation) live(now time.Time) bool { return now.Before(d.ExpiresAt) }

// nextExpiry is the earliest end among the facts still in force at now; zero
// when none of them ends. Ends that have passed are not counted: the store may
// keep expired items for days.
func (f *Facts) nextExpiry(now time.Time) time.Time {
	var next time.Time
	consider := func(end time.Time) {
		if now.Before(end) && (next.IsZero() || end.Before(next)) {
			next = end
		}
	}
	for _, g := range f.Grants {
		consider(g.ExpiresAt)
	}
	for _, s := range f.Shares {
		consider(s.ExpiresAt)
	}
	for _, d := range f.Delegations {
		consider(d.ExpiresAt)
	}
	return next
}
