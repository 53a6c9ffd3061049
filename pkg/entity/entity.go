package entity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/cascade"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// item is an entity in the table. Where it belongs and what type it has never
// changes.
type item struct {
	table.Key
	table.IndexKey
	facts.EntityPlace
	Type       string     `dynamo:"type"`
	Name       string     `dynamo:"name"`
	Attributes Attributes `dynamo:"attributes,omitempty"`
	Version    int64      `dynamo:"version"`
	CreatedBy  string     `dynamo:"createdBy"`
	CreatedAt  table.Time `dynamo:"createdAt"`
	UpdatedAt  table.Time `dynamo:"updatedAt"`
	SourceID   string     `dynamo:"sourceId,omitempty"` // the id in the system it was imported from
	Batch      string     `dynamo:"batch,omitempty"`    // the import that made it
}

// Entity is an entity as answers show it.
type Entity struct {
	ID             string     `json:"id" format:"uuid"`
	OrganizationID string     `json:"organizationId" format:"uuid"`
	Type           string     `json:"type" doc:"What it is; the product's own word."`
	Name           string     `json:"name"`
	Attributes     Attributes `json:"attributes"`
	Level          string     `json:"level" enum:"viewer,editor,manager,admin" doc:"The level of the user who is asked about, most often the caller."`
	CreatedAt      time.Time  `json:"createdAt"`
	UpdatedAt      time.Time  `json:"updatedAt"`
}

func (it *item) view(level access.Level) Entity {
	e := Entity{
		ID: it.ID, OrganizationID: it.OrgID, Type: it.Type, Name: it.Name, Attributes: it.Attributes,
		Level: level.String(), CreatedAt: it.CreatedAt.Time(), UpdatedAt: it.UpdatedAt.Time(),
	}
	if e.Attributes == nil {
		e.Attributes = Attributes{}
	}
	return e
}

func (it *item) place() access.Resource {
	return access.Resource{Kind: access.KindEntity, ID: it.ID, OrganizationID: it.OrgID}
}

// Fresh is what an entity is made from.
type Fresh struct {
	Type       string     `json:"type" minLength:"1" maxLength:"64" doc:"What it is, in the product's own word, such as boat."`
	Name       string     `json:"name" minLength:"1" maxLength:"200"`
	Attributes Attributes `json:"attributes,omitempty"`
}

// Create adds an entity to an organization, for its admins and managers.
func (s *Service) Create(ctx context.Context, orgID string, f Fresh) (Entity, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return Entity{}, err
	}
	if !id.Valid(orgID) {
		return Entity{}, errNotFound
	}
	role, err := s.Access.Role(ctx, me.UserID, orgID, access.Strong)
	if err != nil {
		return Entity{}, fmt.Errorf("resolve rights: %w", err)
	}
	if !role.Role.IsMember() {
		return Entity{}, errNotFound
	}
	by := authority.InOrganization(me.UserID, role)
	if !role.Role.MayCreateEntities() {
		return Entity{}, s.refuse(ctx, by, access.Resource{Kind: access.KindOrganization, ID: orgID, OrganizationID: orgID})
	}
	if err := by.SecondFactor(s.Config.MFA.RequireForAdmins, me); err != nil {
		return Entity{}, err
	}
	if err := errors.Join(line("body.type", f.Type), line("body.name", f.Name), f.Attributes.check()); err != nil {
		return Entity{}, err
	}
	entityID, err := id.New()
	if err != nil {
		return Entity{}, err
	}
	now := table.At(s.Now())
	it := item{
		Key: table.Entity(entityID), IndexKey: table.InOrgEntities(orgID, f.Type, entityID),
		EntityPlace: facts.EntityPlace{ID: entityID, OrgID: orgID},
		Type:        f.Type, Name: f.Name, Attributes: f.Attributes, Version: 1,
		CreatedBy: me.UserID, CreatedAt: now, UpdatedAt: now,
	}
	err = s.commit(ctx, by, audit.Event{
		Type: audit.EntityCreated, OrganizationID: orgID, EntityID: entityID, Details: map[string]string{"type": f.Type, "name": f.Name},
	}, []*table.Write{table.Create(it)})
	if err != nil {
		return Entity{}, fmt.Errorf("create entity: %w", err)
	}
	return it.view(role.Role.Level()), nil
}

// Get gives an entity to whoever may view it.
func (s *Service) Get(ctx context.Context, entityID string) (Entity, error) {
	r, err := s.may(ctx, access.Ref{Kind: access.KindEntity, ID: entityID}, access.ActionView, access.Cached)
	if err != nil {
		return Entity{}, err
	}
	it, err := s.load(ctx, r.place)
	if err != nil {
		return Entity{}, err
	}
	return it.view(r.standing.Level), nil
}

