package cascade

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

// The tasks, by what was deleted.
const (
	Organization task.Kind = "cascade.organization"
	Entity       task.Kind = "cascade.entity"
	Document     task.Kind = "cascade.document"
)

// settle is when a cascade runs again: an index follows its table within
// seconds, and this is many times that.
const settle = time.Minute

// Bounds of one task and of one transaction.
const (
	pagesPerTask = 20
	perPage      = 25 // children, each with up to three writes
)

// After gives the write that queues the cascade of a deletion, for the
// transaction that removes the deleted thing's own item.
func After(now time.Time, kind task.Kind, id string) (*table.Write, error) {
	return task.New(now, kind, task.Payload{"id": id})
}

// AfterAll is After for several deletions of one kind in one transaction.
func AfterAll(now time.Time, kind task.Kind, ids []string) (*table.Write, error) {
	return task.New(now, kind, task.Payload{"ids": strings.Join(ids, " ")})
}

// Cascade carries the tasks out.
type Cascade struct {
	table *table.Table
	now   func() time.Time
}

// New makes a Cascade. It makes no request.
func New(d service.Deps) *Cascade { return &Cascade{d.Table, d.Now} }

// Tasks gives the handlers.
func (c *Cascade) Tasks() map[task.Kind]task.Handler {
	return map[task.Kind]task.Handler{
		Organization: c.handler(Organization,
			step{"members", table.OrgMembers, c.items},
			step{"entities", table.OrgEntities, c.entities},
			step{"invitations", nil, c.invitations}),
		Entity: c.handler(Entity,
			step{"grants", table.EntityGrants, c.items},
			step{"documents", table.EntityDocuments, c.documents}),
		Document: c.handler(Document,
			step{"content", nil, c.content},
			step{"shares", table.DocumentShares, c.items}),
	}
}

// step is one kind of thing that lies under the deleted one: where it is
// listed, and what removes a page of it. A step without an index removes all
// there is at once.
type step struct {
	name   string
	index  func(id string) string
	remove func(ctx context.Context, id string, page []table.Record) error
}

// handler does the steps in order, from where the payload says; of several
// deleted things, one after the other.
func (c *Cascade) handler(kind task.Kind, steps ...step) task.Handler {
	return func(ctx context.Context, p task.Payload) error {
		ids := strings.Fields(p["ids"])
		if len(ids) == 0 {
			next, err := c.clear(ctx, steps, p)
			if err != nil || next == nil {
				return err
			}
			return c.queue(ctx, kind, next)
		}
		for _, id := range ids {
			next, err := c.clear(ctx, steps, task.Payload{"id": id, "run": "again"})
			if err == nil && next != nil { // there is much of it: it goes on by itself
				next["run"] = p["run"]
				err = c.queue(ctx, kind, next)
			}
			if err != nil {
				return err
			}
		}
		if p["run"] != "" {
			return nil
		}
		return c.queue(ctx, kind, task.Payload{"ids": p["ids"], "run": "again"})
	}
}

// clear does as many steps as one task may and gives the payload of the next
// task, nil where nothing is left to do.
func (c *Cascade) clear(ctx context.Context, steps []step, p task.Payload) (task.Payload, error) {
	id, at, after := p["id"], 0, p["after"]
	for i, s := range steps {
		if s.name == p["step"] {
			at = i
		}
	}
	for range pagesPerTask {
		if at == len(steps) {
			break
		}
		s := steps[at]
		var records []table.Record
		var next string
		if s.index != nil {
			var err error
			records, next, err = c.table.QueryShards(ctx, table.Shards{
				Partitions: []string{s.index(id)}, After: after, Limit: perPage,
			})
			if err != nil {
				return nil, fmt.Errorf("list %s of %s: %w", s.name, id, err)
			}
		}
		if err := s.remove(ctx, id, records); err != nil {
			return nil, fmt.Errorf("remove %s of %s: %w", s.name, id, err)
		}
		if after = next; next == "" {
			at++
		}
	}
	switch {
	case at < len(steps):
		return task.Payload{"id": id, "run": p["run"], "step": steps[at].name, "after": after}, nil
	case p["run"] == "":
		return task.Payload{"id": id, "run": "again"}, nil
	}
	return nil, nil
}

// queue queues what is left, at once, or the second run, for when the index has
// followed.
func (c *Cascade) queue(ctx context.Context, kind task.Kind, p task.Payload) error {
	now, due := c.now(), c.now()
	if p["run"] != "" && p["step"] == "" {
		due = now.Add(settle)
	}
	w, err := task.Later(now, due, kind, p)
	if err != nil {
		return err
	}
	return c.table.Write(ctx, w)
}

// items removes the listed items themselves.
func (c *Cascade) items(ctx context.Context, _ string, page []table.Record) error {
	writes := make([]*table.Write, len(page))
	for i, r := range page {
		writes[i] = table.Delete(r.Key())
	}
	return c.transact(ctx, writes)
}

// entities removes entities, each with the task that clears what lies under it.
func (c *Cascade) entities(ctx context.Context, _ string, page []table.Record) error {
	var writes []*table.Write
	for _, r := range page {
		w, err := After(c.now(), Entity, table.IDFrom(r.Key().PK))
		if err != nil {
			return err
		}
		writes = append(writes, table.Delete(r.Key()), w)
	}
	return c.transact(ctx, writes)
}

// documents removes documents with their shares and content. The own item goes
// last, so that an interrupted run finds the document again.
func (c *Cascade) documents(ctx context.Context, _ string, page []table.Record) error {
	var writes []*table.Write
	for _, r := range page {
		doc := table.IDFrom(r.Key().PK)
		for after := ""; ; {
			shares, next, err := c.table.QueryShards(ctx, table.Shards{
				Partitions: []string{table.DocumentShares(doc)}, After: after, Limit: perPage,
			})
			if err != nil {
				return err
			}
			if err := c.items(ctx, doc, shares); err != nil {
				return err
			}
			if after = next; next == "" {
				break
			}
		}
		writes = append(writes, table.Delete(r.Key()), table.Delete(table.DocumentContent(doc)))
	}
	return c.transact(ctx, writes)
}

// content removes the content of a deleted document.
func (c *Cascade) content(ctx context.Context, doc string, _ []table.Record) error {
	return c.table.Write(ctx, table.Delete(table.DocumentContent(doc)))
}

// invitations removes what is left in an organization's own partition.
func (c *Cascade) invitations(ctx context.Context, org string, _ []table.Record) error {
	for {
		page, err := c.table.Query(ctx, table.Query{
			PK: table.Invitation(org, "").PK, Prefix: table.Invitation(org, "").SK, Limit: perPage, Strong: table.Strong,
		})
		if err != nil {
			return err
		}
		if err := c.items(ctx, org, page.Records); err != nil {
			return err
		}
		if page.Next == nil {
			return nil
		}
	}
}

func (c *Cascade) transact(ctx context.Context, writes []*table.Write) error {
	if len(writes) == 0 {
		return nil
	}
	return c.table.Transact(ctx, writes...)
}
