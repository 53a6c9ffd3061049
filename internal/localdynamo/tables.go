package localdynamo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

// tableRecord is what is stored of a table: its definition as the client gave
// it, and what the engine adds.
type tableRecord struct {
	tableDefinition
	ID      string
	Created int64 // Unix milliseconds
	TTL     string
}

// tableDefinition are the parameters of CreateTable that define a table.
type tableDefinition struct {
	AttributeDefinitions []attributeDefinition `api:"required"`
	TableName            *string               `api:"name min=3 max=255"`
	KeySchema            []keyElement          `api:"required min=1 max=2"`
	settings
	LocalSecondaryIndexes  []indexDefinition       `json:",omitzero" api:""`
	GlobalSecondaryIndexes []indexDefinition       `json:",omitzero" api:""`
	SSESpecification       *struct{ Enabled bool } `json:",omitzero"` // as streams
}

// settings are what UpdateTable can change of a table alone.
type settings struct {
	ProvisionedThroughput     *throughput `json:",omitzero" api:""`
	BillingMode               *string     `json:",omitzero" api:"enum=PROVISIONED|PAY_PER_REQUEST"`
	TableClass                *string     `json:",omitzero" api:"enum=STANDARD|STANDARD_INFREQUENT_ACCESS"`
	DeletionProtectionEnabled *bool       `json:",omitzero"`
	// What follows is only described: there are no streams here, no limits, and
	// no encryption but the disk's.
	StreamSpecification *streams  `json:",omitzero"`
	OnDemandThroughput  *onDemand `json:",omitzero"`
}

type streams struct {
	StreamEnabled  bool
	StreamViewType *string `json:",omitzero"`
}

type onDemand struct {
	MaxReadRequestUnits, MaxWriteRequestUnits *int `json:",omitzero"`
}

type attributeDefinition struct {
	AttributeName string `api:"min=1 max=255"`
	AttributeType string `api:"enum=B|N|S"`
}

type keyElement struct {
	AttributeName string `api:"min=1 max=255"`
	KeyType       string `api:"enum=HASH|RANGE"`
}

// String writes the element as AWS does in messages.
func (k keyElement) String() string {
	return fmt.Sprintf("KeySchemaElement(attributeName=%s, keyType=%s)", k.AttributeName, k.KeyType)
}

type throughput struct {
	ReadCapacityUnits  *int `api:"required min=1 max=9007199254740992"`
	WriteCapacityUnits *int `api:"required min=1 max=9007199254740992"`
}

type indexDefinition struct {
	IndexName             *string      `api:"required name min=3 max=255"`
	KeySchema             []keyElement `api:"required=LocalSecondaryIndexes|GlobalSecondaryIndexes|Create min=1 max=2"`
	Projection            *projection  `api:"required=LocalSecondaryIndexes|GlobalSecondaryIndexes|Create"`
	ProvisionedThroughput *throughput  `json:",omitzero" api:""`
}

type projection struct {
	ProjectionType   *string  `json:",omitzero" api:"enum=ALL|INCLUDE|KEYS_ONLY"`
	NonKeyAttributes []string `json:",omitzero" api:"min=1"`
}

