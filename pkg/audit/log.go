package audit

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Log writes and lists events.
type Log struct {
	table     *table.Table
	now       func() time.Time
	retention time.Duration
}

// New makes a log with the configured retention.
func New(d service.Deps) *Log {
	return &Log{table: d.Table, now: d.Now, retention: d.Config.Audit.Retention}
}

// item is an event in the table.
type item struct {
	table.Key
	table.IndexKey
	ID        string            `dynamo:"id"`
	At        table.Time        `dynamo:"at"`
	Type      Type              `dynamo:"type"`
	Outcome   Outcome           `dynamo:"outcome"`
	Actor     string            `dynamo:"actor,omitempty"`
	Subject   string            `dynamo:"subject,omitempty"`
	Org       string            `dynamo:"org,omitempty"`
	Entity    string            `dynamo:"entity,omitempty"`
	IP        string            `dynamo:"ip,omitempty"`
	UserAgent string            `dynamo:"ua,omitempty"`
	RequestID string            `dynamo:"req,omitempty"`
	Details   map[string]string `dynamo:"details,omitempty"`
	TTL       int64             `dynamo:"ttl"`
}

// Shards spread what would otherwise be one hot partition: events without a
// subject, and each day's platform list.
const Shards = 16

// UserStream is the stream of one user.
func UserStream(userID string) string { return "USER-" + userID }

// OrgStream is the stream of one organization.
func OrgStream(orgID string) string { return "ORG-" + orgID }

// PlatformPartition is one shard of a day's platform list, in GSI1.
func PlatformPartition(day time.Time, shard int) string {
	return fmt.Sprintf("AUDIT#ALL#%s#%d", day.UTC().Format("20060102"), shard)
}

// Record gives the writes that put e into its streams, for the transaction of
// the change it records: one, or two for an event of an organization. The id,
// the time and the request's facts are filled in.
func (l *Log) Record(ctx context.Context, e Event) ([]*table.Write, error) {
	now := l.now().UTC()
	eventID, err := id.New()
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", e.Type, err)
	}
	c := caller.Of(ctx)
	if e.ActorID == "" && c.Principal != nil {
		e.ActorID = c.Principal.UserID
	}
	if e.Outcome == "" {
		e.Outcome = Success
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(eventID)) // never fails
	shard := int(h.Sum32() % Shards)
	it := item{
		ID: eventID, At: table.At(now), Type: e.Type, Outcome: e.Outcome, Actor: e.ActorID, Subject: e.SubjectID,
		Org: e.OrganizationID, Entity: e.EntityID, IP: c.SourceIP, UserAgent: c.UserAgent, RequestID: c.RequestID,
		Details: e.Details, TTL: table.TTL(now.Add(l.retention)),
	}
	streams := []string{OrgStream(e.OrganizationID)}
	switch {
	case e.OrganizationID != "" && e.ActorID != "":
		streams = append(streams, UserStream(e.ActorID))
	case e.OrganizationID != "":
	case e.SubjectID != "":
		streams = []string{UserStream(e.SubjectID)}
	case e.ActorID != "":
		streams = []string{UserStream(e.ActorID)}
	default:
		streams = []string{fmt.Sprintf("NOBODY-%d", shard)}
	}
	writes := make([]*table.Write, len(streams))
	for i, s := range streams {
		it.Key, it.IndexKey = table.Audit(s, now, eventID), table.IndexKey{}
		if i == 0 {
			it.IndexKey = table.IndexKey{GSI1PK: PlatformPartition(now, shard), GSI1SK: it.SK}
		}
		writes[i] = table.Put(it)
	}
	return writes, nil
}

// Write records e by itself: for refusals, which change nothing else.
func (l *Log) Write(ctx context.Context, e Event) error {
	writes, err := l.Record(ctx, e)
	if err != nil {
		return err
	}
	if len(writes) == 1 {
		err = l.table.Write(ctx, writes[0])
	} else {
		err = l.table.Transact(ctx, writes...)
	}
	if err != nil {
		return fmt.Errorf("write audit event %s: %w", e.Type, err)
	}
	return nil
}

func (it item) event() Event {
	e := Event{
		ID: it.ID, At: it.At.Time(), Type: it.Type, Outcome: it.Outcome, ActorID: it.Actor, SubjectID: it.Subject,
		OrganizationID: it.Org, EntityID: it.Entity, IP: it.IP, UserAgent: it.UserAgent, RequestID: it.RequestID,
		Details: it.Details,
	}
	if e.Details == nil {
		e.Details = map[string]string{}
	}
	return e
}
