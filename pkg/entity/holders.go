package entity

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Who holds something on an entity is listed in three runs: those with a grant,
// then those whose organization role alone gives a level, then, for a document,
// those with a share. A place in the list is the run and the last user of it.
const (
	runGrants  = "g"
	runMembers = "m"
	runShares  = "s"
)

// Holder is a user who holds something on a resource.
type Holder struct {
	UserID   string
	Standing access.Standing
	grant    facts.Grant // where the standing comes from one
	place    string
}

// Permissions gives one page of those who hold something on an entity, and
// where the next begins.
func (s *Service) Permissions(ctx context.Context, entityID string, limit int, from string) ([]Permission, string, error) {
	r, err := s.grants(ctx, entityID, access.Cached)
	if err != nil {
		return nil, "", err
	}
	holders, next, err := s.Holders(ctx, r.place, access.ActionView, limit, from)
	if err != nil {
		return nil, "", err
	}
	out := make([]Permission, len(holders))
	for i, h := range holders {
		out[i] = Permission{UserID: h.UserID, Level: h.Standing.Level.String(), Source: h.Standing.Source.String()}
		if h.Standing.Source == access.FromGrant {
			out[i] = permission(&h.grant)
		}
	}
	return out, next, nil
}

// Holders gives one page of the users to whom a role, grant or share of their
// own allows an action on an entity or a document, each once, and where the
// next page begins. Whoever asks has been judged by the caller of Holders.
func (s *Service) Holders(ctx context.Context, place access.Resource, a access.Action, limit int, from string) (holders []Holder, next string, err error) {
	run, after, _ := strings.Cut(from, ":")
	runs := []string{runGrants, runMembers}
	if place.Kind == access.KindDocument {
		runs = append(runs, runShares)
	}
	facts := 2 // of each user
	if place.Kind == access.KindDocument {
		facts = 3
	}
	rounds, began := 0, from == ""
	for _, r := range runs {
		if began = began || r == run; !began {
			continue
		}
		for more := true; more; {
			if rounds++; rounds > maxRounds {
				return holders, r + ":" + after, nil
			}
			var users []string
			if users, more, err = s.listed(ctx, place, r, after, min(limit+2, perRound/facts)); err != nil {
				return nil, "", err
			}
			found, err := s.judge(ctx, place, r, a, users)
			if err != nil {
				return nil, "", err
			}
			for _, h := range found {
				if len(holders) == limit {
					return holders, holders[limit-1].place, nil
				}
				holders = append(holders, h)
			}
			if len(users) > 0 {
				after = users[len(users)-1]
			}
		}
		after = ""
	}
	return holders, "", nil
}

// listed gives the users that the index names in one run, behind a place.
func (s *Service) listed(ctx context.Context, place access.Resource, run, after string, limit int) (users []string, more bool, err error) {
	entity := place.ID
	if place.Kind == access.KindDocument {
		entity = place.EntityID
	}
	partition := map[string]string{
		runGrants:  table.EntityGrants(entity),
		runMembers: table.OrgMembers(place.OrganizationID),
		runShares:  table.DocumentShares(place.ID),
	}[run]
	page, err := s.Table.Query(ctx, table.Query{PK: partition, Index: true, From: past(after), To: "~", Limit: limit})
	if err != nil {
		return nil, false, fmt.Errorf("list users: %w", err)
	}
	for _, r := range page.Records {
		users = append(users, r.IndexSort())
	}
	return users, page.Next != nil, nil
}

// judge reads the facts of users about a resource from the table and gives
// those who belong in a run and are allowed the action.
func (s *Service) judge(ctx context.Context, place access.Resource, run string, a access.Action, users []string) ([]Holder, error) {
	entity := place.ID
	if place.Kind == access.KindDocument {
		entity = place.EntityID
	}
	var keys []table.Key
	for _, u := range users {
		keys = append(keys, table.Membership(u, place.OrganizationID), table.Grant(u, entity))
		if place.Kind == access.KindDocument {
			keys = append(keys, table.Share(u, place.ID))
		}
	}
	found, err := s.read(ctx, place, keys...)
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	now := s.Now()
	var out []Holder
	for _, u := range users {
		var (
			f access.Facts
			m facts.Membership
			g facts.Grant
			h facts.Share
		)
		if r, ok := found[table.Membership(u, place.OrganizationID)]; ok {
			if err := r.Decode(&m); err != nil {
				return nil, err
			}
			f.Memberships = map[string]access.Membership{m.OrgID: {OrganizationID: m.OrgID, Role: m.Role}}
		}
		if r, ok := found[table.Grant(u, entity)]; ok {
			if err := r.Decode(&g); err != nil {
				return nil, err
			}
			f.Grants = map[string]access.Grant{entity: {EntityID: entity, OrganizationID: g.OrgID, Level: g.Level,
				GrantedBy: g.GrantedBy, ExpiresAt: g.ExpiresAt.Time()}}
		}
		if r, ok := found[table.Share(u, place.ID)]; ok {
			if err := r.Decode(&h); err != nil {
				return nil, err
			}
			f.Shares = map[string]access.Share{place.ID: {DocumentID: place.ID, OrganizationID: h.OrgID, Level: h.Level,
				GrantedBy: h.GrantedBy, ExpiresAt: h.ExpiresAt.Time()}}
		}
		// Each user is in one run: the first that names them and holds.
		granted := f.Grants != nil && g.Live(now) && f.Memberships != nil
		switch run {
		case runGrants:
			if !granted {
				continue
			}
		case runMembers:
			if granted {
				continue
			}
			f.Shares = nil
		case runShares:
			byRole := f
			byRole.Shares = nil
			if granted || access.Resolve(&byRole, &place, now).Level.Allows(a) {
				continue
			}
		}
		if st := access.Resolve(&f, &place, now); st.Level.Allows(a) {
			out = append(out, Holder{u, st, g, run + ":" + u})
		}
	}
	return out, nil
}
