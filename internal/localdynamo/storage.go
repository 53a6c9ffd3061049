package localdynamo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Options say where an engine keeps its data and how it behaves.
type Options struct {
	// Dir holds the data file. Empty keeps it in a temporary file that is
	// removed on Close, without syncing.
	Dir string
	// NoSync acknowledges writes before they are on disk.
	NoSync bool
	// Now is the clock of TTL and of creation dates; nil means time.Now.
	Now func() time.Time
	// TTLLag is how long an expired item stays, as AWS's do for up to 48
	// hours; 0 means 10 seconds. TTLEvery is how often the sweeper looks; 0
	// means 5 seconds, negative never.
	TTLLag, TTLEvery time.Duration
	// Observe is told of every request after it was answered.
	Observe func(Observation)
	// Fault decides what goes wrong with a request; see Fault.
	Fault func(operation string, n uint64) Fault
	// Policy, when not nil, refuses what no statement of it allows.
	Policy Policy
}

// Engine is an embedded DynamoDB. It is an http.Handler and safe for
// concurrent use.
type Engine struct {
	o      Options
	db     *bbolt.DB
	temp   string
	tables atomic.Pointer[map[string]*tableMeta] // what is committed; replaced, never changed
	writes chan *write
	done   chan struct{}
	wg     sync.WaitGroup
	tokens tokenMemory
	calls  atomic.Uint64
	policy atomic.Pointer[Policy]
	closed sync.Once
}

var tablesBucket = []byte("tables")

