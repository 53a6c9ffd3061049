package task_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

type bench struct {
	t      *testing.T
	store  *dynamotest.Store
	now    time.Time
	runner *task.Runner
	log    bytes.Buffer
}

func newBench(t *testing.T, handlers map[task.Kind]task.Handler) *bench {
	b := &bench{t: t, store: dynamotest.New(t), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b.runner = task.NewRunner(service.Deps{Table: b.store.Table, Now: func() time.Time { return b.now }, Log: slog.New(slog.NewTextHandler(&b.log, nil))}, handlers)
	return b
}

func (b *bench) queue(kind task.Kind, delay time.Duration) table.Key {
	b.t.Helper()
	w, err := task.Later(b.now, b.now.Add(delay), kind, task.Payload{"who": "ann"})
	if err == nil {
		err = b.store.Write(context.Background(), w)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	for shard := range table.OutboxShards {
		page, err := b.store.Query(context.Background(), table.Query{PK: table.TaskPartition(shard), Strong: table.Strong})
		if err != nil {
			b.t.Fatal(err)
		}
		for _, r := range page.Records {
			return r.Key()
		}
	}
	b.t.Fatal("the task is in no partition")
	return table.Key{}
}

func (b *bench) drain() int {
	b.t.Helper()
	n, err := b.runner.Drain(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func TestATaskIsDoneOnceAndGone(t *testing.T) {
	var done atomic.Int64
	b := newBench(t, map[task.Kind]task.Handler{"greet": func(_ context.Context, p task.Payload) error {
		if p["who"] != "ann" {
			t.Errorf("payload %v", p)
		}
		done.Add(1)
		return nil
	}})
	key := b.queue("greet", 0)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := b.runner.Run(context.Background(), key); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 || b.drain() != 0 {
		t.Errorf("done %d times", done.Load())
	}
}

func TestATaskWaitsUntilItIsDue(t *testing.T) {
	done := 0
	b := newBench(t, map[task.Kind]task.Handler{"greet": func(context.Context, task.Payload) error { done++; return nil }})
	key := b.queue("greet", time.Hour)
	if err := b.runner.Run(context.Background(), key); err != nil || b.drain() != 0 || done != 0 {
		t.Fatalf("done %d times before its time: %v", done, err)
	}
	b.now = b.now.Add(time.Hour)
	if b.drain() != 1 || done != 1 {
		t.Errorf("done %d times", done)
	}
}

func TestAFailingTaskIsRepeatedWithPausesAndThenKept(t *testing.T) {
	tries := 0
	b := newBench(t, map[task.Kind]task.Handler{"greet": func(context.Context, task.Payload) error { tries++; return errors.New("not yet") }})
	key := b.queue("greet", 0)
	for range 3 * task.MaxAttempts {
		b.drain()
		if n := b.drain(); n != 0 {
			t.Fatal("no pause after a failure")
		}
		b.now = b.now.Add(10 * time.Minute)
	}
	var it task.Item
	if err := b.store.Get(context.Background(), key, table.Strong, &it); err != nil {
		t.Fatal(err)
	}
	if tries != task.MaxAttempts || !it.Dead || it.Failure != "not yet" {
		t.Errorf("%d tries, %+v", tries, it)
	}
	if !bytes.Contains(b.log.Bytes(), []byte("task failed")) {
		t.Error("nothing in the log")
	}
}

func TestAKindWithoutAHandlerIsKept(t *testing.T) {
	b := newBench(t, nil)
	key := b.queue("unheard", 0)
	b.drain()
	var it task.Item
	if err := b.store.Get(context.Background(), key, table.Strong, &it); err != nil || it.Attempts != 1 || it.Failure == "" {
		t.Errorf("%+v %v", it, err)
	}
}
