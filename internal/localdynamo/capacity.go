package localdynamo

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

// capacity is a ConsumedCapacity.
type capacity struct {
	TableName string
	units
	Table                  *units           `json:",omitzero"`
	LocalSecondaryIndexes  map[string]units `json:",omitzero"`
	GlobalSecondaryIndexes map[string]units `json:",omitzero"`
}

type units struct {
	CapacityUnits      float64
	ReadCapacityUnits  float64 `json:",omitzero"`
	WriteCapacityUnits float64 `json:",omitzero"`
}

// capacities is what the call consumed of each table, if the request asks for
// it. kind is "Read" or "Write" for a transaction, whose units are told apart.
func (c *call) capacities(level *string, kind string) (all []capacity) {
	if level == nil || *level == none {
		return nil
	}
	of := func(n float64) units {
		u := units{CapacityUnits: n}
		switch kind {
		case "Read":
			u.ReadCapacityUnits = n
		case "Write":
			u.WriteCapacityUnits = n
		}
		return u
	}
	for _, s := range c.spent {
		one := capacity{TableName: s.of.name, units: of(s.total())}
		if *level == "INDEXES" {
			table := of(s.table)
			one.Table = &table
			for ix, n := range s.indexes {
				indexes := &one.LocalSecondaryIndexes
				if ix.global {
					indexes = &one.GlobalSecondaryIndexes
				}
				if *indexes == nil {
					*indexes = map[string]units{}
				}
				(*indexes)[ix.name] = of(n)
			}
		}
		all = append(all, one)
	}
	return all
}

// capacity is what the call consumed of its one table.
func (c *call) capacity(level *string) *capacity {
	if all := c.capacities(level, ""); all != nil {
		return &all[0]
	}
	return nil
}
