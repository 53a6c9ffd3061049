package org

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Member is a member as answers show it.
type Member struct {
	UserID   string         `json:"userId" format:"uuid"`
	Email    *string        `json:"email" nullable:"true"`
	Username *string        `json:"username" nullable:"true"`
	Role     access.OrgRole `json:"role" enum:"admin,manager,viewer,member"`
	JoinedAt time.Time      `json:"joinedAt"`
}

func member(m *facts.Membership, st *account.State) Member {
	out := Member{UserID: m.UserID, Role: m.Role, JoinedAt: m.JoinedAt.Time()}
	if st.Email != "" {
		out.Email = &st.Email
	}
	if st.Username != "" {
		out.Username = &st.Username
	}
	return out
}

// Members lists an organization's members in the order of their ids. The index
// says whose memberships to read; what it says of them is not used.
func (s *Service) Members(ctx context.Context, orgID string, in api.ListInput) (api.List[Member], error) {
	out := api.List[Member]{Items: []Member{}}
	a, _, err := s.authorize(ctx, orgID, access.Cached, anyMember)
	if err != nil {
		return out, err
	}
	query := cursor.Query("members", orgID)
	after, err := s.Cursors.Read(ctx, in.Cursor, query)
	if err != nil {
		return out, err
	}
	records, next, err := s.Table.QueryShards(ctx, table.Shards{
		Partitions: []string{table.OrgMembers(orgID)}, After: after, Limit: in.Limit,
	})
	if err != nil {
		return out, fmt.Errorf("list members: %w", err)
	}
	keys := []table.Key{table.Organization(orgID)}
	for _, r := range records {
		keys = append(keys, table.Membership(r.IndexSort(), orgID), table.UserState(r.IndexSort()))
	}
	// The index follows its table within moments, and so may these: what is
	// listed is shown, and nothing is decided by it. Only that there is no such
	// organization is never taken from a read that may be late.
	found, err := s.Table.GetMany(ctx, keys, table.Eventual)
	if err != nil {
		return out, fmt.Errorf("read members: %w", err)
	}
	if _, ok := found[keys[0]]; !ok {
		sure, err := s.Table.GetMany(ctx, keys[:1], table.Strong)
		if err != nil {
			return out, fmt.Errorf("read organization: %w", err)
		}
		if _, ok := sure[keys[0]]; !ok {
			return out, errNotFound
		}
	}
	for _, r := range records {
		m, st, err := decodeMember(found, r.IndexSort(), orgID)
		if err != nil {
			return out, err
		}
		if m != nil && st != nil {
			out.Items = append(out.Items, member(m, st))
		}
	}
	if out.NextCursor, err = s.Cursors.Next(ctx, next, query); err != nil {
		return out, err
	}
	return out, s.used(ctx, a, orgID, "members")
}

// decodeMember picks a membership and its user out of what was read; nil for
// what is not there.
func decodeMember(found map[table.Key]table.Record, userID, orgID string) (*facts.Membership, *account.State, error) {
	var m *facts.Membership
	var st *account.State
	if r, ok := found[table.Membership(userID, orgID)]; ok {
		m = &facts.Membership{}
		if err := r.Decode(m); err != nil {
			return nil, nil, err
		}
	}
	if r, ok := found[table.UserState(userID)]; ok {
		st = &account.State{}
		if err := r.Decode(st); err != nil {
			return nil, nil, err
		}
	}
	return m, st, nil
}

// readMember reads one user and what they are in an organization, afresh.
func (s *Service) readMember(ctx context.Context, userID, orgID string) (*facts.Membership, *account.State, error) {
	if !id.Valid(userID) {
		return nil, nil, errNotFound
	}
	found, err := s.Table.GetMany(ctx, []table.Key{table.Membership(userID, orgID), table.UserState(userID)}, table.Strong)
	if err != nil {
		return nil, nil, fmt.Errorf("read member: %w", err)
	}
	return decodeMember(found, userID, orgID)
}

