package table

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Description is what the store says of the table.
type Description struct {
	Status    string // ACTIVE when it can be used
	Keys      bool   // PK and SK, as everything here expects
	Index     string // the status of the index; empty when there is none of its name
	IndexKeys bool   // GSI1PK and GSI1SK, with every attribute
	TTL       string // ENABLED when expired items are deleted
	TTLOn     string // the attribute that says when an item expires
	Stream    string // the view type of its stream; empty when it has none
	Protected bool   // against deletion
	Items     int64  // as last counted by the store, hours ago perhaps

	// Ahead is by how much the store's clock is ahead of this machine's, when
	// the store said what time it is.
	Ahead      time.Duration
	AheadKnown bool
}

// ErrNoTable says that there is no table of this name.
var ErrNoTable = errors.New("no such table")

// Describe asks the store about the table.
func (t *Table) Describe(ctx context.Context) (Description, error) {
	out, err := t.raw.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(t.name)})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) || err == nil && out.Table == nil {
		return Description{}, fmt.Errorf("describe %s: %w", t.name, ErrNoTable)
	}
	if err != nil {
		return Description{}, fmt.Errorf("describe table %s: %w", t.name, err)
	}
	d := Description{
		Status: string(out.Table.TableStatus), Keys: keyed(out.Table.KeySchema, "PK", "SK"),
		Protected: aws.ToBool(out.Table.DeletionProtectionEnabled), Items: aws.ToInt64(out.Table.ItemCount),
	}
	for _, i := range out.Table.GlobalSecondaryIndexes {
		if aws.ToString(i.IndexName) == IndexName {
			d.Index = string(i.IndexStatus)
			d.IndexKeys = keyed(i.KeySchema, "GSI1PK", "GSI1SK") && i.Projection != nil && i.Projection.ProjectionType == types.ProjectionTypeAll
		}
	}
	if s := out.Table.StreamSpecification; s != nil && aws.ToBool(s.StreamEnabled) {
		d.Stream = string(s.StreamViewType)
	}
	if theirs, ok := middleware.GetServerTime(out.ResultMetadata); ok && !theirs.IsZero() {
		if ours, ok := middleware.GetResponseAt(out.ResultMetadata); ok {
			d.Ahead, d.AheadKnown = theirs.Sub(ours), true
		}
	}
	ttl, err := t.raw.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: aws.String(t.name)})
	if err != nil {
		return d, fmt.Errorf("describe TTL of %s: %w", t.name, err)
	}
	if x := ttl.TimeToLiveDescription; x != nil {
		d.TTL, d.TTLOn = string(x.TimeToLiveStatus), aws.ToString(x.AttributeName)
	}
	return d, nil
}

func keyed(schema []types.KeySchemaElement, hash, sort string) bool {
	return len(schema) == 2 && aws.ToString(schema[0].AttributeName) == hash && schema[0].KeyType == types.KeyTypeHash &&
		aws.ToString(schema[1].AttributeName) == sort && schema[1].KeyType == types.KeyTypeRange
}
