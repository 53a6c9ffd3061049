package localdynamo

import (
	"maps"
	"slices"
)

// consumed is what a request consumed of one table and its indexes, in capacity
// units ("Read and write operations in DynamoDB": 4 KB a read unit, half for an
// eventually consistent read; 1 KB a write unit; twice in a transaction).
type consumed struct {
	of      *table
	table   float64
	indexes map[*index]float64
}

func (c *consumed) index(ix *index, units float64) {
	if c.indexes == nil {
		c.indexes = map[*index]float64{}
	}
	c.indexes[ix] += units
}

func (c *consumed) total() float64 {
	sum := c.table
	for _, units := range c.indexes {
		sum += units
	}
	return sum
}

func (c *consumed) scale(by float64) {
	c.table *= by
	for ix := range c.indexes {
		c.indexes[ix] *= by
	}
}

func (c *consumed) add(other *consumed) {
	c.table += other.table
	for ix, units := range other.indexes {
		c.index(ix, units)
	}
}

func writeUnits(size int) float64 { return float64(max(1, (size+1023)/1024)) }

// readUnits is the cost of reading so many bytes; a read that finds nothing
// costs as much as one of a small item where atLeast is 1.
func readUnits(size int, consistent bool, atLeast int) float64 {
	units := float64(max(atLeast, (size+4095)/4096))
	if !consistent {
		units /= 2
	}
	return units
}

// spend returns the account of a table in this call.
func (c *call) spend(t *table) *consumed {
	for _, s := range c.spent {
		if s.of.name == t.name {
			return s
		}
	}
	s := &consumed{of: t}
	c.spent = append(c.spent, s)
	return s
}

// capacity writes ConsumedCapacity if the request asks for it: one object, or a
// list for the operations on several tables. kind is "Read" or "Write" for a
// transaction, whose units are told apart.
func (c *call) capacity(o *object, level *string, list bool, kind string) {
	if level == nil || *level == "NONE" {
		return
	}
	one := func(s *consumed) {
		o.string("TableName", s.of.name)
		o.units(s.total(), kind)
		if *level != "INDEXES" {
			return
		}
		o.nest("Table", func() { o.units(s.table, kind) })
		for name, global := range map[string]bool{"LocalSecondaryIndexes": false, "GlobalSecondaryIndexes": true} {
			used := slices.DeleteFunc(slices.Collect(maps.Keys(s.indexes)), func(ix *index) bool { return ix.global != global })
			if len(used) == 0 {
				continue
			}
			o.nest(name, func() {
				for _, ix := range used {
					o.nest(ix.name, func() { o.units(s.indexes[ix], kind) })
				}
			})
		}
	}
	if list {
		o.list("ConsumedCapacity", len(c.spent), func(i int) { o.object(func() { one(c.spent[i]) }) })
	} else {
		o.nest("ConsumedCapacity", func() { one(c.spent[0]) })
	}
}

func (o *object) units(units float64, kind string) {
	o.float("CapacityUnits", units)
	if kind != "" {
		o.float(kind+"CapacityUnits", units)
	}
}
