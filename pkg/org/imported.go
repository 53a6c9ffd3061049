package org

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/cascade"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// MaxImportedAdmins is how many admins an organization can come with: it and
// they are one transaction. More, and other members, come on their own.
const MaxImportedAdmins = 40

// Imported is an organization that another system kept.
type Imported struct {
	ID, SourceID, Batch, Name string
	Admins                    []string // ids of users; at least one
	CreatedAt                 time.Time
}

var (
	errNotActive = fault.Invalidf("body", "expected users who are there and active")
	errTwice     = fault.New(fault.CodeConflict, "This organization has been imported already.")
)

// Writes gives the writes that make the organization with its admins; the first
// is of its own item. The admins must be there and active; of those in appointed
// the caller writes the state itself.
func (i Imported) Writes(now time.Time, appointed ...string) ([]*table.Write, error) {
	if err := checkName("body.name", i.Name); err != nil {
		return nil, err
	}
	if !id.Valid(i.ID) || len(i.Admins) == 0 || len(i.Admins) > MaxImportedAdmins {
		return nil, fault.Invalidf("body.admins", "expected 1 to %d admins", MaxImportedAdmins)
	}
	created := i.CreatedAt
	if created.IsZero() {
		created = now
	}
	writes := []*table.Write{table.Create(item{
		Key: table.Organization(i.ID), IndexKey: table.InOrgList(i.ID), ID: i.ID, Name: i.Name, AdminCount: int64(len(i.Admins)),
		CreatedAt: table.At(created), UpdatedAt: table.At(now), SourceID: i.SourceID, Batch: i.Batch,
	}).Else(errTwice)}
	seen := map[string]bool{}
	for _, userID := range appointed {
		seen[userID] = true
	}
	member := map[string]bool{}
	for _, userID := range i.Admins {
		if member[userID] {
			return nil, fault.Invalidf("body.admins", "expected each admin once")
		}
		member[userID] = true
		m := facts.NewMembership(userID, i.ID, access.RoleAdmin, "", now)
		m.Batch = i.Batch
		writes = append(writes, table.Create(m))
		if !seen[userID] {
			writes = append(writes, account.Appoint(userID).Else(errNotActive))
		}
	}
	return writes, nil
}

// ImportedMember gives the writes that make a user a member; the first is of the
// membership.
func ImportedMember(userID, orgID string, role access.OrgRole, batch string, now time.Time) []*table.Write {
	m := facts.NewMembership(userID, orgID, role, "", now)
	m.Batch = batch
	writes := []*table.Write{table.Create(m).Else(fault.New(fault.CodeConflict, "This user is a member already."))}
	if role == access.RoleAdmin {
		return append(writes, account.Appoint(userID).Else(errNotActive), gains(orgID))
	}
	return append(writes, account.RequireActive(userID).Else(errNotActive), exists(orgID))
}

// Withdraw deletes an organization that a batch made, with everything in it, and
// reports whether there was one.
func (s *Service) Withdraw(ctx context.Context, orgID, batch string) (bool, error) {
	writes, err := s.Audit.Record(ctx, audit.Event{Type: audit.OrganizationDeleted, OrganizationID: orgID, Details: map[string]string{"batch": batch}})
	if err != nil {
		return false, err
	}
	clear, err := cascade.After(s.Now(), cascade.Organization, orgID)
	if err != nil {
		return false, err
	}
	defer s.Access.ForgetResources(access.Ref{Kind: access.KindOrganization, ID: orgID})
	err = s.Table.Transact(ctx, append(writes, clear, table.Delete(table.Organization(orgID)).If("'batch' = ?", batch).Else(errNotFound))...)
	if errors.Is(err, errNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("withdraw organization: %w", err)
	}
	return true, nil
}