// compile makes the schema that the operations work with.
func (r *tableRecord) compile() *table {
	kinds := map[string]attr.Kind{}
	for _, a := range r.AttributeDefinitions {
		kinds[a.AttributeName] = attr.KindOf(a.AttributeType)
	}
	keys := func(elements []keyElement) (k keySchema) {
		k.hash = expr.Key{Name: elements[0].AttributeName, Kind: kinds[elements[0].AttributeName]}
		if len(elements) > 1 {
			k.rng = expr.Key{Name: elements[1].AttributeName, Kind: kinds[elements[1].AttributeName]}
		}
		return k
	}
	t := &table{record: *r, name: *r.TableName, id: []byte(r.ID), keys: keys(r.KeySchema)}
	add := func(def indexDefinition, global bool) {
		ix := &index{name: *def.IndexName, bucket: []byte("index " + *def.IndexName), global: global,
			keys: keys(def.KeySchema), all: *def.Projection.ProjectionType == "ALL", include: map[string]bool{}}
		for _, a := range append(t.keys.attributes(), ix.keys.attributes()...) {
			ix.include[a.Name] = true
		}
		for _, name := range def.Projection.NonKeyAttributes {
			ix.include[name] = true
		}
		t.indexes = append(t.indexes, ix)
	}
	for _, def := range r.LocalSecondaryIndexes {
		add(def, false)
	}
	for _, def := range r.GlobalSecondaryIndexes {
		add(def, true)
	}
	// AWS names the alphabetically first index that an item does not fit.
	slices.SortFunc(t.indexes, func(a, b *index) int { return strings.Compare(a.name, b.name) })
	return t
}

// loadTables reads the schemas when the engine opens.
func (e *Engine) loadTables() error {
	tables := map[string]*table{}
	err := e.db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(bucketTokens); err != nil {
			return err
		}
		b, err := tx.CreateBucketIfNotExists(bucketTables)
		if err != nil {
			return err
		}
		return b.ForEach(func(name, raw []byte) error {
			var r tableRecord
			if err := json.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("schema of %s: %w", name, err)
			}
			tables[string(name)] = r.compile()
			return nil
		})
	})
	e.tables.Store(&tables)
	return err
}

// alterTable creates, changes or deletes a table, as the record that change
// returns differs from that of the table there is; nil is none. It returns the
// schema after it, which is visible when it is on disk.
func (e *Engine) alterTable(ctx context.Context, name string, change func(*writeTx, *table) (*tableRecord, error)) (next *table, err error) {
	err = e.alter(ctx, func(tx *writeTx) error {
		record, err := change(tx, (*e.tables.Load())[name])
		if err != nil {
			return err
		}
		tx.dirty = true
		if record == nil {
			return tx.Bucket(bucketTables).Delete([]byte(name))
		}
		next = record.compile()
		raw, err := marshal(record)
		if err != nil {
			return err
		}
		return tx.Bucket(bucketTables).Put([]byte(name), raw)
	}, func() {
		tables := maps.Clone(*e.tables.Load())
		if tables[name] = next; next == nil {
			delete(tables, name)
		}
		e.tables.Store(&tables)
	})
	return next, err
}

// changeTable is alterTable for a table that must be there and remains.
func (e *Engine) changeTable(ctx context.Context, name string, change func(*bbolt.Bucket, *tableRecord) error) (*table, error) {
	return e.alterTable(ctx, name, func(tx *writeTx, t *table) (*tableRecord, error) {
		if t == nil {
			return nil, errNoTableNamed(name)
		}
		record := t.record
		record.GlobalSecondaryIndexes = slices.Clone(record.GlobalSecondaryIndexes)
		record.AttributeDefinitions = slices.Clone(record.AttributeDefinitions)
		return &record, change(tx.Bucket(t.id), &record)
	})
}

// table returns a table's schema.
func (c *call) table(name string) (*table, error) {
	t := (*c.engine.tables.Load())[name]
	if t == nil {
		return nil, errNoTable()
	}
	return t, nil
}

// current returns the schema of the same table as it is now, during a write; a
// table deleted and made anew is another.
func (e *Engine) current(t *table) (*table, error) {
	now := (*e.tables.Load())[t.name]
	if now == nil || now.record.ID != t.record.ID {
		return nil, errNoTable()
	}
	return now, nil
}

// tableRequest only names a table.
type tableRequest struct {
	TableName *string `api:"required name min=1 max=255"`
}

// named returns the table.
func (r *tableRequest) named(c *call) (*table, error) {
	t, err := c.table(*r.TableName)
	if err != nil {
		return nil, errNoTableNamed(*r.TableName)
	}
	return t, nil
}

