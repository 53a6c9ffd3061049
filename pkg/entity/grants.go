package entity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Permission is what one user holds on an entity.
type Permission struct {
	UserID    string     `json:"userId" format:"uuid"`
	Level     string     `json:"level" enum:"viewer,editor,manager,admin"`
	Source    string     `json:"source" enum:"org_role,grant" doc:"Where the level comes from; where both speak, the higher."`
	GrantedBy string     `json:"grantedBy,omitempty" doc:"Who gave the grant."`
	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When the grant ends; absent: never."`
}

func permission(g *facts.Grant) Permission {
	return Permission{
		UserID: g.UserID, Level: g.Level.String(), Source: access.FromGrant.String(),
		GrantedBy: g.GrantedBy, ExpiresAt: shown(g.ExpiresAt.Time()),
	}
}

// Grant is what is granted to whom.
type Grant struct {
	UserID    string `json:"userId" maxLength:"64" doc:"A member of the organization."`
	Level     string `json:"level" enum:"viewer,editor,manager,admin"`
	ExpiresAt Expiry `json:"expiresAt,omitempty"`
}

var errNoMember = fault.Invalidf("body.userId", "expected a member of the organization")

// grants is need for those who may give and see grants on an entity.
func (s *Service) grants(ctx context.Context, entityID string, how access.Consistency) (right, error) {
	return s.need(ctx, access.Ref{Kind: access.KindEntity, ID: entityID}, how, access.Standing.MaySeeGrants)
}

// Grant gives a member of the organization a level on an entity. Nobody gives
// more than their standing may give, and lent power gives nothing to the one
// who holds it: that would outlast it.
func (s *Service) Grant(ctx context.Context, entityID string, g Grant) (Permission, error) {
	r, err := s.grants(ctx, entityID, access.Strong)
	if err != nil {
		return Permission{}, err
	}
	level, err := access.ParseGrantLevel(g.Level)
	if err != nil {
		return Permission{}, fault.Invalidf("body.level", "expected a level")
	}
	ends, err := g.ExpiresAt.end(s.Now())
	if err != nil {
		return Permission{}, err
	}
	if !id.Valid(g.UserID) {
		return Permission{}, errNoMember
	}
	if !r.standing.MayGrant(level) {
		return Permission{}, s.refuse(ctx, r.by, r.place)
	}
	if g.UserID == r.me.UserID {
		if err := r.by.Limited(); err != nil {
			return Permission{}, err
		}
	}
	now, org := s.Now(), r.place.OrganizationID
	it := facts.NewGrant(g.UserID, entityID, org, level, r.me.UserID, now, ends)
	under := facts.UnderMembership(g.UserID, org).Else(errNoMember)
	if r.by.Because.Kind == access.FactMembership && g.UserID == r.me.UserID {
		under.If("'role' = ?", r.by.Role.String()).Else(errForbidden) // the caller's own, which is then not checked apart
	}
	err = s.commit(ctx, r.by, audit.Event{
		Type: audit.GrantCreated, SubjectID: g.UserID, OrganizationID: org, EntityID: entityID, Details: details(level, ends),
	}, []*table.Write{
		table.Check(table.Entity(entityID)).IfExists().Else(errNotFound),
		under,
		table.Put(it).If("attribute_not_exists(PK) OR expiresAt <= ?", table.At(now)).Else(errExists),
	}, table.Membership(g.UserID, org), it.Key)
	s.Access.ForgetUsers(g.UserID)
	if err != nil {
		return Permission{}, fmt.Errorf("grant: %w", err)
	}
	return permission(&it), nil
}

// GrantChange is what may change of a grant.
type GrantChange struct {
	Level     *string `json:"level,omitempty" enum:"viewer,editor,manager,admin"`
	ExpiresAt Expiry  `json:"expiresAt,omitempty"`
}

