package entity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/cascade"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

// Origin says where an imported record comes from, and which id it has here.
type Origin struct {
	ID, SourceID, Batch string
	CreatedAt           time.Time // zero: now
}

func (o Origin) created(now time.Time) table.Time {
	if o.CreatedAt.IsZero() {
		return table.At(now)
	}
	return table.At(o.CreatedAt)
}

var (
	errTwice   = fault.New(fault.CodeConflict, "This record has been imported already.")
	errNoOrg   = fault.Invalidf("body.organization", "expected an organization that is there")
	errNoPlace = fault.Invalidf("body.entity", "expected an entity that is there")
)

// Imported gives the writes that make an entity that another system kept; the
// first is of its own item. It is checked as a request's is.
func Imported(o Origin, orgID string, f Fresh, now time.Time) ([]*table.Write, error) {
	if !id.Valid(o.ID) || !id.Valid(orgID) {
		return nil, errNoOrg
	}
	if err := errors.Join(line("body.type", f.Type), line("body.name", f.Name), f.Attributes.check()); err != nil {
		return nil, err
	}
	return []*table.Write{
		table.Create(item{
			Key: table.Entity(o.ID), IndexKey: table.InOrgEntities(orgID, f.Type, o.ID),
			EntityPlace: facts.EntityPlace{ID: o.ID, OrgID: orgID}, Type: f.Type, Name: f.Name, Attributes: f.Attributes,
			Version: 1, CreatedAt: o.created(now), UpdatedAt: table.At(now), SourceID: o.SourceID, Batch: o.Batch,
		}).Else(errTwice),
		table.Check(table.Organization(orgID)).IfExists().Else(errNoOrg),
	}, nil
}

// ImportedDocument gives the writes that make a document that another system
// kept; the first is of its own item.
func ImportedDocument(o Origin, entityID, orgID string, f FreshDocument, now time.Time) ([]*table.Write, error) {
	if !id.Valid(o.ID) || !id.Valid(entityID) || !id.Valid(orgID) {
		return nil, errNoPlace
	}
	if f.ContentType == "" {
		f.ContentType = defaultContentType
	}
	if err := checkDocument(&f.Title, &f.ContentType, &f.Content); err != nil {
		return nil, err
	}
	d := documentItem{
		Key: table.Document(o.ID), IndexKey: table.IndexKey{GSI1PK: table.EntityDocuments(entityID), GSI1SK: o.ID},
		DocumentPlace: facts.DocumentPlace{ID: o.ID, EntityID: entityID, OrgID: orgID},
		Title:         f.Title, ContentType: f.ContentType, Content: 1, Version: 1, Bytes: int64(len(f.Content)), BytesOf: 1,
		CreatedAt: o.created(now), UpdatedAt: table.At(now), SourceID: o.SourceID, Batch: o.Batch,
	}
	return []*table.Write{
		table.Create(d).Else(errTwice),
		table.Put(contentItem{Key: table.DocumentContent(o.ID), Content: f.Content, Version: 1}),
		table.Check(table.Entity(entityID)).If("org = ?", orgID).Else(errNoPlace),
	}, nil
}

// ImportedGrant gives the writes that give a member a level on an entity; the
// first is of the grant.
func ImportedGrant(userID, entityID, orgID, level string, ends Expiry, batch string, now time.Time) ([]*table.Write, error) {
	l, err := access.ParseGrantLevel(level)
	if err != nil {
		return nil, fault.Invalidf("body.level", "expected a level")
	}
	until, err := ends.end(now)
	if err != nil {
		return nil, err
	}
	g := facts.NewGrant(userID, entityID, orgID, l, "", now, until)
	g.Batch = batch
	return []*table.Write{
		table.Create(g).Else(errExists),
		table.Check(table.Entity(entityID)).If("org = ?", orgID).Else(errNoPlace),
		facts.UnderMembership(userID, orgID).Else(errNoMember),
		account.RequireActive(userID).Else(errNoMember),
	}, nil
}

// Withdraw deletes an entity that a batch made, with everything under it, and
// reports whether there was one.
func (s *Service) Withdraw(ctx context.Context, entityID, orgID, batch string) (bool, error) {
	place := access.Resource{Kind: access.KindEntity, ID: entityID, OrganizationID: orgID}
	return s.withdraw(ctx, place, audit.EntityDeleted, cascade.Entity, table.Entity(entityID), batch)
}

// WithdrawDocument deletes a document that a batch made, and reports whether
// there was one.
func (s *Service) WithdrawDocument(ctx context.Context, docID, entityID, orgID, batch string) (bool, error) {
	place := access.Resource{Kind: access.KindDocument, ID: docID, EntityID: entityID, OrganizationID: orgID}
	return s.withdraw(ctx, place, audit.DocumentDeleted, cascade.Document, table.Document(docID), batch)
}

func (s *Service) withdraw(ctx context.Context, place access.Resource, t audit.Type, clears task.Kind, key table.Key, batch string) (bool, error) {
	clear, err := cascade.After(s.Now(), clears, place.ID)
	if err != nil {
		return false, err
	}
	defer s.Access.ForgetResources(place.Ref())
	return s.take(ctx, about(audit.Event{Type: t}, place), batch, table.Delete(key).If("'batch' = ?", batch), clear)
}

// WithdrawGrant takes back a grant that a batch gave, and reports whether there
// was one.
func (s *Service) WithdrawGrant(ctx context.Context, userID, entityID, orgID, batch string) (bool, error) {
	defer s.Access.ForgetUsers(userID)
	e := audit.Event{Type: audit.GrantRevoked, SubjectID: userID, OrganizationID: orgID, EntityID: entityID}
	return s.take(ctx, e, batch, table.Delete(table.Grant(userID, entityID)).If("'batch' = ?", batch))
}

func (s *Service) take(ctx context.Context, e audit.Event, batch string, writes ...*table.Write) (bool, error) {
	if e.Details == nil {
		e.Details = map[string]string{}
	}
	e.Details["batch"] = batch
	record, err := s.Audit.Record(ctx, e)
	if err != nil {
		return false, err
	}
	writes[0].Else(errNotFound)
	err = s.Table.Transact(ctx, append(writes, record...)...)
	if errors.Is(err, errNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("withdraw: %w", err)
	}
	return true, nil
}