// WithdrawAll is Withdraw of several organizations in one transaction. On an
// error none is deleted, and Withdraw says of each what stands in the way.
func (s *Service) WithdrawAll(ctx context.Context, orgIDs []string, batch string) error {
	var writes []*table.Write
	var refs []access.Ref
	for _, orgID := range orgIDs {
		event, err := s.Audit.Record(ctx, audit.Event{Type: audit.OrganizationDeleted, OrganizationID: orgID, Details: map[string]string{"batch": batch}})
		if err != nil {
			return err
		}
		writes = append(append(writes, event...), table.Delete(table.Organization(orgID)).If("'batch' = ?", batch).Else(errNotFound))
		refs = append(refs, access.Ref{Kind: access.KindOrganization, ID: orgID})
	}
	defer s.Access.ForgetResources(refs...)
	clear, err := cascade.AfterAll(s.Now(), cascade.Organization, orgIDs)
	if err != nil {
		return err
	}
	if err := s.Table.Transact(ctx, append(writes, clear)...); err != nil {
		return fmt.Errorf("withdraw organizations: %w", err)
	}
	return nil
}

// WithdrawOrphans ends those memberships that a batch made whose organization is
// gone, which is what its cascade would do. It gives the others.
func (s *Service) WithdrawOrphans(ctx context.Context, members []facts.Membership, batch string) (others []facts.Membership, err error) {
	var keys []table.Key
	for _, m := range members {
		if key := table.Organization(m.OrgID); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	there, err := s.Table.GetMany(ctx, keys, table.Strong)
	if err != nil {
		return nil, fmt.Errorf("read organizations: %w", err)
	}
	var writes []*table.Write
	var users []string
	for _, m := range members {
		if _, ok := there[table.Organization(m.OrgID)]; ok {
			others = append(others, m)
			continue
		}
		users = append(users, m.UserID)
		writes = append(writes, table.Delete(m.Key).If("attribute_not_exists(PK) OR 'batch' = ?", batch).Else(errRaced))
	}
	if len(writes) == 0 {
		return others, nil
	}
	defer s.Access.ForgetUsers(users...)
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return nil, fmt.Errorf("withdraw memberships: %w", err)
	}
	return others, nil
}

// WithdrawMember ends a membership that a batch made, with the grants under it,
// and reports whether there was one. A last admin stays, with last_admin.
func (s *Service) WithdrawMember(ctx context.Context, userID, orgID, batch string) (done bool, err error) {
	defer s.Access.ForgetUsers(userID)
	err = again(func() error {
		var m facts.Membership
		err := s.Table.Get(ctx, table.Membership(userID, orgID), table.Strong, &m)
		if errors.Is(err, table.ErrNotFound) || err == nil && m.Batch != batch {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read membership: %w", err)
		}
		if _, err := s.load(ctx, orgID); errors.Is(err, errNotFound) {
			// The organization went first, and this is what its cascade would do.
			done = true
			return s.Table.Write(ctx, table.Delete(m.Key).If("attribute_not_exists(PK) OR 'batch' = ?", batch).Else(errRaced))
		} else if err != nil {
			return err
		}
		held, err := s.heldIn(ctx, userID, orgID)
		if err != nil {
			return err
		}
		if held, err = s.thinOut(ctx, &m, held); err != nil {
			return err
		}
		writes, err := s.Audit.Record(ctx, audit.Event{Type: audit.MemberRemoved, OrganizationID: orgID, SubjectID: userID,
			Details: map[string]string{"role": m.Role.String(), "batch": batch}})
		if err != nil {
			return err
		}
		writes = append(writes, table.Delete(m.Key).If("'role' = ? AND issued = ?", m.Role.String(), m.Issued).Else(errRaced))
		if m.Role == access.RoleAdmin {
			writes = append(writes, loses(orgID))
		}
		for _, key := range held {
			writes = append(writes, table.Delete(key))
		}
		if err := s.Table.Transact(ctx, writes...); err != nil {
			return err
		}
		done = true
		return nil
	})
	return done, err
}
