package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Route sends the keys of one kind of work to its handler.
type Route struct {
	// Prefix is how the partition keys of the work begin, "OUTBOX#" say.
	Prefix string
	// Due is the attribute (Unix milliseconds) before which the item is none of
	// the stream's business: it is held, or waits for a retry.
	Due string
	// Handle does the work of one item. An error means that the same record
	// should come again.
	Handle func(ctx context.Context, key table.Key) error
}

// Handler serves the event source.
type Handler struct {
	Routes []Route
	// Sweep does all work that is due, whatever the stream brought: retries,
	// and what was cut off. A schedule calls for it.
	Sweep func(ctx context.Context) error
	Now   func() time.Time
	Log   *slog.Logger
}

// Invoke serves one invocation of the function: a batch of the stream, or, for
// an event without records, the schedule's call for a sweep.
func (h *Handler) Invoke(ctx context.Context, event json.RawMessage) (events.DynamoDBEventResponse, error) {
	var batch events.DynamoDBEvent
	if err := json.Unmarshal(event, &batch); err != nil {
		return events.DynamoDBEventResponse{}, fmt.Errorf("read event: %w", err)
	}
	if batch.Records == nil {
		return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}, h.Sweep(ctx)
	}
	return h.Serve(ctx, batch)
}

// Serve handles one batch. Records are taken in order; after a failure the
// rest of the batch is still tried, and what failed is named in the answer. For
// a stream, Lambda goes on from the first named record, which the handlers'
// claims make harmless.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
func (h *Handler) Serve(ctx context.Context, batch events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	answer := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
	for _, rec := range batch.Records {
		route, key, ok := h.route(rec)
		if !ok {
			continue
		}
		if err := route.Handle(ctx, key); err != nil {
			h.Log.ErrorContext(ctx, "stream record failed", "kind", route.Prefix, "item", key.SK, "error", err.Error())
			answer.BatchItemFailures = append(answer.BatchItemFailures,
				events.DynamoDBBatchItemFailure{ItemIdentifier: rec.Change.SequenceNumber})
		}
	}
	return answer, nil
}

// route finds who handles a record: an item that came or changed, is of a known
// kind, and is due.
func (h *Handler) route(rec events.DynamoDBEventRecord) (Route, table.Key, bool) {
	if rec.EventName == string(events.DynamoDBOperationTypeRemove) {
		return Route{}, table.Key{}, false
	}
	key := table.Key{PK: text(rec.Change.Keys["PK"]), SK: text(rec.Change.Keys["SK"])}
	for _, r := range h.Routes {
		if !strings.HasPrefix(key.PK, r.Prefix) || key.SK == "" {
			continue
		}
		due := rec.Change.NewImage[r.Due]
		if due.DataType() != events.DataTypeNumber {
			// Without the image it cannot be told; the handler's claim can.
			return r, key, len(rec.Change.NewImage) == 0
		}
		ms, err := due.Integer()
		return r, key, err == nil && !time.UnixMilli(ms).After(h.Now())
	}
	return Route{}, table.Key{}, false
}

// text gives a string attribute; the library panics on other types.
func text(v events.DynamoDBAttributeValue) string {
	if v.DataType() != events.DataTypeString {
		return ""
	}
	return v.String()
}
