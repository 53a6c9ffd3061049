package org

import (
	"context"
	"fmt"
	"strconv"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// withMembership is how many grants and shares go in the transaction that ends
// a membership; it has room for a few other writes.
const withMembership = 80

// remove ends a membership as it is read now.
//
// Grants count under a membership only, and giving one counts in the
// membership (facts.UnderMembership). So the condition on that count makes the
// transaction remove every grant there is: one that was given meanwhile makes
// it read again, and none can stay to come alive when the user joins anew.
func (s *Service) remove(ctx context.Context, a authority.Authority, orgID, userID string) error {
	m, _, err := s.readMember(ctx, userID, orgID)
	if err != nil {
		return err
	}
	if m == nil {
		return errNotFound
	}
	held, err := s.heldIn(ctx, userID, orgID)
	if err != nil {
		return err
	}
	defer s.Access.ForgetUsers(userID)
	details := map[string]string{"role": m.Role.String(), "grantsAndShares": strconv.Itoa(len(held))}
	if held, err = s.thinOut(ctx, m, held); err != nil {
		return err
	}
	writes, err := s.record(ctx, a, audit.Event{Type: audit.MemberRemoved, OrganizationID: orgID, SubjectID: userID, Details: details}, m.Key)
	if err != nil {
		return err
	}
	writes = append(writes, table.Delete(m.Key).If("'role' = ? AND issued = ?", m.Role.String(), m.Issued).Else(errRaced))
	if m.Role == access.RoleAdmin {
		writes = append(writes, loses(orgID))
	} else {
		writes = append(writes, exists(orgID))
	}
	for _, key := range held {
		writes = append(writes, table.Delete(key))
	}
	return s.Table.Transact(ctx, writes...)
}

// heldIn gives the keys of a user's grants and shares in an organization.
func (s *Service) heldIn(ctx context.Context, userID, orgID string) ([]table.Key, error) {
	page, err := s.Table.Query(ctx, table.Query{ // shares sort before grants, and nothing between
		PK: table.User(userID), From: table.Share(userID, "").SK, To: table.Grant(userID, "~").SK, Strong: table.Strong,
	})
	if err != nil {
		return nil, fmt.Errorf("read grants and shares: %w", err)
	}
	var keys []table.Key
	for _, r := range page.Records {
		var it struct {
			Org string `dynamo:"org"`
		}
		if err := r.Decode(&it); err != nil {
			return nil, err
		}
		if it.Org == orgID {
			keys = append(keys, r.Key())
		}
	}
	return keys, nil
}

// thinOut removes, ahead of the transaction that ends a membership, what does
// not fit into it. A last admin, who will not go, keeps everything. A crash on
// the way leaves a member with less; removing them again finishes it.
func (s *Service) thinOut(ctx context.Context, m *facts.Membership, held []table.Key) ([]table.Key, error) {
	if len(held) <= withMembership {
		return held, nil
	}
	it, err := s.load(ctx, m.OrgID)
	if err != nil {
		return nil, err
	}
	if m.Role == access.RoleAdmin && it.AdminCount <= 1 {
		return nil, errLastAdmin
	}
	for len(held) > withMembership {
		n := min(len(held)-withMembership, table.MaxTransaction)
		var writes []*table.Write
		for _, key := range held[:n] {
			writes = append(writes, table.Delete(key))
		}
		if err := s.Table.Transact(ctx, writes...); err != nil {
			return nil, err
		}
		held = held[n:]
	}
	return held, nil
}

// Departure lets users leave their organizations when their accounts are
// deleted.
type Departure struct{ table *table.Table }

// NewDeparture makes a Departure. It makes no request.
func NewDeparture(t *table.Table) *Departure { return &Departure{t} }

// withDeletion is how many organizations a user leaves in the transaction that
// deletes their account, by two writes each.
const withDeletion = 40

// Leave gives the writes by which a user ceases to be admin of organizations.
// Where they are the last admin it fails, and the account stays. Plain
// memberships need nothing: they go with the user's partition.
func (d *Departure) Leave(ctx context.Context, st *account.State) ([]*table.Write, error) {
	page, err := d.table.Query(ctx, table.Query{
		PK: table.User(st.ID), Prefix: table.Membership(st.ID, "").SK, Strong: table.Strong,
	})
	if err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	all, err := table.Decode[facts.Membership](page.Records)
	if err != nil {
		return nil, err
	}
	var keys []table.Key
	for _, m := range all {
		if m.Role == access.RoleAdmin {
			keys = append(keys, table.Organization(m.OrgID))
		}
	}
	found, err := d.table.GetMany(ctx, keys, table.Strong)
	if err != nil {
		return nil, fmt.Errorf("read organizations: %w", err)
	}
	var writes []*table.Write
	for _, key := range keys {
		r, ok := found[key]
		if !ok {
			continue // deleted, and not cleared away yet
		}
		var it item
		if err := r.Decode(&it); err != nil {
			return nil, err
		}
		if it.AdminCount <= 1 { // before anything is written
			return nil, errLastAdmin
		}
		writes = append(writes, loses(it.ID),
			table.Delete(table.Membership(st.ID, it.ID)).If("'role' = ?", access.RoleAdmin.String()))
	}
	for len(writes) > 2*withDeletion {
		n := min(len(writes)-2*withDeletion, table.MaxTransaction)
		if err := d.table.Transact(ctx, writes[:n]...); err != nil {
			return nil, fmt.Errorf("leave organizations: %w", err)
		}
		writes = writes[n:]
	}
	return writes, nil
}
