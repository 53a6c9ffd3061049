package localdynamo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Options configure an engine. The zero value is an empty one in memory.
type Options struct {
	// Dir is where the data file is kept. Empty means memory: a temporary
	// file without a name, never synced, gone with the process.
	Dir string
	// NoSync leaves writing to disk to the operating system: a killed process
	// loses nothing, a power failure may.
	NoSync bool
	// Now is the clock, for TTL and idempotency tokens. Nil is time.Now.
	Now func() time.Time
	// TTLLag is how long an item outlives its expiry. DynamoDB promises to
	// delete "within a few days".
	TTLLag time.Duration
	// TTLEvery is the pause between two passes of the background sweeper; zero
	// means one minute, a negative one no sweeper (see Sweep).
	TTLEvery time.Duration
	// LeanMemory keeps the mapped pages of the file from piling up in the process's
	// memory: for long work beside other programs. It costs a little time, since
	// pages are mapped anew and the list of free ones is written with every commit,
	// so that an engine which is opened after a crash need not read the whole file
	// to find them.
	LeanMemory bool
	// Region is part of the ARNs; empty means "local".
	Region string
	// Mode is how the engine's own handler and RoundTripper treat calls.
	Mode Mode
}

// Engine is an embedded DynamoDB. It is an http.Handler for a port.
type Engine struct {
	*Client
	opts   Options
	db     *bbolt.DB
	tables atomic.Pointer[map[string]*table]

	calls atomic.Int64

	mu      sync.Mutex // guards waiting
	waiting []*write
	turn    chan struct{} // has an element while somebody commits

	stop    context.CancelFunc // ends the sweeper
	stopped sync.WaitGroup
	once    sync.Once
	closed  error
}

// Bucket names at the root of the file: schemas by table name, idempotency
// tokens; every table's data is in a bucket named after its id.
var (
	bucketTables = []byte("tables")
	bucketTokens = []byte("tokens")
)

// Open opens an engine, creating its file if there is none.
func Open(opts Options) (*Engine, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.TTLEvery == 0 {
		opts.TTLEvery = time.Minute
	}
	if opts.Region == "" {
		opts.Region = "local"
	}
	db, err := openFile(opts)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Engine{opts: opts, db: db, turn: make(chan struct{}, 1), stop: stop}
	e.Client = e.With(opts.Mode)
	if err := e.loadTables(); err != nil {
		return nil, errors.Join(fmt.Errorf("localdynamo: load tables: %w", err), db.Close())
	}
	if opts.TTLEvery > 0 {
		e.stopped.Go(func() { e.sweepLoop(ctx) })
	}
	return e, nil
}

func openFile(opts Options) (*bbolt.DB, error) {
	// The map of the file grows in steps that wait for readers: start large.
	// Free pages are not written with every commit (but see syncFree): after a
	// crash they are found by reading the whole file when it is opened.
	config := bbolt.Options{Timeout: 5 * time.Second, NoSync: opts.NoSync, NoFreelistSync: true,
		FreelistType: bbolt.FreelistMapType, InitialMmapSize: 256 << 20}
	if opts.Dir != "" {
		if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
			return nil, err
		}
		path := filepath.Join(opts.Dir, "dynamo.db")
		err := whole(path, config.Timeout)
		var db *bbolt.DB
		if err == nil {
			db, err = bbolt.Open(path, 0o600, &config)
		}
		if errors.Is(err, bolterrors.ErrTimeout) {
			return nil, fmt.Errorf("%w %s open", ErrInUse, opts.Dir)
		}
		return db, err
	}
	f, err := os.CreateTemp("", "localdynamo-*.db")
	if err != nil {
		return nil, err
	}
	config.NoSync = true
	db, err := bbolt.Open(f.Name(), 0o600, &config)
	// bbolt holds the file open; without a name it is gone with the process.
	return db, errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// ErrInUse says that the data file is another process's, which it stays until
// that one closes it.
var ErrInUse = errors.New("another process has")

// ErrDamaged says that the data file is not one, or not the whole of one.
var ErrDamaged = errors.New("the file is damaged, or no store of Lanyard")

// whole looks whether the file is as long as it says it is. bbolt maps it and
// would be killed by the first access beyond its end.
func whole(path string, wait time.Duration) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil // it is made
	}
	if err != nil {
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: wait})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout) || errors.Is(err, fs.ErrPermission):
		return err
	case err != nil:
		return fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%w: %s has %d bytes of %d", ErrDamaged, path, info.Size(), tx.Size())
		}
		return nil
	})
	return errors.Join(err, db.Close())
}

// Close waits for the commit under way and closes the file. Writes that were
// not in it are refused.
func (e *Engine) Close() error {
	e.once.Do(func() {
		e.stop()
		e.stopped.Wait()
		e.turn <- struct{}{}
		defer func() { <-e.turn }()
		e.closed = errors.Join(e.keepFree(), e.db.Close())
	})
	return e.closed
}