func (s *Service) load(ctx context.Context, place access.Resource) (*item, error) {
	found, err := s.read(ctx, place)
	if err != nil {
		return nil, fmt.Errorf("read entity: %w", err)
	}
	var it item
	return &it, found[table.Entity(place.ID)].Decode(&it)
}

// List gives one page of those entities of an organization that the caller may
// view, of one type or of all, and where the next begins. It is for everyone
// who belongs to the organization.
func (s *Service) List(ctx context.Context, orgID, entityType string, limit int, from string) (Found, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return Found{}, err
	}
	if !id.Valid(orgID) {
		return Found{}, errNotFound
	}
	role, err := s.Access.Role(ctx, me.UserID, orgID, access.Cached)
	if err != nil {
		return Found{}, fmt.Errorf("resolve rights: %w", err)
	}
	if !role.Role.IsMember() {
		return Found{}, errNotFound
	}
	place := access.Resource{Kind: access.KindOrganization, ID: orgID, OrganizationID: orgID}
	if _, err := s.read(ctx, place); err != nil {
		return Found{}, err
	}
	by := authority.InOrganization(me.UserID, role)
	if err := by.SecondFactor(s.Config.MFA.RequireForAdmins, me); err != nil {
		return Found{}, err
	}
	if err := s.used(ctx, by, place); err != nil {
		return Found{}, err
	}
	return s.Find(ctx, Search{UserID: me.UserID, Action: access.ActionView, OrganizationID: orgID, Type: entityType, Limit: limit, From: from})
}

// Change is what may change of an entity.
type Change struct {
	Name       *string     `json:"name,omitempty" minLength:"1" maxLength:"200"`
	Attributes *Attributes `json:"attributes,omitempty" doc:"Replaces all attributes."`
}

// Change changes an entity, for whoever may edit it.
func (s *Service) Change(ctx context.Context, entityID string, c Change) (e Entity, err error) {
	r, err := s.may(ctx, access.Ref{Kind: access.KindEntity, ID: entityID}, access.ActionEdit, access.Strong)
	if err != nil {
		return Entity{}, err
	}
	if c.Name != nil {
		err = line("body.name", *c.Name)
	}
	if c.Attributes != nil {
		err = errors.Join(err, c.Attributes.check())
	}
	if err != nil {
		return Entity{}, err
	}
	err = again(func() error {
		it, err := s.load(ctx, r.place)
		if err != nil {
			return err
		}
		w := table.Update(it.Key).If("version = ?", it.Version).Else(errStale)
		var changed string
		if c.Name != nil {
			it.Name, changed = *c.Name, "name"
			w.Set("name", it.Name)
		}
		if c.Attributes != nil {
			it.Attributes = *c.Attributes
			if changed != "" {
				changed += " "
			}
			changed += "attributes"
			if len(it.Attributes) == 0 {
				w.Remove("attributes")
			} else {
				w.Set("attributes", it.Attributes)
			}
		}
		it.Version++
		it.UpdatedAt = table.At(s.Now())
		w.Set("version", it.Version).Set("updatedAt", it.UpdatedAt)
		e = it.view(r.standing.Level)
		return s.commit(ctx, r.by, audit.Event{
			Type: audit.EntityChanged, OrganizationID: it.OrgID, EntityID: it.ID, Details: map[string]string{"changed": changed},
		}, []*table.Write{w})
	})
	if err != nil {
		return Entity{}, fmt.Errorf("change entity: %w", err)
	}
	return e, nil
}

// Delete deletes an entity, for whoever may. Everything under it is refused
// from then on, and cleared away by a task.
func (s *Service) Delete(ctx context.Context, entityID string) error {
	ref := access.Ref{Kind: access.KindEntity, ID: entityID}
	r, err := s.may(ctx, ref, access.ActionDelete, access.Strong)
	if err != nil {
		return err
	}
	clear, err := cascade.After(s.Now(), cascade.Entity, entityID)
	if err != nil {
		return err
	}
	err = s.commit(ctx, r.by, audit.Event{Type: audit.EntityDeleted, OrganizationID: r.place.OrganizationID, EntityID: entityID},
		[]*table.Write{table.Delete(table.Entity(entityID)).IfExists().Else(errNotFound), clear})
	s.Access.ForgetResources(ref)
	if err != nil {
		return fmt.Errorf("delete entity: %w", err)
	}
	return nil
}
