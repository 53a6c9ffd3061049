package entity

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/cascade"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/oneline"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// MaxContent is how many bytes of UTF-8 a document's content may have. It has
// an item of its own, well within the 400 KB that DynamoDB allows one, so that
// lists and permission checks never read it.
const MaxContent = 256 << 10

// maxDocumentBody bounds the body of a request that carries content: in JSON
// each byte of it may take six, as \u0000 does, and API Gateway and Lambda
// would take up to 6 MB.
const maxDocumentBody = 6*MaxContent + 16<<10

// defaultContentType is a document's type when none was given.
const defaultContentType = "text/plain; charset=utf-8"

// documentItem is a document in the table, without its content. Content says
// which version of the content item belongs to it.
type documentItem struct {
	table.Key
	table.IndexKey
	facts.DocumentPlace
	Title       string     `dynamo:"title"`
	ContentType string     `dynamo:"contentType"`
	Content     int64      `dynamo:"contentVersion"`
	Version     int64      `dynamo:"version"`
	Bytes       int64      `dynamo:"contentBytes"`             // of the content of version BytesOf
	BytesOf     int64      `dynamo:"contentBytesOf,omitempty"` // older programs leave it behind, and Bytes says nothing then
	CreatedBy   string     `dynamo:"createdBy"`
	CreatedAt   table.Time `dynamo:"createdAt"`
	UpdatedAt   table.Time `dynamo:"updatedAt"`
	SourceID    string     `dynamo:"sourceId,omitempty"` // the id in the system it was imported from
	Batch       string     `dynamo:"batch,omitempty"`    // the import that made it
}

type contentItem struct {
	table.Key
	Content string `dynamo:"content,omitempty"`
	Version int64  `dynamo:"version"`
}

// Document is a document as answers show it.
type Document struct {
	ID             string    `json:"id" format:"uuid"`
	EntityID       string    `json:"entityId" format:"uuid"`
	OrganizationID string    `json:"organizationId" format:"uuid"`
	Title          string    `json:"title"`
	ContentType    string    `json:"contentType"`
	Content        *string   `json:"content,omitempty" doc:"Left out of lists."`
	Size           *int64    `json:"size,omitempty" doc:"Bytes of the content in UTF-8. In lists it is absent for documents of before it was kept, until migration 2 has run."`
	CreatedAt      time.Time `json:"createdAt"`
	UpdatedAt      time.Time `json:"updatedAt"`
}

func (d *documentItem) place() access.Resource {
	return access.Resource{Kind: access.KindDocument, ID: d.ID, EntityID: d.EntityID, OrganizationID: d.OrgID}
}

func (d *documentItem) view(content *string) Document {
	out := Document{
		ID: d.ID, EntityID: d.EntityID, OrganizationID: d.OrgID, Title: d.Title, ContentType: d.ContentType,
		Content: content, CreatedAt: d.CreatedAt.Time(), UpdatedAt: d.UpdatedAt.Time(),
	}
	switch {
	case content != nil:
		n := int64(len(*content))
		out.Size = &n
	case d.BytesOf == d.Content:
		out.Size = &d.Bytes
	}
	return out
}

// FreshDocument is what a document is made from.
type FreshDocument struct {
	Title       string `json:"title" minLength:"1" maxLength:"200"`
	ContentType string `json:"contentType,omitempty" minLength:"1" maxLength:"127" doc:"Media type; default text/plain in UTF-8."`
	Content     string `json:"content,omitempty" maxLength:"262144" doc:"Text of at most 256 KiB in UTF-8; encode anything else, for instance in base64."`
}