// joins gives the writes by which a user becomes a member.
func joins(m facts.Membership) (membership *table.Write, others []*table.Write) {
	others = []*table.Write{exists(m.OrgID), account.RequireActive(m.UserID).Else(errNotFound)}
	if m.Role == access.RoleAdmin {
		others = []*table.Write{gains(m.OrgID), account.Appoint(m.UserID).Else(errNotFound)}
	}
	return table.Create(m), others
}

// Add makes a user a member. A user who is not active does not exist for this.
func (s *Service) Add(ctx context.Context, orgID, userID string, role access.OrgRole) (Member, error) {
	a, _, err := s.authorize(ctx, orgID, access.Strong, adminsOnly)
	if err != nil {
		return Member{}, err
	}
	if err := s.lasting(ctx, a, orgID); err != nil {
		return Member{}, err
	}
	was, st, err := s.readMember(ctx, userID, orgID)
	if err != nil {
		return Member{}, err
	}
	if st == nil || st.Status != account.Active {
		return Member{}, errNotFound
	}
	errMember := fault.New(fault.CodeAlreadyExists, "That user is a member already.")
	if was != nil {
		return Member{}, errMember
	}
	m := facts.NewMembership(userID, orgID, role, a.UserID, s.Now())
	writes, err := s.record(ctx, a, audit.Event{Type: audit.MemberAdded, OrganizationID: orgID, SubjectID: userID,
		Details: map[string]string{"role": role.String()}}, m.Key)
	if err != nil {
		return Member{}, err
	}
	create, others := joins(m)
	writes = append(append(writes, create.Else(errMember)), others...)
	defer s.Access.ForgetUsers(userID)
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return Member{}, fmt.Errorf("add member: %w", err)
	}
	return member(&m, st), nil
}

// Change gives a member another role. The last admin keeps theirs.
func (s *Service) Change(ctx context.Context, orgID, userID string, role access.OrgRole) (Member, error) {
	a, _, err := s.authorize(ctx, orgID, access.Strong, adminsOnly)
	if err != nil {
		return Member{}, err
	}
	if err := s.lasting(ctx, a, orgID); err != nil {
		return Member{}, err
	}
	var out Member
	err = again(func() error {
		m, st, err := s.readMember(ctx, userID, orgID)
		if err != nil {
			return err
		}
		if m == nil || st == nil {
			return errNotFound
		}
		if a.Own() && userID == a.UserID && m.Role != a.Role {
			return errForbidden // no admin any more
		}
		was := m.Role
		m.Role = role
		out = member(m, st)
		if was == role {
			return nil
		}
		writes, err := s.record(ctx, a, audit.Event{Type: audit.MemberChanged, OrganizationID: orgID, SubjectID: userID,
			Details: map[string]string{"role": role.String(), "was": was.String()}}, m.Key)
		if err != nil {
			return err
		}
		writes = append(writes, table.Update(m.Key).Set("role", role.String()).If("'role' = ?", was.String()).Else(errRaced))
		switch {
		case was == access.RoleAdmin:
			writes = append(writes, loses(orgID))
		case role == access.RoleAdmin:
			writes = append(writes, gains(orgID), account.Appoint(userID).Else(errNotFound))
		default:
			writes = append(writes, exists(orgID))
		}
		defer s.Access.ForgetUsers(userID)
		return s.Table.Transact(ctx, writes...)
	})
	if err != nil {
		return Member{}, fmt.Errorf("change member: %w", err)
	}
	return out, nil
}

// Remove ends a membership and, in the same transaction, every grant and share
// that the user has in the organization. Anyone may remove themself; the last
// admin may not go.
func (s *Service) Remove(ctx context.Context, orgID, userID string) error {
	a, role, err := s.authorize(ctx, orgID, access.Strong, anyMember)
	if err != nil {
		return err
	}
	if userID != a.UserID && !role.MayChangeOrganization() {
		return s.deny(ctx, a, orgID, errForbidden)
	}
	if err := again(func() error { return s.remove(ctx, a, orgID, userID) }); err != nil {
		return fmt.Errorf("remove member: %w", err)
	}
	return nil
}
