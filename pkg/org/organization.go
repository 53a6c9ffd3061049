package org

import (
	"context"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/cascade"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// List gives the organizations that the caller is a member of, in the order in
// which they were made. The list is the caller's own memberships; super-admin
// power does not widen it.
func (s *Service) List(ctx context.Context, in api.ListInput) (api.List[Organization], error) {
	none := api.List[Organization]{Items: []Organization{}}
	p, err := authority.Caller(ctx)
	if err != nil {
		return none, err
	}
	query := cursor.Query("organizations")
	after, err := s.Cursors.Read(ctx, in.Cursor, query)
	if err != nil {
		return none, err
	}
	q := table.Query{PK: table.User(p.UserID), Prefix: table.Membership(p.UserID, "").SK, Limit: in.Limit, Strong: table.Strong}
	if after != "" {
		k := table.Membership(p.UserID, after)
		q.After = table.Position{"PK": k.PK, "SK": k.SK}
	}
	page, err := s.Table.Query(ctx, q)
	if err != nil {
		return none, fmt.Errorf("list memberships: %w", err)
	}
	memberships, err := table.Decode[facts.Membership](page.Records)
	if err != nil {
		return none, err
	}
	keys := make([]table.Key, len(memberships))
	for i, m := range memberships {
		keys[i] = table.Organization(m.OrgID)
	}
	found, err := s.Table.GetMany(ctx, keys, table.Strong)
	if err != nil {
		return none, fmt.Errorf("read organizations: %w", err)
	}
	out := none
	for i, m := range memberships {
		r, ok := found[keys[i]]
		if !ok { // deleted, and not cleared away yet
			continue
		}
		var it item
		if err := r.Decode(&it); err != nil {
			return none, err
		}
		out.Items = append(out.Items, it.organization(m.Role))
	}
	if page.Next != nil {
		out.NextCursor, err = s.Cursors.Next(ctx, memberships[len(memberships)-1].OrgID, query)
	}
	return out, err
}

// Create makes an organization; the caller becomes its admin.
func (s *Service) Create(ctx context.Context, name string) (Organization, error) {
	p, err := authority.Caller(ctx)
	if err != nil {
		return Organization{}, err
	}
	if err := checkName("body.name", name); err != nil {
		return Organization{}, err
	}
	orgID, err := id.New()
	if err != nil {
		return Organization{}, err
	}
	now := s.Now().UTC()
	it := item{Key: table.Organization(orgID), IndexKey: table.InOrgList(orgID), ID: orgID, Name: name, AdminCount: 1,
		CreatedAt: table.At(now), UpdatedAt: table.At(now)}
	writes, err := s.Audit.Record(ctx, audit.Event{Type: audit.OrganizationCreated, OrganizationID: orgID,
		Details: map[string]string{"name": name}})
	if err != nil {
		return Organization{}, err
	}
	writes = append(writes, table.Create(it),
		table.Create(facts.NewMembership(p.UserID, orgID, access.RoleAdmin, p.UserID, now)),
		account.Appoint(p.UserID).Else(fault.New(fault.CodeSessionRevoked, fault.CodeSessionRevoked.Meaning())))
	defer s.Access.ForgetUsers(p.UserID)
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return Organization{}, fmt.Errorf("create organization: %w", err)
	}
	return it.organization(access.RoleAdmin), nil
}

// Get gives one organization to whoever is a member of it.
func (s *Service) Get(ctx context.Context, orgID string) (Organization, error) {
	a, role, err := s.authorize(ctx, orgID, access.Cached, anyMember)
	if err != nil {
		return Organization{}, err
	}
	it, err := s.load(ctx, orgID)
	if err != nil {
		return Organization{}, err
	}
	return it.organization(role), s.used(ctx, a, orgID, "organization")
}

// Rename changes an organization's name.
func (s *Service) Rename(ctx context.Context, orgID, name string) (Organization, error) {
	a, role, err := s.authorize(ctx, orgID, access.Strong, adminsOnly)
	if err != nil {
		return Organization{}, err
	}
	if err := checkName("body.name", name); err != nil {
		return Organization{}, err
	}
	it, err := s.load(ctx, orgID)
	if err != nil {
		return Organization{}, err
	}
	writes, err := s.record(ctx, a, audit.Event{Type: audit.OrganizationChanged, OrganizationID: orgID,
		Details: map[string]string{"name": name, "was": it.Name}})
	if err != nil {
		return Organization{}, err
	}
	it.Name, it.UpdatedAt = name, table.At(s.Now())
	writes = append(writes, table.Update(it.Key).Set("name", name).Set("updatedAt", it.UpdatedAt).IfExists().Else(errNotFound))
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return Organization{}, fmt.Errorf("rename organization: %w", err)
	}
	return it.organization(role), nil
}

// Delete ends an organization. Its own item goes at once, and with it
// everything under it stops answering; a cascade clears the rest away.
func (s *Service) Delete(ctx context.Context, orgID string) error {
	a, _, err := s.authorize(ctx, orgID, access.Strong, adminsOnly)
	if err != nil {
		return err
	}
	writes, err := s.record(ctx, a, audit.Event{Type: audit.OrganizationDeleted, OrganizationID: orgID})
	if err != nil {
		return err
	}
	clear, err := cascade.After(s.Now(), cascade.Organization, orgID)
	if err != nil {
		return err
	}
	writes = append(writes, clear, table.Delete(table.Organization(orgID)).IfExists().Else(errNotFound))
	defer s.Access.ForgetResources(access.Ref{Kind: access.KindOrganization, ID: orgID})
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return fmt.Errorf("delete organization: %w", err)
	}
	return nil
}

// Trail lists an organization's audit events, newest first.
func (s *Service) Trail(ctx context.Context, orgID string, f audit.Filter, in api.ListInput) (api.List[audit.Event], error) {
	none := api.List[audit.Event]{Items: []audit.Event{}}
	a, _, err := s.authorize(ctx, orgID, access.Cached, adminsOnly)
	if err != nil {
		return none, err
	}
	if _, err := s.load(ctx, orgID); err != nil {
		return none, err
	}
	query := cursor.Query("organization audit", orgID, f.String())
	after, err := s.Cursors.Read(ctx, in.Cursor, query)
	if err != nil {
		return none, err
	}
	events, next, err := s.Audit.List(ctx, audit.OrgStream(orgID), f, in.Limit, audit.Position(after))
	if err != nil {
		return none, fmt.Errorf("list audit events: %w", err)
	}
	out := api.List[audit.Event]{Items: append(none.Items, events...)}
	if out.NextCursor, err = s.Cursors.Next(ctx, string(next), query); err != nil {
		return none, err
	}
	return out, s.used(ctx, a, orgID, "audit")
}