// ChangeGrant changes a grant in force. Both what it was and what it becomes
// must be within what the caller may give. Who acts by a grant that ends does
// not put off its end: whoever gave it meant it.
func (s *Service) ChangeGrant(ctx context.Context, entityID, userID string, c GrantChange) (p Permission, err error) {
	r, err := s.grants(ctx, entityID, access.Strong)
	if err != nil {
		return Permission{}, err
	}
	ends, err := c.ExpiresAt.end(s.Now())
	if err != nil {
		return Permission{}, err
	}
	err = again(func() error {
		g, err := s.grantOf(ctx, entityID, userID)
		if err != nil {
			return err
		}
		from := g.Level
		if c.Level != nil {
			if g.Level, err = access.ParseGrantLevel(*c.Level); err != nil {
				return fault.Invalidf("body.level", "expected a level")
			}
		}
		if !r.standing.MayChangeGrant(from, g.Level) {
			return s.refuse(ctx, r.by, r.place)
		}
		if userID == r.me.UserID {
			if err := r.by.Limited(); err != nil {
				return err
			}
		}
		if userID == r.me.UserID && r.by.Because.Kind == access.FactGrant && c.ExpiresAt.Sent && outlasts(ends, g.ExpiresAt) {
			return s.refuse(ctx, r.by, r.place)
		}
		w := unchanged(table.Update(g.Key), from, g.ExpiresAt).Set("level", g.Level).Set("grantedBy", r.me.UserID)
		if c.ExpiresAt.Sent {
			g.ExpiresAt, g.TTL = table.At(ends), 0
			if ends.IsZero() {
				w.Remove("expiresAt").Remove("ttl")
			} else {
				g.TTL = table.TTL(ends)
				w.Set("expiresAt", g.ExpiresAt).Set("ttl", g.TTL)
			}
		}
		g.GrantedBy = r.me.UserID
		p = permission(g)
		return s.commit(ctx, r.by, audit.Event{
			Type: audit.GrantChanged, SubjectID: userID, OrganizationID: r.place.OrganizationID, EntityID: entityID,
			Details: merged(details(g.Level, g.ExpiresAt.Time()), "from", from.String()),
		}, []*table.Write{table.Check(table.Entity(entityID)).IfExists().Else(errNotFound), w}, g.Key)
	})
	s.Access.ForgetUsers(userID)
	if err != nil {
		return Permission{}, fmt.Errorf("change grant: %w", err)
	}
	return p, nil
}

// Revoke takes a grant away.
func (s *Service) Revoke(ctx context.Context, entityID, userID string) error {
	r, err := s.grants(ctx, entityID, access.Strong)
	if err != nil {
		return err
	}
	err = again(func() error {
		g, err := s.grantOf(ctx, entityID, userID)
		if err != nil {
			return err
		}
		if !r.standing.MayChangeGrant(g.Level, access.LevelNone) {
			return s.refuse(ctx, r.by, r.place)
		}
		return s.commit(ctx, r.by, audit.Event{
			Type: audit.GrantRevoked, SubjectID: userID, OrganizationID: r.place.OrganizationID, EntityID: entityID,
			Details: map[string]string{"level": g.Level.String()},
		}, []*table.Write{unchanged(table.Delete(g.Key), g.Level, g.ExpiresAt)}, g.Key)
	})
	s.Access.ForgetUsers(userID)
	if err != nil {
		return fmt.Errorf("revoke grant: %w", err)
	}
	return nil
}

// unchanged requires that a grant or share is still as it was read.
func unchanged(w *table.Write, level access.Level, ends table.Time) *table.Write {
	w.If("'level' = ?", level.String())
	if ends == 0 {
		return w.If("attribute_not_exists(expiresAt)").Else(errStale)
	}
	return w.If("expiresAt = ?", ends).Else(errStale)
}

// grantOf reads a grant in force.
func (s *Service) grantOf(ctx context.Context, entityID, userID string) (*facts.Grant, error) {
	if !id.Valid(userID) {
		return nil, errNotFound
	}
	var g facts.Grant
	switch err := s.Table.Get(ctx, table.Grant(userID, entityID), table.Strong, &g); {
	case errors.Is(err, table.ErrNotFound):
		return nil, errNotFound
	case err != nil:
		return nil, err
	case !g.Live(s.Now()):
		return nil, errNotFound
	}
	return &g, nil
}

func details(level access.Level, ends time.Time) map[string]string {
	d := map[string]string{"level": level.String()}
	if !ends.IsZero() {
		d["expiresAt"] = ends.Format(time.RFC3339)
	}
	return d
}

func merged(d map[string]string, key, value string) map[string]string {
	d[key] = value
	return d
}
