package access

import "context"

// FactSource reads what the store holds about users' access. Every read is
// strongly consistent: what it returns may be served for as long as the cache
// keeps it, and that time is the whole published bound on stale rights.
//
// It may return facts that have expired; the resolver looks at the clock. It
// never returns part of an answer without an error.
type FactSource interface {
	// Facts reads everything about one user, as long as that is at most limit
	// facts. Beyond, it returns Complete false, and of what it then returns
	// only SuperAdmin and Delegations are looked at: these must be whole. With
	// a limit of 0 only these are wanted. A user nothing is known of has
	// complete, empty facts.
	Facts(ctx context.Context, userID string, limit int) (Facts, error)

	// FactsAbout reads what can bear on the given resources: SuperAdmin, the
	// delegations over the platform and over their organizations, the
	// memberships in these, the grants on the entities, and the shares of the
	// documents. Fields of a resource that are empty name nothing to read. More
	// than that does no harm.
	FactsAbout(ctx context.Context, userID string, resources []Resource) (Facts, error)

	// Held lists what the user holds facts of one kind about, in the order of
	// ids, beginning with from itself where that is among them, at most limit:
	// for KindOrganization memberships, for KindEntity grants, for KindDocument
	// shares. ID and, where the fact records it, OrganizationID are filled.
	// Fewer than limit means that there are no more.
	Held(ctx context.Context, userID string, kind Kind, from string, limit int) ([]Resource, error)
}

// ResourceSource says where resources belong.
type ResourceSource interface {
	// Resources reads the given entities, documents and organizations, which
	// are at most MaxBatch and all different, strongly consistently and from
	// the table, not an index. What does not exist is left out, and so is
	// everything whose entity or organization does not exist any more; order
	// does not matter. An id that cannot be one is an id that does not exist.
	Resources(ctx context.Context, refs []Ref) ([]Resource, error)
}

// Consistency is how fresh an answer must be. The zero value is Strong.
type Consistency uint8

// The consistencies.
const (
	Strong Consistency = iota // from reads that began after the question
	Cached                    // as it was at some moment within the cache's bound
)

// String gives the consistency as the API spells it.
func (c Consistency) String() string {
	if c == Cached {
		return "cached"
	}
	return "strong"
}
