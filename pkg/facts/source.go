package facts

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Source reads facts and places from the table, always strongly consistently.
// It implements access.FactSource and access.ResourceSource.
type Source struct {
	table *table.Table
	met   met
}

// New makes a source. It makes no request.
func New(t *table.Table) *Source { return &Source{table: t} }

var (
	_ access.FactSource     = (*Source)(nil)
	_ access.ResourceSource = (*Source)(nil)
)

// Forget drops what the source remembers of where resources belong.
func (s *Source) Forget() { s.met.forget() }

// Facts reads everything about one user, in one request where that is at most
// limit facts; of a user who holds more, the powers only.
func (s *Source) Facts(ctx context.Context, userID string, limit int) (access.Facts, error) {
	if !id.Valid(userID) {
		return access.Facts{Complete: true}, nil
	}
	if limit <= 0 {
		return s.powers(ctx, userID)
	}
	f := access.Facts{Complete: true}
	q := table.Query{PK: table.User(userID), Prefix: table.PrefixAccess, Limit: limit + 1, Strong: table.Strong}
	for read := 0; ; {
		page, err := s.table.Query(ctx, q)
		if err != nil {
			return access.Facts{}, fmt.Errorf("read facts: %w", err)
		}
		if read += len(page.Records); read > limit {
			return s.powers(ctx, userID)
		}
		if err := collect(&f, page.Records); err != nil {
			return access.Facts{}, err
		}
		if page.Next == nil { // a page also ends at 1 MB
			return f, nil
		}
		q.After = page.Next
	}
}

// powers reads the platform role and the delegations.
func (s *Source) powers(ctx context.Context, userID string) (access.Facts, error) {
	page, err := s.table.Query(ctx, table.Query{
		PK: table.User(userID), Prefix: table.Delegation(userID, "").SK, Strong: table.Strong,
	})
	if err != nil {
		return access.Facts{}, fmt.Errorf("read delegations: %w", err)
	}
	var f access.Facts
	if err := collect(&f, page.Records); err != nil {
		return access.Facts{}, err
	}
	var admin SuperAdmin
	switch err := s.table.Get(ctx, table.SuperAdmin(userID), table.Strong, &admin); {
	case err == nil:
		f.SuperAdmin = true
	case !errors.Is(err, table.ErrNotFound):
		return access.Facts{}, fmt.Errorf("read platform role: %w", err)
	}
	return f, nil
}

// FactsAbout reads the facts that can bear on the resources, by key.
func (s *Source) FactsAbout(ctx context.Context, userID string, resources []access.Resource) (access.Facts, error) {
	var f access.Facts
	if !id.Valid(userID) {
		return f, nil
	}
	keys := []table.Key{table.SuperAdmin(userID), table.Delegation(userID, access.ScopePlatform)}
	for _, r := range resources {
		if id.Valid(r.OrganizationID) {
			keys = append(keys, table.Membership(userID, r.OrganizationID), table.Delegation(userID, r.OrganizationID))
		}
		entity := r.EntityID
		if r.Kind == access.KindEntity {
			entity = r.ID
		}
		if id.Valid(entity) {
			keys = append(keys, table.Grant(userID, entity))
		}
		if r.Kind == access.KindDocument && id.Valid(r.ID) {
			keys = append(keys, table.Share(userID, r.ID))
		}
	}
	found, err := s.table.GetMany(ctx, keys, table.Strong)
	if err != nil {
		return f, fmt.Errorf("read facts: %w", err)
	}
	records := make([]table.Record, 0, len(found))
	for _, r := range found {
		records = append(records, r)
	}
	return f, collect(&f, records)
}

// Held lists what the user holds facts of one kind about, in the order of ids.
func (s *Source) Held(ctx context.Context, userID string, kind access.Kind, from string, limit int) ([]access.Resource, error) {
	var prefix string
	switch kind {
	case access.KindOrganization:
		prefix = table.Membership(userID, "").SK
	case access.KindEntity:
		prefix = table.Grant(userID, "").SK
	case access.KindDocument:
		prefix = table.Share(userID, "").SK
	default:
		return nil, fmt.Errorf("nobody holds facts about a %s", kind)
	}
	if !id.Valid(userID) || limit <= 0 {
		return nil, nil
	}
	var out []access.Resource
	q := table.Query{PK: table.User(userID), From: prefix + from, To: prefix + "~", Limit: limit, Strong: table.Strong}
	for {
		page, err := s.table.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list facts: %w", err)
		}
		for _, r := range page.Records {
			var it struct {
				Org string `dynamo:"org"`
			}
			if err := r.Decode(&it); err != nil {
				return nil, err
			}
			out = append(out, access.Resource{Kind: kind, ID: r.Key().SK[len(prefix):], OrganizationID: it.Org})
		}
		if page.Next == nil || len(out) >= limit {
			return out[:min(len(out), limit)], nil
		}
		q.After, q.Limit = page.Next, limit-len(out)
	}
}

// collect sorts records of a user's facts into f. A record that cannot be read
// is an error: what it says might be the only right or the only power there is.
func collect(f *access.Facts, records []table.Record) error {
	for _, r := range records {
		about := table.IDFrom(r.Key().SK)
		var err error
		switch sk := r.Key().SK; {
		case sk == table.SuperAdmin("").SK:
			f.SuperAdmin = true
		case strings.HasPrefix(sk, table.Membership("", "").SK):
			var it Membership
			if err = r.Decode(&it); err == nil {
				put(&f.Memberships, about, access.Membership{OrganizationID: about, Role: it.Role})
			}
		case strings.HasPrefix(sk, table.Grant("", "").SK):
			var it Grant
			if err = r.Decode(&it); err == nil {
				put(&f.Grants, about, access.Grant{EntityID: about, OrganizationID: it.OrgID, Level: it.Level,
					GrantedBy: it.GrantedBy, ExpiresAt: it.ExpiresAt.Time()})
			}
		case strings.HasPrefix(sk, table.Share("", "").SK):
			var it Share
			if err = r.Decode(&it); err == nil {
				put(&f.Shares, about, access.Share{DocumentID: about, OrganizationID: it.OrgID, Level: it.Level,
					GrantedBy: it.GrantedBy, ExpiresAt: it.ExpiresAt.Time()})
			}
		case strings.HasPrefix(sk, table.Delegation("", "").SK):
			var it Delegation
			if err = r.Decode(&it); err == nil {
				put(&f.Delegations, about, access.Delegation{Scope: about, GrantedBy: it.GrantedBy,
					ExpiresAt: it.ExpiresAt.Time(), Reason: it.Reason})
			}
		default:
			err = fmt.Errorf("fact %q is of no known kind", sk)
		}
		if err != nil {
			return fmt.Errorf("read facts: %w", err)
		}
	}
	return nil
}

func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}