func createTable(ctx context.Context, c *call, def *tableDefinition) (any, error) {
	t, err := c.engine.alterTable(ctx, *def.TableName, func(tx *writeTx, t *table) (*tableRecord, error) {
		if t != nil {
			return nil, refuse("ResourceInUseException", "Table already exists: %s", t.name)
		}
		record := &tableRecord{tableDefinition: *def, ID: uuid.NewString(), Created: c.engine.opts.Now().UnixMilli()}
		root, err := tx.CreateBucket([]byte(record.ID))
		if err != nil {
			return nil, err
		}
		buckets := []string{string(bucketItems)}
		for _, ix := range record.compile().indexes {
			buckets = append(buckets, string(ix.bucket))
		}
		for _, name := range buckets {
			if _, err := root.CreateBucket([]byte(name)); err != nil {
				return nil, err
			}
		}
		return record, nil
	})
	if err != nil {
		return nil, err
	}
	return c.describe(ctx, "TableDescription", t, "CREATING", "CREATING")
}

func deleteTable(ctx context.Context, c *call, r *tableRequest) (any, error) {
	t, err := r.named(c)
	if err != nil {
		return nil, err
	}
	if p := t.record.DeletionProtectionEnabled; p != nil && *p {
		return nil, invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	answer, err := c.describe(ctx, "TableDescription", t, "DELETING", "DELETING")
	if err != nil {
		return nil, err
	}
	_, err = c.engine.alterTable(ctx, t.name, func(tx *writeTx, _ *table) (*tableRecord, error) {
		if _, err := c.engine.current(t); err != nil {
			return nil, errNoTableNamed(t.name)
		}
		return nil, tx.DeleteBucket(t.id)
	})
	return answer, err
}

func describeTable(ctx context.Context, c *call, r *tableRequest) (any, error) {
	t, err := r.named(c)
	if err != nil {
		return nil, err
	}
	return c.describe(ctx, "Table", t, "ACTIVE", "ACTIVE")
}

type listRequest struct {
	ExclusiveStartTableName *string `api:"name min=3 max=255"`
	Limit                   *int    `api:"min=1 max=100"`
}

func listTables(_ context.Context, c *call, r *listRequest) (any, error) {
	limit := 100
	if r.Limit != nil {
		limit = *r.Limit
	}
	names := slices.Sorted(maps.Keys(*c.engine.tables.Load()))
	if start := r.ExclusiveStartTableName; start != nil {
		names = slices.DeleteFunc(names, func(name string) bool { return name <= *start })
	}
	out := struct {
		TableNames             []string
		LastEvaluatedTableName string `json:",omitzero"`
	}{TableNames: names[:min(limit, len(names))]}
	if len(names) > limit {
		out.LastEvaluatedTableName = names[limit-1]
	}
	return out, nil
}

// updateRequest are the parameters of UpdateTable.
type updateRequest struct {
	tableRequest
	settings
	AttributeDefinitions        []attributeDefinition `api:""`
	GlobalSecondaryIndexUpdates []indexUpdate         `api:""`
}

type indexUpdate struct {
	Create, Update, Delete *indexDefinition `api:""`
}

func updateTable(ctx context.Context, c *call, r *updateRequest) (any, error) {
	t, err := c.engine.changeTable(ctx, *r.TableName, r.apply)
	if err != nil {
		return nil, err
	}
	status, made := "ACTIVE", ""
	for _, u := range r.GlobalSecondaryIndexUpdates {
		status = "UPDATING"
		if u.Create != nil {
			made = *u.Create.IndexName
		}
	}
	return c.describe(ctx, "TableDescription", t, status, "ACTIVE", made)
}

// apply changes a table's record, and builds or drops its indexes.
func (r *updateRequest) apply(root *bbolt.Bucket, record *tableRecord) error {
	for _, a := range r.AttributeDefinitions {
		record.AttributeDefinitions = slices.DeleteFunc(record.AttributeDefinitions, func(old attributeDefinition) bool {
			return old.AttributeName == a.AttributeName
		})
		record.AttributeDefinitions = append(record.AttributeDefinitions, a)
	}
	old := record.ProvisionedThroughput
	if p := r.ProvisionedThroughput; p != nil && old != nil && *p.ReadCapacityUnits == *old.ReadCapacityUnits && *p.WriteCapacityUnits == *old.WriteCapacityUnits {
		return invalid("The provisioned throughput for the table will not change. The requested value equals the current value. "+
			"Current ReadCapacityUnits provisioned for the table: %[1]d. Requested ReadCapacityUnits: %[1]d. "+
			"Current WriteCapacityUnits provisioned for the table: %[2]d. Requested WriteCapacityUnits: %[2]d. "+
			"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.", *p.ReadCapacityUnits, *p.WriteCapacityUnits)
	}
	if is(r.BillingMode, "PAY_PER_REQUEST") {
		record.ProvisionedThroughput = nil
		for i := range record.GlobalSecondaryIndexes {
			record.GlobalSecondaryIndexes[i].ProvisionedThroughput = nil
		}
	}
	record.BillingMode = cmp.Or(r.BillingMode, record.BillingMode)
	record.ProvisionedThroughput = cmp.Or(r.ProvisionedThroughput, record.ProvisionedThroughput)
	record.DeletionProtectionEnabled = cmp.Or(r.DeletionProtectionEnabled, record.DeletionProtectionEnabled)
	record.TableClass = cmp.Or(r.TableClass, record.TableClass)
	record.StreamSpecification = cmp.Or(r.StreamSpecification, record.StreamSpecification)
	record.OnDemandThroughput = cmp.Or(r.OnDemandThroughput, record.OnDemandThroughput)
	for _, u := range r.GlobalSecondaryIndexUpdates {
		if u.Create != nil {
			if err := createIndex(root, record, *u.Create); err != nil {
				return err
			}
			continue
		}
		name := *cmp.Or(u.Update, u.Delete).IndexName
		i := slices.IndexFunc(record.GlobalSecondaryIndexes, func(ix indexDefinition) bool { return *ix.IndexName == name })
		if i < 0 {
			return errNoTable()
		}
		if u.Update != nil {
			record.GlobalSecondaryIndexes[i].ProvisionedThroughput = u.Update.ProvisionedThroughput
			continue
		}
		record.GlobalSecondaryIndexes = slices.Delete(record.GlobalSecondaryIndexes, i, i+1)
		if err := root.DeleteBucket([]byte("index " + name)); err != nil {
			return err
		}
	}
	// Definitions that no key uses any more are forgotten.
	used := record.used()
	record.AttributeDefinitions = slices.DeleteFunc(record.AttributeDefinitions, func(a attributeDefinition) bool { return !used[a.AttributeName] })
	return nil
}

// createIndex adds an index and fills it from the items.
func createIndex(root *bbolt.Bucket, record *tableRecord, def indexDefinition) error {
	record.GlobalSecondaryIndexes = append(record.GlobalSecondaryIndexes, def)
	if err := record.checkIndexes(false); err != nil {
		return err
	}
	t := record.compile()
	ix := t.index(*def.IndexName)
	bucket, err := root.CreateBucket(ix.bucket)
	if err != nil {
		return err
	}
	return rebuild(root, func(key []byte, it attr.Item) error {
		return replaceEntry(bucket, t, ix, key, nil, it, &consumed{})
	})
}

// used returns the attributes that are keys of the table or of an index.
func (d *tableDefinition) used() map[string]bool {
	used := map[string]bool{}
	for _, k := range d.KeySchema {
		used[k.AttributeName] = true
	}
	for _, ix := range slices.Concat(d.LocalSecondaryIndexes, d.GlobalSecondaryIndexes) {
		for _, k := range ix.KeySchema {
			used[k.AttributeName] = true
		}
	}
	return used
}
