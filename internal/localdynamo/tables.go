package localdynamo

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

type attributeDefinition struct{ AttributeName, AttributeType string }

type keyElement struct{ AttributeName, KeyType string }

type projection struct {
	Type   string   `json:"ProjectionType,omitempty"`
	NonKey []string `json:"NonKeyAttributes,omitempty"`
}

type throughput struct {
	Read  int `json:"ReadCapacityUnits"`
	Write int `json:"WriteCapacityUnits"`
}

type streamSpecification struct {
	StreamEnabled  bool
	StreamViewType string `json:",omitempty"`
}

type indexRequest struct {
	IndexName             string
	KeySchema             []keyElement
	Projection            *projection
	ProvisionedThroughput *throughput
}

type tableRequest struct {
	TableName                   string
	AttributeDefinitions        []attributeDefinition
	KeySchema                   []keyElement
	GlobalSecondaryIndexes      []indexRequest
	LocalSecondaryIndexes       []indexRequest
	BillingMode                 string
	ProvisionedThroughput       *throughput
	DeletionProtectionEnabled   *bool
	StreamSpecification         *streamSpecification
	GlobalSecondaryIndexUpdates []struct {
		Create *indexRequest
		Delete *struct{ IndexName string }
		Update *struct {
			IndexName             string
			ProvisionedThroughput *throughput
		}
	}
	Limit                   *int
	ExclusiveStartTableName string
	TimeToLiveSpecification *ttlSpecification
}

type ttlSpecification struct {
	AttributeName string
	Enabled       *bool
}

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

const arn = "arn:aws:dynamodb:local:000000000000:table/"