// CreateDocument adds a document to an entity, for whoever may create there.
func (s *Service) CreateDocument(ctx context.Context, entityID string, f FreshDocument) (Document, error) {
	r, err := s.may(ctx, access.Ref{Kind: access.KindEntity, ID: entityID}, access.ActionCreate, access.Strong)
	if err != nil {
		return Document{}, err
	}
	if f.ContentType == "" {
		f.ContentType = defaultContentType
	}
	if err := checkDocument(&f.Title, &f.ContentType, &f.Content); err != nil {
		return Document{}, err
	}
	docID, err := id.New()
	if err != nil {
		return Document{}, err
	}
	now := table.At(s.Now())
	d := documentItem{
		Key: table.Document(docID), IndexKey: table.IndexKey{GSI1PK: table.EntityDocuments(entityID), GSI1SK: docID},
		DocumentPlace: facts.DocumentPlace{ID: docID, EntityID: entityID, OrgID: r.place.OrganizationID},
		Title:         f.Title, ContentType: f.ContentType, Content: 1, Version: 1, Bytes: int64(len(f.Content)), BytesOf: 1,
		CreatedBy: r.me.UserID, CreatedAt: now, UpdatedAt: now,
	}
	err = s.commit(ctx, r.by, d.event(audit.DocumentCreated, "title", f.Title), []*table.Write{
		table.Check(table.Entity(entityID)).IfExists().Else(errNotFound),
		table.Create(d),
		table.Put(contentItem{Key: table.DocumentContent(docID), Content: f.Content, Version: 1}),
	})
	if err != nil {
		return Document{}, fmt.Errorf("create document: %w", err)
	}
	return d.view(&f.Content), nil
}

func (d *documentItem) event(t audit.Type, key, value string) audit.Event {
	e := audit.Event{Type: t, OrganizationID: d.OrgID, EntityID: d.EntityID, Details: map[string]string{"documentId": d.ID}}
	if key != "" {
		e.Details[key] = value
	}
	return e
}

func checkDocument(title, contentType, content *string) error {
	if title != nil {
		if err := line("body.title", *title); err != nil {
			return err
		}
	}
	if contentType != nil {
		if _, _, err := mime.ParseMediaType(*contentType); err != nil || !strings.Contains(*contentType, "/") || !oneline.Fits(*contentType) {
			return fault.Invalidf("body.contentType", "expected a media type such as text/plain")
		}
	}
	if content != nil && len(*content) > MaxContent {
		return fault.Invalidf("body.content", "expected at most %d bytes", MaxContent)
	}
	return nil
}

// Documents gives one page of an entity's documents, oldest first and without
// their contents, and where the next begins.
func (s *Service) Documents(ctx context.Context, entityID string, limit int, from string) ([]Document, string, error) {
	r, err := s.may(ctx, access.Ref{Kind: access.KindEntity, ID: entityID}, access.ActionView, access.Cached)
	if err != nil {
		return nil, "", err
	}
	docs := []Document{}
	for range maxRounds {
		items, next, err := s.documentsOf(ctx, r.place, from, min(limit-len(docs), perRound))
		if err != nil {
			return nil, "", err
		}
		for _, d := range items {
			docs = append(docs, d.view(nil))
		}
		if from = next; from == "" || len(docs) == limit {
			break
		}
	}
	return docs, from, nil
}

