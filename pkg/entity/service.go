package entity

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Parts are what a Service is made from beside the common dependencies.
type Parts struct {
	Audit   *audit.Log
	Access  *access.Checker
	Cursors cursor.Cursors
}

// Service is the entity service.
type Service struct {
	service.Deps
	Parts
}

// New makes the service. It makes no request.
func New(d service.Deps, p Parts) *Service { return &Service{Deps: d, Parts: p} }

var (
	errNotFound  = fault.New(fault.CodeNotFound, fault.CodeNotFound.Meaning())
	errForbidden = fault.New(fault.CodeForbidden, fault.CodeForbidden.Meaning())
	errExists    = fault.New(fault.CodeAlreadyExists, fault.CodeAlreadyExists.Meaning())
	errConflict  = fault.New(fault.CodeConflict, fault.CodeConflict.Meaning())

	// errStale says that what was read has been changed by another writer:
	// read it again.
	errStale = errors.New("changed meanwhile")
)

// attempts is how often a change is tried again when other writers were first.
const attempts = 4

// right is a caller's standing on a resource, and where that belongs.
type right struct {
	me       *caller.Principal
	standing access.Standing
	place    access.Resource
	by       authority.Authority
}

// need resolves the caller's standing and refuses whatever allowed does not
// accept. Who has nothing to do with the resource's organization learns
// nothing: what is there answers as what is not.
func (s *Service) need(ctx context.Context, ref access.Ref, how access.Consistency, allowed func(access.Standing) bool) (right, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return right{}, err
	}
	if !id.Valid(ref.ID) {
		return right{}, errNotFound
	}
	standing, place, err := s.Access.Standing(ctx, me.UserID, ref, how)
	if err != nil {
		return right{}, fmt.Errorf("resolve rights: %w", err)
	}
	if place.ID == "" {
		return right{}, errNotFound
	}
	r := right{me, standing, place, authority.On(me.UserID, standing)}
	if standing.Level == access.LevelNone {
		role, err := s.Access.Role(ctx, me.UserID, place.OrganizationID, how)
		if err != nil {
			return right{}, fmt.Errorf("resolve rights: %w", err)
		}
		if !role.Role.IsMember() {
			return right{}, errNotFound
		}
	}
	if err := r.by.SecondFactor(s.Config.MFA.RequireForAdmins, me); err != nil {
		return right{}, err
	}
	if !allowed(standing) {
		return right{}, s.refuse(ctx, r.by, place)
	}
	if how == access.Cached {
		err = s.used(ctx, r.by, place)
	}
	return r, err
}

// used records that super-admin power, own or lent, was used to read. What it
// is used to change is recorded with the change.
func (s *Service) used(ctx context.Context, by authority.Authority, place access.Resource) error {
	if by.Own() {
		return nil
	}
	return s.Audit.Write(ctx, by.Event(about(audit.Event{Type: audit.PowerUsed}, place)))
}

// about names the resource that an event is about.
func about(e audit.Event, place access.Resource) audit.Event {
	e.OrganizationID, e.EntityID = place.OrganizationID, place.EntityID
	switch place.Kind {
	case access.KindEntity:
		e.EntityID = place.ID
	case access.KindDocument:
		e.Details = map[string]string{"documentId": place.ID}
	}
	return e
}

// may is need for one action.
func (s *Service) may(ctx context.Context, ref access.Ref, a access.Action, how access.Consistency) (right, error) {
	return s.need(ctx, ref, how, func(st access.Standing) bool { return st.Level.Allows(a) })
}

// refuse gives the refusal of someone who belongs to the organization, after it
// is recorded.
func (s *Service) refuse(ctx context.Context, by authority.Authority, place access.Resource) error {
	e := about(audit.Event{Type: audit.AccessDenied, Outcome: audit.Failure}, place)
	if err := s.Audit.Write(ctx, by.Event(e)); err != nil {
		return err
	}
	return errForbidden
}

// commit writes a change with its event, under the condition that the right it
// rests on still stands. skip are keys of items that writes has itself.
func (s *Service) commit(ctx context.Context, by authority.Authority, e audit.Event, writes []*table.Write, skip ...table.Key) error {
	record, err := s.Audit.Record(ctx, by.Event(e))
	if err != nil {
		return err
	}
	if holds := by.Holds(s.Now(), skip...); holds != nil {
		writes = append(writes, holds)
	}
	return s.Table.Transact(ctx, append(writes, record...)...)
}

// again runs a change that reads before it writes until no other writer comes
// between, a few times at most.
func again(change func() error) error {
	for range attempts {
		if err := change(); !errors.Is(err, errStale) {
			return err
		}
	}
	return errConflict
}

// read gets items by key, strongly consistent, together with the items of the
// organization and the entity they lie under, and fails with not_found where
// one of these is gone: what lies under something deleted is refused from the
// moment it was deleted, whatever a cache still says.
func (s *Service) read(ctx context.Context, place access.Resource, keys ...table.Key) (map[table.Key]table.Record, error) {
	above := []table.Key{table.Organization(place.OrganizationID)}
	switch place.Kind {
	case access.KindEntity:
		above = append(above, table.Entity(place.ID))
	case access.KindDocument:
		above = append(above, table.Entity(place.EntityID), table.Document(place.ID))
	}
	found, err := s.Table.GetMany(ctx, append(above, keys...), table.Strong)
	if err != nil {
		return nil, err
	}
	for _, k := range above {
		if _, ok := found[k]; !ok {
			return nil, errNotFound
		}
	}
	return found, nil
}