// schemaKeys turns a key schema into keys, or AWS's refusal. used collects the
// attributes that some schema names.
func schemaKeys(schema []keyElement, defs []attributeDefinition, used map[string]bool) (hash, rng expr.Key, err error) {
	if len(schema) == 0 || schema[0].KeyType != "HASH" {
		return hash, rng, invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	}
	if len(schema) > 2 {
		return hash, rng, invalid("1 validation error detected: Value at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2")
	}
	if len(schema) == 2 && schema[1].KeyType != "RANGE" {
		return hash, rng, invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	if len(schema) == 2 && schema[0].AttributeName == schema[1].AttributeName {
		return hash, rng, invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	}
	out := make([]expr.Key, 2)
	for i, k := range schema {
		kind := attr.KindNone
		for _, d := range defs {
			if d.AttributeName == k.AttributeName {
				kind = attr.KindOf(d.AttributeType)
			}
		}
		if kind == attr.KindNone {
			var names, keys []string
			for _, d := range defs {
				names = append(names, d.AttributeName)
			}
			for _, s := range schema {
				keys = append(keys, s.AttributeName)
			}
			return hash, rng, invalid("One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]", strings.Join(keys, ", "), strings.Join(names, ", "))
		}
		out[i] = expr.Key{Name: k.AttributeName, Kind: kind}
		used[k.AttributeName] = true
	}
	return out[0], out[1], nil
}

func buildIndex(r indexRequest, defs []attributeDefinition, used map[string]bool, local bool) (*indexMeta, error) {
	if !nameForm.MatchString(r.IndexName) {
		return nil, invalid("1 validation error detected: Value '%s' at 'indexName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+", r.IndexName)
	}
	if len(r.IndexName) < 3 || len(r.IndexName) > 255 {
		return nil, invalid("1 validation error detected: Value '%s' at 'indexName' failed to satisfy constraint: Member must have length %s", r.IndexName, map[bool]string{true: "greater than or equal to 3", false: "less than or equal to 255"}[len(r.IndexName) < 3])
	}
	ix := &indexMeta{Name: r.IndexName, Local: local}
	var err error
	if ix.Hash, ix.Range, err = schemaKeys(r.KeySchema, defs, used); err != nil {
		return nil, err
	}
	if r.Projection == nil || r.Projection.Type == "" {
		return nil, invalid("One or more parameter values were invalid: Unknown ProjectionType: null")
	}
	if !slices.Contains([]string{"ALL", "KEYS_ONLY", "INCLUDE"}, r.Projection.Type) {
		return nil, checkEnum("projection.projectionType", r.Projection.Type, "ALL, INCLUDE, KEYS_ONLY")
	}
	if r.Projection.Type == "INCLUDE" && len(r.Projection.NonKey) == 0 {
		return nil, invalid("One or more parameter values were invalid: ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	}
	if r.Projection.Type != "INCLUDE" && r.Projection.NonKey != nil {
		return nil, invalid("One or more parameter values were invalid: ProjectionType is %s, but NonKeyAttributes is specified", r.Projection.Type)
	}
	ix.Projection = *r.Projection
	if r.ProvisionedThroughput != nil {
		ix.Throughput = *r.ProvisionedThroughput
	}
	return ix, nil
}

func (e *call) createTable(r *tableRequest) (any, error) {
	if err := checkTableName(r.TableName); err != nil {
		return nil, err
	}
	if r.AttributeDefinitions == nil {
		return nil, missing("attributeDefinitions")
	}
	if r.KeySchema == nil {
		return nil, missing("keySchema")
	}
	for i, d := range r.AttributeDefinitions {
		if err := checkEnum("attributeDefinitions."+itoa(i+1)+".member.attributeType", d.AttributeType, "B, N, S"); err != nil {
			return nil, err
		}
	}
	if err := checkEnum("billingMode", r.BillingMode, "PROVISIONED, PAY_PER_REQUEST"); err != nil {
		return nil, err
	}
	switch {
	case r.BillingMode == "PAY_PER_REQUEST" && r.ProvisionedThroughput != nil:
		return nil, invalid("One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case r.BillingMode != "PAY_PER_REQUEST" && r.ProvisionedThroughput == nil:
		return nil, invalid("One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	case r.ProvisionedThroughput != nil && (r.ProvisionedThroughput.Read < 1 || r.ProvisionedThroughput.Write < 1):
		return nil, tooSmall("provisionedThroughput.writeCapacityUnits", min(r.ProvisionedThroughput.Read, r.ProvisionedThroughput.Write), 1)
	}
	t := &tableMeta{
		Name: r.TableName, ID: strings.ToLower(rand.Text()), Attributes: r.AttributeDefinitions, Billing: r.BillingMode,
		Created: float64(e.o.Now().UnixMilli()) / 1000, Stream: r.StreamSpecification,
	}
	if t.Billing == "" {
		t.Billing = "PROVISIONED"
	}
	if r.ProvisionedThroughput != nil {
		t.Throughput = *r.ProvisionedThroughput
	}
	t.Protected = r.DeletionProtectionEnabled != nil && *r.DeletionProtectionEnabled
	used := map[string]bool{}
	var err error
	if t.Hash, t.Range, err = schemaKeys(r.KeySchema, r.AttributeDefinitions, used); err != nil {
		return nil, err
	}
	if err := t.addIndexes(r, used); err != nil {
		return nil, err
	}
	if len(used) != len(r.AttributeDefinitions) {
		return nil, invalid("One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	err = e.update(func(tx *bbolt.Tx, tables map[string]*tableMeta) (map[string]*tableMeta, error) {
		if tables[t.Name] != nil {
			return nil, fail("ResourceInUseException", "Table already exists: %s", t.Name)
		}
		if _, err := tx.CreateBucket([]byte("t/" + t.ID)); err != nil {
			return nil, broken(err)
		}
		for _, ix := range t.indexes() {
			if _, err := tx.CreateBucket([]byte("i/" + t.ID + "/" + ix.Name)); err != nil {
				return nil, broken(err)
			}
		}
		return saved(tx, tables, t)
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"TableDescription": e.describe(t, "CREATING")}, nil
}

func (t *tableMeta) addIndexes(r *tableRequest, used map[string]bool) error {
	names := map[string]bool{}
	for _, ir := range r.LocalSecondaryIndexes {
		ix, err := buildIndex(ir, r.AttributeDefinitions, used, true)
		if err != nil {
			return err
		}
		switch {
		case t.Range.Name == "":
			return invalid("One or more parameter values were invalid: Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
		case ix.Range.Name == "":
			return invalid("One or more parameter values were invalid: Index KeySchema does not have a range key for index: %s", ix.Name)
		case ix.Hash.Name != t.Hash.Name:
			return invalid("One or more parameter values were invalid: Index KeySchema does not have the same leading hash key as table KeySchema for index: %s. index hash key: %s, table hash key: %s", ix.Name, ix.Hash.Name, t.Hash.Name)
		case names[ix.Name]:
			return invalid("One or more parameter values were invalid: Duplicate index name: %s", ix.Name)
		}
		names[ix.Name] = true
		t.Locals = append(t.Locals, ix)
	}
	for _, ir := range r.GlobalSecondaryIndexes {
		ix, err := buildIndex(ir, r.AttributeDefinitions, used, false)
		if err != nil {
			return err
		}
		if names[ix.Name] {
			return invalid("One or more parameter values were invalid: Duplicate index name: %s", ix.Name)
		}
		names[ix.Name] = true
		t.Globals = append(t.Globals, ix)
	}
	if r.LocalSecondaryIndexes != nil && len(t.Locals) == 0 {
		return invalid("One or more parameter values were invalid: List of LocalSecondaryIndexes is empty")
	}
	if r.GlobalSecondaryIndexes != nil && len(t.Globals) == 0 {
		return invalid("One or more parameter values were invalid: List of GlobalSecondaryIndexes is empty")
	}
	if len(t.Locals) > 5 {
		return invalid("One or more parameter values were invalid: Number of LocalSecondaryIndexes exceeds per-table limit of 5")
	}
	if len(t.Globals) > 20 {
		return invalid("One or more parameter values were invalid: Number of GlobalSecondaryIndexes exceeds per-table limit of 20")
	}
	return nil
}

// saved writes a table's metadata and gives the map with it in.
func saved(tx *bbolt.Tx, tables map[string]*tableMeta, t *tableMeta) (map[string]*tableMeta, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, broken(err)
	}
	if err := tx.Bucket(tablesBucket).Put([]byte(t.Name), raw); err != nil {
		return nil, broken(err)
	}
	out := maps.Clone(tables)
	out[t.Name] = t
	return out, nil
}

func (e *call) describe(t *tableMeta, status string) map[string]any {
	schema := func(hash, rng expr.Key) []keyElement {
		out := []keyElement{{hash.Name, "HASH"}}
		if rng.Name != "" {
			out = append(out, keyElement{rng.Name, "RANGE"})
		}
		return out
	}
	d := map[string]any{
		"TableName": t.Name, "TableId": t.ID, "TableArn": arn + t.Name, "TableStatus": status,
		"AttributeDefinitions": t.Attributes, "KeySchema": schema(t.Hash, t.Range), "CreationDateTime": t.Created,
		"ItemCount": 0, "TableSizeBytes": 0, "DeletionProtectionEnabled": t.Protected,
		"ProvisionedThroughput": map[string]any{"ReadCapacityUnits": t.Throughput.Read, "WriteCapacityUnits": t.Throughput.Write, "NumberOfDecreasesToday": 0},
	}
	if t.Billing == "PAY_PER_REQUEST" {
		d["BillingModeSummary"] = map[string]any{"BillingMode": t.Billing, "LastUpdateToPayPerRequestDateTime": t.Created}
	}
	if t.Stream != nil {
		d["StreamSpecification"] = t.Stream
	}
	_ = e.view(func(tx *bbolt.Tx) error { // only counts: a table being deleted has none
		if b := t.bucket(tx); b != nil {
			s := b.Stats()
			d["ItemCount"], d["TableSizeBytes"] = s.KeyN, s.LeafInuse
		}
		return nil
	})
	list := func(all []*indexMeta) []map[string]any {
		var out []map[string]any
		for _, ix := range all {
			m := map[string]any{
				"IndexName": ix.Name, "KeySchema": schema(ix.Hash, ix.Range), "Projection": ix.Projection,
				"IndexArn": arn + t.Name + "/index/" + ix.Name, "IndexSizeBytes": 0, "ItemCount": 0,
			}
			if !ix.Local {
				m["IndexStatus"] = map[bool]string{true: "ACTIVE", false: status}[status != "CREATING" && status != "DELETING"]
				m["ProvisionedThroughput"] = map[string]any{"ReadCapacityUnits": ix.Throughput.Read, "WriteCapacityUnits": ix.Throughput.Write, "NumberOfDecreasesToday": 0}
			}
			out = append(out, m)
		}
		return out
	}
	if len(t.Globals) > 0 {
		d["GlobalSecondaryIndexes"] = list(t.Globals)
	}
	if len(t.Locals) > 0 {
		d["LocalSecondaryIndexes"] = list(t.Locals)
	}
	return d
}

func (e *call) describeTable(r *tableRequest) (any, error) {
	if err := checkTableName(r.TableName); err != nil {
		return nil, err
	}
	t, err := e.table(r.TableName)
	if err != nil {
		return nil, notFound("Requested resource not found: Table: %s not found", r.TableName)
	}
	return map[string]any{"Table": e.describe(t, "ACTIVE")}, nil
}

func (e *call) deleteTable(r *tableRequest) (any, error) {
	if err := checkTableName(r.TableName); err != nil {
		return nil, err
	}
	t, err := e.table(r.TableName)
	if err != nil {
		return nil, notFound("Requested resource not found: Table: %s not found", r.TableName)
	}
	if t.Protected {
		return nil, invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	answer := map[string]any{"TableDescription": e.describe(t, "DELETING")}
	err = e.update(func(tx *bbolt.Tx, tables map[string]*tableMeta) (map[string]*tableMeta, error) {
		t := tables[r.TableName]
		if t == nil {
			return nil, notFound("Requested resource not found: Table: %s not found", r.TableName)
		}
		if err := tx.DeleteBucket([]byte("t/" + t.ID)); err != nil {
			return nil, broken(err)
		}
		for _, ix := range t.indexes() {
			if err := tx.DeleteBucket([]byte("i/" + t.ID + "/" + ix.Name)); err != nil {
				return nil, broken(err)
			}
		}
		if t.TTL != "" {
			if err := tx.DeleteBucket(t.ttlBucket()); err != nil {
				return nil, broken(err)
			}
		}
		if err := tx.Bucket(tablesBucket).Delete([]byte(t.Name)); err != nil {
			return nil, broken(err)
		}
		out := maps.Clone(tables)
		delete(out, t.Name)
		return out, nil
	})
	return answer, err
}

func (e *call) listTables(r *tableRequest) (any, error) {
	limit := 100
	if r.Limit != nil {
		if limit = *r.Limit; limit < 1 || limit > 100 {
			if limit < 1 {
				return nil, tooSmall("limit", limit, 1)
			}
			return nil, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100", limit)
		}
	}
	names := slices.DeleteFunc(sortedNames(*e.tables.Load()), func(n string) bool { return n <= r.ExclusiveStartTableName })
	out := map[string]any{}
	if len(names) > limit {
		names = names[:limit]
		out["LastEvaluatedTableName"] = names[limit-1]
	}
	out["TableNames"] = names
	return out, nil
}

// updateTable adds or removes a global index and changes settings; indexes are
// filled before the answer.
func (e *call) updateTable(r *tableRequest) (any, error) {
	if err := checkTableName(r.TableName); err != nil {
		return nil, err
	}
	if _, err := e.table(r.TableName); err != nil {
		return nil, notFound("Requested resource not found: Table: %s not found", r.TableName)
	}
	var t *tableMeta
	err := e.update(func(tx *bbolt.Tx, tables map[string]*tableMeta) (map[string]*tableMeta, error) {
		old := tables[r.TableName]
		if old == nil {
			return nil, notFound("Requested resource not found: Table: %s not found", r.TableName)
		}
		next := *old
		t = &next
		if r.BillingMode != "" {
			t.Billing = r.BillingMode
		}
		if r.ProvisionedThroughput != nil {
			t.Throughput = *r.ProvisionedThroughput
		}
		if r.DeletionProtectionEnabled != nil {
			t.Protected = *r.DeletionProtectionEnabled
		}
		if r.StreamSpecification != nil {
			t.Stream = r.StreamSpecification
		}
		t.Globals = slices.Clone(old.Globals)
		var added []*indexMeta
		for _, u := range r.GlobalSecondaryIndexUpdates {
			switch {
			case u.Create != nil:
				if t.index(u.Create.IndexName) != nil {
					return nil, invalid("One or more parameter values were invalid: Duplicate index name: %s", u.Create.IndexName)
				}
				for _, d := range r.AttributeDefinitions {
					if !slices.ContainsFunc(t.Attributes, func(a attributeDefinition) bool { return a.AttributeName == d.AttributeName }) {
						t.Attributes = append(slices.Clone(t.Attributes), d)
					}
				}
				ix, err := buildIndex(*u.Create, t.Attributes, map[string]bool{}, false)
				if err != nil {
					return nil, err
				}
				added = append(added, ix)
				t.Globals = append(t.Globals, ix)
			case u.Delete != nil:
				i := slices.IndexFunc(t.Globals, func(ix *indexMeta) bool { return ix.Name == u.Delete.IndexName })
				if i < 0 {
					return nil, notFound("Requested resource not found")
				}
				t.Globals = slices.Delete(t.Globals, i, i+1)
				if err := tx.DeleteBucket([]byte("i/" + t.ID + "/" + u.Delete.IndexName)); err != nil {
					return nil, broken(err)
				}
			case u.Update != nil && t.index(u.Update.IndexName) == nil:
				return nil, notFound("Requested resource not found")
			}
		}
		for _, ix := range added {
			if err := t.fill(tx, ix); err != nil {
				return nil, broken(err)
			}
		}
		return saved(tx, tables, t)
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"TableDescription": e.describe(t, "UPDATING")}, nil
}

// fill puts every item of a table into a new index.
func (t *tableMeta) fill(tx *bbolt.Tx, ix *indexMeta) error {
	ib, err := tx.CreateBucket([]byte("i/" + t.ID + "/" + ix.Name))
	if err != nil {
		return err
	}
	return t.bucket(tx).ForEach(func(k, v []byte) error {
		it, err := attr.DecodeItem(v)
		if err != nil {
			return err
		}
		entry := ix.entry(it, k)
		if entry == nil {
			return nil
		}
		return ib.Put(entry, slices.Clone(k))
	})
}

func (e *call) updateTimeToLive(r *tableRequest) (any, error) {
	if err := checkTableName(r.TableName); err != nil {
		return nil, err
	}
	s := r.TimeToLiveSpecification
	if s == nil {
		return nil, missing("timeToLiveSpecification")
	}
	if s.Enabled == nil {
		return nil, missing("timeToLiveSpecification.enabled")
	}
	if s.AttributeName == "" {
		return nil, invalid("1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	err := e.update(func(tx *bbolt.Tx, tables map[string]*tableMeta) (map[string]*tableMeta, error) {
		t := tables[r.TableName]
		if t == nil {
			return nil, notFound("Requested resource not found: Table: %s not found", r.TableName)
		}
		switch {
		case *s.Enabled && t.TTL != "":
			return nil, invalid("TimeToLive is already enabled")
		case !*s.Enabled && t.TTL == "":
			return nil, invalid("TimeToLive is already disabled")
		case !*s.Enabled && t.TTL != s.AttributeName:
			return nil, invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", t.TTL)
		}
		next := *t
		next.TTL = ""
		if *s.Enabled {
			next.TTL = s.AttributeName
		}
		if err := next.fillTTL(tx); err != nil {
			return nil, broken(err)
		}
		return saved(tx, tables, &next)
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"TimeToLiveSpecification": map[string]any{"AttributeName": s.AttributeName, "Enabled": *s.Enabled}}, nil
}

func (e *call) describeTimeToLive(r *tableRequest) (any, error) {
	if err := checkTableName(r.TableName); err != nil {
		return nil, err
	}
	t, err := e.table(r.TableName)
	if err != nil {
		return nil, notFound("Requested resource not found: Table: %s not found", r.TableName)
	}
	d := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if t.TTL != "" {
		d = map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": t.TTL}
	}
	return map[string]any{"TimeToLiveDescription": d}, nil
}
