package throttle

import (
	"context"
	"hash/maphash"
)

// queueLanes is how many attempts at different accounts go on at once, at
// least; two accounts in one lane wait for each other for one write.
const queueLanes = 1024

// queue lets attempts at one account pass one at a time.
type queue struct {
	seed  maphash.Seed
	lanes [queueLanes]chan struct{}
}

func newQueue() *queue {
	q := &queue{seed: maphash.MakeSeed()}
	for i := range q.lanes {
		q.lanes[i] = make(chan struct{}, 1)
	}
	return q
}

// wait takes the lane of key; release gives it back.
func (q *queue) wait(ctx context.Context, key string) (release func(), err error) {
	lane := q.lanes[maphash.String(q.seed, key)%queueLanes]
	select {
	case lane <- struct{}{}:
		return func() { <-lane }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
