package localdynamo

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// describe writes a table's description as member name. status is the table's,
// indexStatus that of its global indexes; those named in made are being built.
func (c *call) describe(ctx context.Context, member string, t *table, status, indexStatus string, made ...string) (any, error) {
	counts, size := map[string]uint64{}, uint64(0)
	err := c.engine.view(ctx, func(tx *bbolt.Tx) error {
		root, items := open(tx, t)
		if items == nil {
			return nil
		}
		size, counts[""] = root.Sequence(), items.Sequence()
		for _, ix := range t.indexes {
			if b := root.Bucket(ix.bucket); b != nil {
				counts[ix.name] = b.Sequence()
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := t.record
	units := func(p *throughput) map[string]any {
		out := map[string]any{"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
		if p != nil {
			out["ReadCapacityUnits"], out["WriteCapacityUnits"] = *p.ReadCapacityUnits, *p.WriteCapacityUnits
		}
		return out
	}
	arn := fmt.Sprintf("arn:aws:dynamodb:%s:000000000000:table/%s", c.engine.opts.Region, t.name)
	d := map[string]any{"TableName": t.name, "TableStatus": status, "TableArn": arn, "TableId": r.ID,
		"AttributeDefinitions": r.AttributeDefinitions, "KeySchema": r.KeySchema,
		"CreationDateTime": float64(r.Created) / 1000, "ItemCount": counts[""], "TableSizeBytes": size,
		"ProvisionedThroughput":     units(r.ProvisionedThroughput),
		"DeletionProtectionEnabled": r.DeletionProtectionEnabled != nil && *r.DeletionProtectionEnabled}
	if is(r.BillingMode, "PAY_PER_REQUEST") {
		d["BillingModeSummary"] = map[string]any{"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": float64(r.Created) / 1000}
	}
	if r.TableClass != nil {
		d["TableClassSummary"] = map[string]any{"TableClass": *r.TableClass}
	}
	if r.StreamSpecification != nil {
		d["StreamSpecification"] = r.StreamSpecification
	}
	if r.OnDemandThroughput != nil {
		d["OnDemandThroughput"] = r.OnDemandThroughput
	}
	if r.SSESpecification != nil && r.SSESpecification.Enabled {
		d["SSEDescription"] = map[string]any{"Status": "ENABLED", "SSEType": "KMS",
			"KMSMasterKeyArn": fmt.Sprintf("arn:aws:kms:%s:000000000000:alias/aws/dynamodb", c.engine.opts.Region)}
	}
	describeIndexes := func(member string, defs []indexDefinition, global bool) {
		var list []map[string]any
		for _, def := range defs {
			ix := map[string]any{"IndexName": *def.IndexName, "KeySchema": def.KeySchema, "Projection": def.Projection,
				"IndexArn": arn + "/index/" + *def.IndexName, "ItemCount": counts[*def.IndexName], "IndexSizeBytes": 0}
			if global {
				ix["ProvisionedThroughput"] = units(def.ProvisionedThroughput)
				ix["IndexStatus"] = indexStatus
				if slices.Contains(made, *def.IndexName) {
					ix["IndexStatus"], ix["Backfilling"] = "CREATING", false
				}
			}
			list = append(list, ix)
		}
		if list != nil {
			d[member] = list
		}
	}
	describeIndexes("LocalSecondaryIndexes", r.LocalSecondaryIndexes, false)
	describeIndexes("GlobalSecondaryIndexes", r.GlobalSecondaryIndexes, true)
	return map[string]any{member: d}, nil
}
