package localdynamo

import (
	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// capacity is what a request consumed of one table, by AWS's arithmetic
// ("DynamoDB read and write operations"): reads in halves of 4 KB units,
// writes in 1 KB units, transactions twice that.
type capacity struct {
	table          float64
	globals, local map[string]float64
	read, write    float64 // of transactions
}

func (c *capacity) total() float64 {
	sum := c.table
	for _, n := range c.globals {
		sum += n
	}
	for _, n := range c.local {
		sum += n
	}
	return sum
}

func (c *capacity) addIndex(ix *indexMeta, n float64) {
	m := &c.globals
	if ix.Local {
		m = &c.local
	}
	if *m == nil {
		*m = map[string]float64{}
	}
	(*m)[ix.Name] += n
}

func units(size, unit int) float64 { return float64(max(1, (size+unit-1)/unit)) }

// readUnits is the cost of reading size bytes at once.
func readUnits(size int, consistent bool) float64 {
	n := units(size, 4<<10)
	if !consistent {
		n /= 2
	}
	return n
}

func itemSize(it attr.Item) int {
	if it == nil {
		return 0
	}
	return attr.ItemSize(it)
}

// countWrite adds the cost of replacing before by after, indexes included: an
// index entry that moves is a delete and a put.
func (t *tableMeta) countWrite(c *capacity, before, after attr.Item, times float64) {
	c.table += times * units(max(itemSize(before), itemSize(after)), 1<<10)
	for _, ix := range t.indexes() {
		was, is := ix.entry(before, nil), ix.entry(after, nil)
		wasItem, isItem := ix.project(t, before), ix.project(t, after)
		switch {
		case was == nil && is == nil:
		case was == nil:
			c.addIndex(ix, times*units(itemSize(isItem), 1<<10))
		case is == nil:
			c.addIndex(ix, times*units(itemSize(wasItem), 1<<10))
		case string(was) != string(is):
			c.addIndex(ix, times*(units(itemSize(wasItem), 1<<10)+units(itemSize(isItem), 1<<10)))
		case !attr.Equal(attr.Value{Kind: attr.KindMap, M: wasItem}, attr.Value{Kind: attr.KindMap, M: isItem}):
			c.addIndex(ix, times*units(max(itemSize(wasItem), itemSize(isItem)), 1<<10))
		}
	}
}

// wireCapacity is the ConsumedCapacity of an answer.
type wireCapacity struct {
	TableName     string
	CapacityUnits float64
	Read          float64               `json:"ReadCapacityUnits,omitempty"`
	Write         float64               `json:"WriteCapacityUnits,omitempty"`
	Table         *wireUnits            `json:",omitempty"`
	Globals       map[string]*wireUnits `json:"GlobalSecondaryIndexes,omitempty"`
	Locals        map[string]*wireUnits `json:"LocalSecondaryIndexes,omitempty"`
}

type wireUnits struct {
	CapacityUnits float64
	Read          float64 `json:"ReadCapacityUnits,omitempty"`
	Write         float64 `json:"WriteCapacityUnits,omitempty"`
}

// wire gives the answer's form for what was asked: NONE, TOTAL or INDEXES.
func (c *capacity) wire(table, asked string) *wireCapacity {
	if asked != "TOTAL" && asked != "INDEXES" {
		return nil
	}
	w := &wireCapacity{TableName: table, CapacityUnits: c.total(), Read: c.read, Write: c.write}
	if asked == "TOTAL" {
		return w
	}
	w.Table = &wireUnits{c.table, c.read, c.write}
	if c.write > 0 {
		w.Table.Write = c.table
	}
	convert := func(m map[string]float64) map[string]*wireUnits {
		if len(m) == 0 {
			return nil
		}
		out := map[string]*wireUnits{}
		for name, n := range m {
			out[name] = &wireUnits{CapacityUnits: n}
			if c.write > 0 {
				out[name].Write = n
			}
		}
		return out
	}
	w.Globals, w.Locals = convert(c.globals), convert(c.local)
	return w
}
