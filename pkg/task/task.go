package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Kind names what a task does.
type Kind string

// Payload is what a handler needs to know. It is stored as it is: no secrets.
type Payload map[string]string

// Handler carries out one task. It runs at least once and must leave the same
// state when it runs again.
type Handler func(ctx context.Context, p Payload) error

// Item is a task in the table.
type Item struct {
	table.Key
	ID        string            `dynamo:"id"`
	Kind      Kind              `dynamo:"kind"`
	Payload   map[string]string `dynamo:"payload,omitempty"`
	CreatedAt table.Time        `dynamo:"createdAt"`
	NotBefore table.Time        `dynamo:"notBefore"`
	Attempts  int               `dynamo:"attempts"`
	Dead      bool              `dynamo:"dead,omitempty"`
	Failure   string            `dynamo:"failure,omitempty"`
}

// MaxAttempts is after how many failures a task is left for an operator.
const MaxAttempts = 10

// lease is how long one worker keeps others from the same task.
const lease = 2 * time.Minute

// New gives the write that queues a task, for the transaction of its cause.
func New(now time.Time, kind Kind, p Payload) (*table.Write, error) {
	return Later(now, now, kind, p)
}

// Later is New for a task that is not due before a moment.
func Later(now, notBefore time.Time, kind Kind, p Payload) (*table.Write, error) {
	taskID, err := id.New()
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", kind, err)
	}
	return table.Create(Item{
		Key: table.Task(taskID), ID: taskID, Kind: kind, Payload: p,
		CreatedAt: table.At(now), NotBefore: table.At(notBefore),
	}), nil
}

// Runner carries out tasks.
type Runner struct {
	table    *table.Table
	now      func() time.Time
	log      *slog.Logger
	handlers map[Kind]Handler
}

// NewRunner makes a runner of the given handlers.
func NewRunner(d service.Deps, handlers map[Kind]Handler) *Runner {
	return &Runner{table: d.Table, now: d.Now, log: d.Log, handlers: handlers}
}

// errTaken says that another worker holds the task, or it is done.
var errTaken = errors.New("task is taken")

// Run carries out the task at key if it is due and free. A task that is gone,
// dead, held or not due yet is no error.
func (r *Runner) Run(ctx context.Context, key table.Key) error {
	var it Item
	now := r.now()
	err := r.table.Write(ctx, table.Update(key).
		Set("notBefore", table.At(now.Add(lease))).Add("attempts", 1).
		If("attribute_exists(PK) AND notBefore <= ? AND attribute_not_exists(dead)", table.At(now)).
		Else(errTaken).Updated(&it))
	if errors.Is(err, errTaken) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim task: %w", err)
	}
	handler, known := r.handlers[it.Kind]
	if !known {
		err = fmt.Errorf("no handler for task %q", it.Kind)
	} else {
		err = handler(ctx, it.Payload)
	}
	if err == nil {
		return r.table.Write(ctx, table.Delete(key))
	}
	r.log.WarnContext(ctx, "task failed", "kind", string(it.Kind), "task", it.ID, "attempts", it.Attempts, "error", err.Error())
	w := table.Update(key).Set("notBefore", table.At(now.Add(pause(it.Attempts)))).Set("failure", err.Error()).IfExists()
	if it.Attempts >= MaxAttempts {
		w.Set("dead", true)
	}
	if werr := r.table.Write(ctx, w); werr != nil {
		return fmt.Errorf("note failure of task %s: %w", it.ID, werr)
	}
	return nil
}

// pause is the wait before attempt n+1: 1 s doubled each time, to 10 minutes.
func pause(n int) time.Duration {
	return min(time.Second<<min(n-1, 12), 10*time.Minute)
}

// Drain carries out every task that is due and reports how many it met.
func (r *Runner) Drain(ctx context.Context) (int, error) { return r.DrainWith(ctx, 1) }

// DrainWith is Drain with so many tasks under way at once.
func (r *Runner) DrainWith(ctx context.Context, workers int) (int, error) {
	met := 0
	for shard := range table.OutboxShards {
		page, err := r.table.Query(ctx, table.Query{PK: table.TaskPartition(shard), Strong: table.Strong})
		if err != nil {
			return met, fmt.Errorf("read tasks: %w", err)
		}
		items, err := table.Decode[Item](page.Records)
		if err != nil {
			return met, err
		}
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(workers)
		for _, it := range items {
			if it.Dead || it.NotBefore.Time().After(r.now()) {
				continue
			}
			met++
			g.Go(func() error { return r.Run(gctx, it.Key) })
		}
		if err := g.Wait(); err != nil {
			return met, err
		}
	}
	return met, nil
}
