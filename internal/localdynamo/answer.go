package localdynamo

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// marshal writes an answer, or what is stored of a table.
func marshal(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
}

// item is an item or key in an answer: written into the answer's own buffer.
type item attr.Item

// MarshalJSONTo implements json.MarshalerTo.
func (it item) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteValue(attr.AppendItemJSON(e.AvailableBuffer(), attr.Item(it)))
}

// itemAnswer is what an operation on one item answers.
type itemAnswer struct {
	Item                  item        `json:",omitzero"`
	Attributes            item        `json:",omitzero"`
	ConsumedCapacity      *capacity   `json:",omitzero"`
	ItemCollectionMetrics *collection `json:",omitzero"`
}

// writesAnswer is what an operation that writes several items answers.
type writesAnswer struct {
	UnprocessedItems      *struct{}               `json:",omitzero"`
	ConsumedCapacity      []capacity              `json:",omitzero"`
	ItemCollectionMetrics map[string][]collection `json:",omitzero"`
}

// searchAnswer is what Query and Scan answer.
type searchAnswer struct {
	Items            []item `json:",omitzero"`
	Count            int
	ScannedCount     int
	LastEvaluatedKey item      `json:",omitzero"`
	ConsumedCapacity *capacity `json:",omitzero"`
}

// collection are the metrics of an item collection. The size is an estimate by
// contract, in ranges of a gigabyte: here always the smallest.
type collection struct {
	ItemCollectionKey   item
	SizeEstimateRangeGB [2]float64
}