// documentsOf reads up to limit documents of an entity behind one, and the
// place to go on; empty when there are no more.
func (s *Service) documentsOf(ctx context.Context, place access.Resource, after string, limit int) ([]*documentItem, string, error) {
	page, err := s.Table.Query(ctx, table.Query{PK: table.EntityDocuments(place.ID), Index: true, From: past(after), To: "~", Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("list documents: %w", err)
	}
	keys := make([]table.Key, len(page.Records))
	next := ""
	for i, r := range page.Records {
		keys[i] = r.Key()
		if page.Next != nil {
			next = r.IndexSort()
		}
	}
	found, err := s.read(ctx, place, keys...)
	if err != nil {
		return nil, "", fmt.Errorf("read documents: %w", err)
	}
	var out []*documentItem
	for _, k := range keys {
		r, ok := found[k]
		if !ok {
			continue
		}
		var d documentItem
		if err := r.Decode(&d); err != nil {
			return nil, "", err
		}
		if d.EntityID == place.ID {
			out = append(out, &d)
		}
	}
	return out, next, nil
}

// Document gives a document with its content to whoever may view it.
func (s *Service) Document(ctx context.Context, docID string) (Document, error) {
	r, err := s.may(ctx, access.Ref{Kind: access.KindDocument, ID: docID}, access.ActionView, access.Cached)
	if err != nil {
		return Document{}, err
	}
	d, content, err := s.loadDocument(ctx, r.place)
	if err != nil {
		return Document{}, err
	}
	return d.view(&content), nil
}

// loadDocument reads a document and its content. The two are two items, and a
// read of both is not a transaction: until they are of one version, another
// writer is between them.
func (s *Service) loadDocument(ctx context.Context, place access.Resource) (*documentItem, string, error) {
	for range attempts {
		found, err := s.read(ctx, place, table.DocumentContent(place.ID))
		if err != nil {
			return nil, "", fmt.Errorf("read document: %w", err)
		}
		var d documentItem
		if err := found[table.Document(place.ID)].Decode(&d); err != nil {
			return nil, "", err
		}
		var c contentItem
		if r, ok := found[table.DocumentContent(place.ID)]; ok {
			if err := r.Decode(&c); err != nil {
				return nil, "", err
			}
		}
		if c.Version == d.Content {
			return &d, c.Content, nil
		}
	}
	return nil, "", fault.Wrap(fault.CodeUnavailable, errors.New("a document and its content do not come to one version"))
}

// DocumentChange is what may change of a document.
type DocumentChange struct {
	Title       *string `json:"title,omitempty" minLength:"1" maxLength:"200"`
	ContentType *string `json:"contentType,omitempty" minLength:"1" maxLength:"127"`
	Content     *string `json:"content,omitempty" maxLength:"262144" doc:"Replaces the content."`
}

// ChangeDocument changes a document, for whoever may edit it.
func (s *Service) ChangeDocument(ctx context.Context, docID string, c DocumentChange) (out Document, err error) {
	r, err := s.may(ctx, access.Ref{Kind: access.KindDocument, ID: docID}, access.ActionEdit, access.Strong)
	if err != nil {
		return Document{}, err
	}
	if err := checkDocument(c.Title, c.ContentType, c.Content); err != nil {
		return Document{}, err
	}
	err = again(func() error {
		d, content, err := s.loadDocument(ctx, r.place)
		if err != nil {
			return err
		}
		w := table.Update(d.Key).If("version = ?", d.Version).Else(errStale)
		writes := []*table.Write{table.Check(table.Entity(d.EntityID)).IfExists().Else(errNotFound), w}
		var changed []string
		if c.Title != nil {
			d.Title, changed = *c.Title, append(changed, "title")
			w.Set("title", d.Title)
		}
		if c.ContentType != nil {
			d.ContentType, changed = *c.ContentType, append(changed, "contentType")
			w.Set("contentType", d.ContentType)
		}
		if c.Content != nil {
			content, changed = *c.Content, append(changed, "content")
			d.Content++
			w.Set("contentVersion", d.Content).Set("contentBytes", int64(len(content))).Set("contentBytesOf", d.Content)
			writes = append(writes, table.Put(contentItem{Key: table.DocumentContent(docID), Content: content, Version: d.Content}))
		}
		d.Version++
		d.UpdatedAt = table.At(s.Now())
		w.Set("version", d.Version).Set("updatedAt", d.UpdatedAt)
		out = d.view(&content)
		return s.commit(ctx, r.by, d.event(audit.DocumentChanged, "changed", strings.Join(changed, " ")), writes)
	})
	if err != nil {
		return Document{}, fmt.Errorf("change document: %w", err)
	}
	return out, nil
}

// DeleteDocument deletes a document, for whoever may.
func (s *Service) DeleteDocument(ctx context.Context, docID string) error {
	ref := access.Ref{Kind: access.KindDocument, ID: docID}
	r, err := s.may(ctx, ref, access.ActionDelete, access.Strong)
	if err != nil {
		return err
	}
	clear, err := cascade.After(s.Now(), cascade.Document, docID)
	if err != nil {
		return err
	}
	d := documentItem{DocumentPlace: facts.DocumentPlace{ID: docID, EntityID: r.place.EntityID, OrgID: r.place.OrganizationID}}
	err = s.commit(ctx, r.by, d.event(audit.DocumentDeleted, "", ""),
		[]*table.Write{table.Delete(table.Document(docID)).IfExists().Else(errNotFound), clear})
	s.Access.ForgetResources(ref)
	if err != nil {
		return fmt.Errorf("delete document: %w", err)
	}
	return nil
}
