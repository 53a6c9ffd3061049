package export

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// entry is one item on its way into the file.
type entry struct {
	key table.Key
	raw []byte
}

func order(a, b entry) int {
	return cmp.Or(cmp.Compare(a.key.PK, b.key.PK), cmp.Compare(a.key.SK, b.key.SK))
}

// sorter puts items in order in bounded memory. DynamoDB gives a scan in the
// order of hashes of its own. What does not fit in memory goes, sorted, to
// temporary files that only their owner can read and that have no name any more.
type sorter struct {
	dir    string
	bound  int
	held   []entry
	size   int
	spills []*os.File
}

func (s *sorter) add(e entry) error {
	s.held = append(s.held, e)
	s.size += len(e.raw) + len(e.key.PK) + len(e.key.SK) + 96
	if s.size < s.bound {
		return nil
	}
	return s.spill()
}

func (s *sorter) spill() (err error) {
	slices.SortFunc(s.held, order)
	f, err := os.CreateTemp(s.dir, "lanyard-export-*")
	if err != nil {
		return fmt.Errorf("sort export: %w", err)
	}
	s.spills = append(s.spills, f)
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("sort export: %w", err)
	}
	w := bufio.NewWriterSize(f, 256<<10)
	for _, e := range s.held {
		for _, part := range [][]byte{[]byte(e.key.PK), []byte(e.key.SK), e.raw} {
			if _, err := w.Write(binary.AppendUvarint(nil, uint64(len(part)))); err != nil {
				return fmt.Errorf("sort export: %w", err)
			}
			if _, err := w.Write(part); err != nil {
				return fmt.Errorf("sort export: %w", err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort export: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("sort export: %w", err)
	}
	clear(s.held)
	s.held, s.size = s.held[:0], 0
	return nil
}

// close gives the temporary files back.
func (s *sorter) close() error {
	var err error
	for _, f := range s.spills {
		err = errors.Join(err, f.Close())
	}
	return err
}

// each gives every item in order, each key once.
func (s *sorter) each(visit func(entry) error) error {
	slices.SortFunc(s.held, order)
	q := &queue{}
	for _, f := range s.spills {
		if err := q.refill(&run{in: bufio.NewReaderSize(f, 64<<10)}); err != nil {
			return err
		}
	}
	if err := q.refill(&run{memory: s.held}); err != nil {
		return err
	}
	var last table.Key
	for q.Len() > 0 {
		r := (*q)[0]
		if e := r.head; e.key != last {
			last = e.key
			if err := visit(e); err != nil {
				return err
			}
		}
		more, err := r.next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(q, 0)
		default:
			heap.Pop(q)
		}
	}
	return nil
}

// run is one sorted run: in memory, or in a file.
type run struct {
	memory []entry
	in     *bufio.Reader
	head   entry
}

func (r *run) next() (bool, error) {
	if r.in == nil {
		if len(r.memory) == 0 {
			return false, nil
		}
		r.head, r.memory = r.memory[0], r.memory[1:]
		return true, nil
	}
	var parts [3][]byte
	for i := range parts {
		n, err := binary.ReadUvarint(r.in)
		if errors.Is(err, io.EOF) && i == 0 {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("sort export: %w", err)
		}
		parts[i] = make([]byte, n)
		if _, err := io.ReadFull(r.in, parts[i]); err != nil {
			return false, fmt.Errorf("sort export: %w", err)
		}
	}
	r.head = entry{table.Key{PK: string(parts[0]), SK: string(parts[1])}, parts[2]}
	return true, nil
}

// queue is the heap of runs by their first items.
type queue []*run

func (q *queue) refill(r *run) error {
	more, err := r.next()
	if more {
		heap.Push(q, r)
	}
	return err
}

// Len implements heap.Interface.
func (q *queue) Len() int { return len(*q) }

// Less implements heap.Interface.
func (q *queue) Less(i, j int) bool { return order((*q)[i].head, (*q)[j].head) < 0 }

// Swap implements heap.Interface.
func (q *queue) Swap(i, j int) { (*q)[i], (*q)[j] = (*q)[j], (*q)[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(*run)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