// keepFree writes the list of free pages, so that the next Open need not look for
// them in the whole file.
func (e *Engine) keepFree() error {
	if e.opts.Dir == "" {
		return nil
	}
	e.db.NoFreelistSync = false // nobody writes any more
	tx, err := e.db.Begin(true)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// RoundTripper returns the engine as a transport for an HTTP client in the same
// process: no port, no copy of a request's body, cancelled with its context.
func (e *Engine) RoundTripper() http.RoundTripper { return e.Client }

// Bounds for Options.LeanMemory. A page that is touched brings its neighbours
// with it, 64 KB together (fault_around_bytes of Linux), and a write touches some
// dozens.
const (
	callsPerLetGo  = 8
	itemsPerLetGo  = 16
	itemsPerCommit = 128      // a commit touches the pages of its items once more
	maxFreeSynced  = 16 << 10 // pages; 8 bytes of each are written with every commit
)

// called counts a call, for Options.LeanMemory.
func (e *Engine) called(op string) {
	if !e.opts.LeanMemory {
		return
	}
	switch op {
	case "BatchGetItem", "BatchWriteItem", "Scan", "TransactGetItems": // each touches many
	default:
		if e.calls.Add(1)%callsPerLetGo != 0 {
			return
		}
	}
	e.letGo()
}

// letGo unmaps the pages of the file for now.
func (e *Engine) letGo() {
	if err := letGo(e.db); err != nil {
		return // the engine is closed, or the kernel does as it likes
	}
}

// syncFree decides whether the next commit writes the list of free pages, for who
// has the turn to commit.
func (e *Engine) syncFree() {
	if e.opts.LeanMemory && e.opts.Dir != "" {
		st := e.db.Stats()
		e.db.NoFreelistSync = st.FreePageN+st.PendingPageN > maxFreeSynced
	}
}

// write is a change on its way to the disk. run must do all that can fail
// before it changes anything, because its failure does not undo what others in
// the same commit have done.
type write struct {
	run  func(*writeTx) error
	err  error
	done chan struct{} // closed after the commit
}

// writeTx is a read-write transaction.
type writeTx struct {
	*bbolt.Tx
	dirty   bool   // something was changed, a commit is needed
	items   int    // how many items were written
	lighten func() // where memory is to be lean: lets the pages go
}

// wrote counts an item.
func (tx *writeTx) wrote() {
	if tx.items++; tx.lighten != nil && tx.items%itemsPerLetGo == 0 {
		tx.lighten()
	}
}

// maxGroup bounds how many writes share a commit, and so how long the first
// waits for the last.
const maxGroup = 128

// update runs a write and returns when it is on disk. Writes that come during a
// commit wait, and the first of them that gets the turn commits them all. When
// ctx ends first, a write that is in a commit may still happen.
func (e *Engine) update(ctx context.Context, run func(*writeTx) error) error {
	w := &write{run: run, done: make(chan struct{})}
	e.mu.Lock()
	e.waiting = append(e.waiting, w)
	e.mu.Unlock()
	for {
		select {
		case <-w.done:
			return w.err
		default:
		}
		select {
		case <-w.done:
		case <-ctx.Done():
			e.mu.Lock()
			defer e.mu.Unlock()
			e.waiting = slices.DeleteFunc(e.waiting, func(other *write) bool { return other == w })
			return ctx.Err()
		case e.turn <- struct{}{}:
			e.commitWaiting()
			<-e.turn
		}
	}
}

// commitWaiting commits the writes that wait, as many as go together.
func (e *Engine) commitWaiting() {
	e.mu.Lock()
	n := min(len(e.waiting), maxGroup)
	group := slices.Clone(e.waiting[:n])
	e.waiting = slices.Delete(e.waiting, 0, n)
	e.mu.Unlock()
	for len(group) > 0 {
		group = group[e.commit(group):]
	}
}

// alter is update for schemas, in a commit of its own; after runs when it is on
// disk, before any other write.
func (e *Engine) alter(ctx context.Context, run func(*writeTx) error, after func()) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case e.turn <- struct{}{}:
	}
	defer func() { <-e.turn }()
	w := &write{run: run, done: make(chan struct{})}
	if e.commit([]*write{w}); w.err == nil {
		after()
	}
	return w.err
}

// commit runs the writes in one transaction, or the first of them where they are
// many for lean memory, and answers each. It gives how many they were.
func (e *Engine) commit(group []*write) int {
	e.syncFree()
	err := func() (err error) {
		tx, err := e.db.Begin(true)
		if err != nil {
			return err
		}
		// A write that panics may have changed half of what it should have:
		// nothing of its group is kept.
		defer func() {
			if r := recover(); r != nil {
				err = errors.Join(fmt.Errorf("localdynamo: panic in a write: %v", r), tx.Rollback())
			}
		}()
		w := &writeTx{Tx: tx}
		if e.opts.LeanMemory {
			w.lighten = e.letGo
		}
		for i, job := range group {
			job.err = job.run(w)
			if e.opts.LeanMemory && w.items >= itemsPerCommit {
				group = group[:i+1]
				break
			}
		}
		if !w.dirty {
			return tx.Rollback()
		}
		return tx.Commit()
	}()
	for _, job := range group {
		if err != nil {
			job.err = err
		}
		close(job.done)
	}
	return len(group)
}

// view runs a read on the last commit.
func (e *Engine) view(ctx context.Context, run func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := e.db.Begin(false)
	if err != nil {
		return err
	}
	// The deferred Rollback of a read-only transaction only ends it.
	defer tx.Rollback() //nolint:errcheck
	return run(tx)
}