// Open opens or creates an engine. The data file belongs to one process at a time.
func Open(o Options) (*Engine, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TTLLag == 0 {
		o.TTLLag = 10 * time.Second
	}
	if o.TTLEvery == 0 {
		o.TTLEvery = 5 * time.Second
	}
	e := &Engine{o: o, writes: make(chan *write, 1024), done: make(chan struct{})}
	e.tokens.now = o.Now
	e.SetPolicy(o.Policy)
	path := filepath.Join(o.Dir, "dynamodb.db")
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "localdynamo-")
		if err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
		e.temp, path, o.NoSync = dir, filepath.Join(dir, "dynamodb.db"), true
	} else if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second, NoSync: o.NoSync, NoGrowSync: o.NoSync, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
	})
	if errors.Is(err, bbolt.ErrTimeout) {
		return nil, fmt.Errorf("open store %s: another process has it open", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	e.db = db
	if err := e.load(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	e.wg.Add(1)
	go e.writeLoop()
	if o.TTLEvery > 0 {
		e.wg.Add(1)
		go e.sweepLoop()
	}
	return e, nil
}

// load reads the tables' metadata.
func (e *Engine) load() error {
	tables := map[string]*tableMeta{}
	err := e.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(tablesBucket)
		if err != nil {
			return err
		}
		return b.ForEach(func(k, v []byte) error {
			t := &tableMeta{}
			if err := json.Unmarshal(v, t); err != nil {
				return fmt.Errorf("table %s: %w", k, err)
			}
			tables[t.Name] = t
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("load tables: %w", err)
	}
	e.tables.Store(&tables)
	return nil
}

// Close finishes the writes that were accepted and closes the data file.
func (e *Engine) Close() error {
	var err error
	e.closed.Do(func() {
		close(e.done)
		e.wg.Wait()
		err = e.db.Close()
		if e.temp != "" {
			err = errors.Join(err, os.RemoveAll(e.temp))
		}
	})
	return err
}

// write is one request to change something. apply first decides, then changes:
// when it gives an error it has changed nothing, so that writes of many callers
// can share one commit.
type write struct {
	apply func(*bbolt.Tx, map[string]*tableMeta) (map[string]*tableMeta, error)
	err   chan error
}

var errClosed = errors.New("store is closed")

// update carries out one write and returns when it is on disk.
func (e *Engine) update(apply func(*bbolt.Tx, map[string]*tableMeta) (map[string]*tableMeta, error)) error {
	w := &write{apply: apply, err: make(chan error, 1)}
	select {
	case e.writes <- w:
	case <-e.done:
		return errClosed
	}
	select {
	case err := <-w.err:
		return err
	case <-e.done:
		select { // it may have been answered in the same moment
		case err := <-w.err:
			return err
		case <-time.After(5 * time.Second):
			return errClosed
		}
	}
}

// maxGroup bounds how many writes share a commit.
const maxGroup = 512

// writeLoop is the one writer. Whatever has queued while a commit was on its
// way to the disk shares the next one: group commit without a timer.
func (e *Engine) writeLoop() {
	defer e.wg.Done()
	for {
		var group []*write
		select {
		case w := <-e.writes:
			group = append(group, w)
		case <-e.done:
			for { // finish what was accepted
				select {
				case w := <-e.writes:
					e.commit([]*write{w})
				default:
					return
				}
			}
		}
	more:
		for len(group) < maxGroup {
			select {
			case w := <-e.writes:
				group = append(group, w)
			default:
				break more
			}
		}
		e.commit(group)
	}
}

// commit applies a group in one transaction and answers each of its writes.
func (e *Engine) commit(group []*write) {
	results := make([]error, len(group))
	before := *e.tables.Load()
	tables := before
	err := e.db.Update(func(tx *bbolt.Tx) error {
		for i, w := range group {
			after, err := w.apply(tx, tables)
			var broken *storeFailure
			if errors.As(err, &broken) {
				return err
			}
			results[i] = err
			if err == nil && after != nil {
				tables = after
			}
		}
		return nil
	})
	if err == nil {
		e.tables.Store(&tables)
	}
	for i, w := range group {
		if err != nil {
			w.err <- err
		} else {
			w.err <- results[i]
		}
	}
}

// storeFailure is an error of the storage itself: the whole group is undone.
type storeFailure struct{ err error }

func (f *storeFailure) Error() string { return "storage: " + f.err.Error() }
func (f *storeFailure) Unwrap() error { return f.err }

func broken(err error) error {
	if err == nil {
		return nil
	}
	return &storeFailure{err}
}

// view reads in one consistent snapshot, which has every acknowledged write.
func (e *Engine) view(read func(*bbolt.Tx) error) error { return e.db.View(read) }

func (e *Engine) table(name string) (*tableMeta, error) {
	t, ok := (*e.tables.Load())[name]
	if !ok || t.Deleting {
		return nil, errNoTable
	}
	return t, nil
}

var errNoTable = notFound("Requested resource not found")

func (t *tableMeta) bucket(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte("t/" + t.ID)) }

func (t *tableMeta) indexBucket(tx *bbolt.Tx, ix *indexMeta) *bbolt.Bucket {
	return tx.Bucket([]byte("i/" + t.ID + "/" + ix.Name))
}

// get reads the item at an encoded key; nil where there is none.
func (t *tableMeta) get(tx *bbolt.Tx, key []byte) (attr.Item, error) {
	raw := t.bucket(tx).Get(key)
	if raw == nil {
		return nil, nil
	}
	it, err := attr.DecodeItem(raw)
	if err != nil {
		return nil, fmt.Errorf("read item: %w", err)
	}
	return it, nil
}

// put replaces the item at an encoded key (nil deletes it) and keeps the
// indexes in step. An index entry's key is the index key followed by the
// table's; its value is the table's key.
func (t *tableMeta) put(tx *bbolt.Tx, key []byte, before, after attr.Item) error {
	b := t.bucket(tx)
	var err error
	if after == nil {
		err = b.Delete(key)
	} else {
		err = b.Put(key, attr.AppendItem(nil, after))
	}
	if err != nil {
		return broken(err)
	}
	for _, ix := range t.indexes() {
		if err := move(t.indexBucket(tx, ix), ix.entry(before, key), ix.entry(after, key), key); err != nil {
			return err
		}
	}
	if t.TTL == "" {
		return nil
	}
	return move(tx.Bucket(t.ttlBucket()), t.ttlEntry(before, key), t.ttlEntry(after, key), key)
}

// move replaces one entry of an index bucket by another; nil is none.
func move(b *bbolt.Bucket, was, is, key []byte) error {
	if bytes.Equal(was, is) {
		return nil
	}
	if was != nil {
		if err := b.Delete(was); err != nil {
			return broken(err)
		}
	}
	if is != nil {
		return broken(b.Put(is, key))
	}
	return nil
}
