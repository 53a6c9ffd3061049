package localdynamo

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Limits of a table's definition.
const (
	maxLocalIndexes  = 5
	maxGlobalIndexes = 20
	maxNonKey        = 100
)

// check checks the parameters of CreateTable.
func (d *tableDefinition) check(_ *call, v *violations) error {
	if d.TableName == nil {
		*v = nil // AWS looks no further
		return invalid("The parameter 'TableName' is required but was not present in the request")
	}
	if len(*v) > 0 {
		return nil // what follows assumes that they are met
	}
	if !is(d.BillingMode, "PAY_PER_REQUEST") && d.ProvisionedThroughput == nil {
		return invalidParam("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	if err := d.checkBilling(); err != nil {
		return err
	}
	if s := d.StreamSpecification; s != nil && !s.StreamEnabled && s.StreamViewType != nil {
		return invalidParam("StreamViewType should not be specified when StreamEnabled is false")
	}
	return cmp.Or(d.checkKeys(d.KeySchema), d.checkIndexes(true))
}

func (s *settings) checkBilling() error {
	if is(s.BillingMode, "PAY_PER_REQUEST") && s.ProvisionedThroughput != nil {
		return invalidParam("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	}
	return nil
}

// checkKeys checks one key schema against the attribute definitions.
func (d *tableDefinition) checkKeys(keys []keyElement) error {
	names, defined, missing := make([]string, len(keys)), d.defined(), false
	for i, k := range keys {
		names[i] = k.AttributeName
		missing = missing || !slices.Contains(defined, k.AttributeName)
	}
	switch {
	case len(keys) > len(defined):
		return invalid("Invalid KeySchema: Some index key attribute have no definition")
	case missing:
		return invalidParam("Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]",
			strings.Join(names, ", "), strings.Join(defined, ", "))
	case len(keys) > 1 && names[0] == names[1]:
		return invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	case keys[0].KeyType != "HASH":
		return invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case len(keys) > 1 && keys[1].KeyType != "RANGE":
		return invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return nil
}

// checkIndexes checks the secondary indexes, and that every attribute defined
// is a key of something when exact.
func (d *tableDefinition) checkIndexes(exact bool) error {
	if d.LocalSecondaryIndexes != nil {
		switch {
		case len(d.LocalSecondaryIndexes) == 0:
			return invalidParam("List of LocalSecondaryIndexes is empty")
		case len(d.KeySchema) < 2:
			return invalidParam("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
		case len(d.LocalSecondaryIndexes) > maxLocalIndexes:
			return invalidParam("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocalIndexes)
		}
	}
	if exact && d.GlobalSecondaryIndexes != nil && len(d.GlobalSecondaryIndexes) == 0 {
		return invalidParam("List of GlobalSecondaryIndexes is empty")
	}
	if len(d.GlobalSecondaryIndexes) > maxGlobalIndexes {
		return invalidParam("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	seen := map[string]bool{}
	nonKey := 0
	for i, ix := range slices.Concat(d.LocalSecondaryIndexes, d.GlobalSecondaryIndexes) {
		if err := d.checkIndex(ix, i < len(d.LocalSecondaryIndexes)); err != nil {
			return err
		}
		if seen[*ix.IndexName] {
			return invalidParam("Duplicate index name: %s", *ix.IndexName)
		}
		seen[*ix.IndexName] = true
		nonKey += len(ix.Projection.NonKeyAttributes)
	}
	if nonKey > maxNonKey {
		return invalidParam("Number of attributes specified in all NonKeyAttributes exceeds the limit of %d", maxNonKey)
	}
	if used := slices.Sorted(maps.Keys(d.used())); exact && len(used) != len(d.AttributeDefinitions) {
		if len(seen) > 0 {
			return invalidParam("Some AttributeDefinitions are not used. AttributeDefinitions: %s, keys used: %s", slices.Sorted(slices.Values(d.defined())), used)
		}
		return invalidParam("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	return nil
}

// defined returns the names of the attribute definitions.
func (d *tableDefinition) defined() []string {
	names := make([]string, len(d.AttributeDefinitions))
	for i, a := range d.AttributeDefinitions {
		names[i] = a.AttributeName
	}
	return names
}

func (d *tableDefinition) checkIndex(ix indexDefinition, local bool) error {
	if err := d.checkKeys(ix.KeySchema); err != nil {
		return err
	}
	if local {
		switch {
		case len(ix.KeySchema) < 2:
			return invalidParam("Index KeySchema does not have a range key for index: %s", *ix.IndexName)
		case ix.KeySchema[0].AttributeName != d.KeySchema[0].AttributeName:
			return invalidParam("Index KeySchema does not have the same leading hash key as table KeySchema for index: %s. "+
				"index hash key: %s, table hash key: %s", *ix.IndexName, ix.KeySchema[0].AttributeName, d.KeySchema[0].AttributeName)
		}
	}
	if !local && is(d.BillingMode, "PAY_PER_REQUEST") && ix.ProvisionedThroughput != nil {
		return invalidParam("ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", *ix.IndexName)
	}
	if !local && !is(d.BillingMode, "PAY_PER_REQUEST") && ix.ProvisionedThroughput == nil {
		return invalidParam("ProvisionedThroughput is not specified for index: %s", *ix.IndexName)
	}
	switch p := ix.Projection; {
	case p.ProjectionType == nil:
		return invalidParam("Unknown ProjectionType: null")
	case *p.ProjectionType == "INCLUDE" && p.NonKeyAttributes == nil:
		return invalidParam("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	case *p.ProjectionType != "INCLUDE" && p.NonKeyAttributes != nil:
		return invalidParam("ProjectionType is %s, but NonKeyAttributes is specified", *p.ProjectionType)
	}
	return nil
}

// check checks the parameters of UpdateTable.
func (r *updateRequest) check(_ *call, v *violations) error {
	if len(*v) > 0 {
		return nil // what follows assumes that they are met
	}
	if r.settings == (settings{}) && len(r.GlobalSecondaryIndexUpdates) == 0 {
		return invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	if is(r.BillingMode, "PROVISIONED") && r.ProvisionedThroughput == nil {
		return invalidParam("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
	}
	if err := r.checkBilling(); err != nil {
		return err
	}
	changes := 0
	for _, u := range r.GlobalSecondaryIndexUpdates {
		given := slices.DeleteFunc([]*indexDefinition{u.Create, u.Update, u.Delete}, func(ix *indexDefinition) bool { return ix == nil })
		if len(given) != 1 {
			return invalidParam("One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null")
		}
		if u.Update == nil {
			changes++
		}
	}
	if changes > 1 {
		return refuse("LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	}
	return nil
}
