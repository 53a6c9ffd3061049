package localdynamo

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// maxExpiryAge is how old an expiry may be: items that expired longer ago are
// kept, so that a wrong unit does not empty a table ("Using time to live (TTL)").
const maxExpiryAge = 5 * 365 * 24 * time.Hour

// sweepBatch is how many items a pass deletes, or tokens it looks at, at once.
const sweepBatch = 200

func (e *Engine) sweepLoop(ctx context.Context) {
	tick := time.NewTicker(e.opts.TTLEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// What a pass could not delete, the next one will.
			_, _ = e.Sweep(ctx)
		}
	}
}

// Sweep deletes the items that expired longer than the lag ago, and forgets old
// idempotency tokens. It returns how many items it deleted. The engine calls it
// in the background; a test calls it to see the future at once.
func (e *Engine) Sweep(ctx context.Context) (int, error) {
	deleted := 0
	for _, t := range *e.tables.Load() {
		for more := t.record.TTL != ""; more; {
			var n int
			err := e.update(ctx, func(tx *writeTx) (err error) {
				n, err = e.sweepTable(tx, t)
				return err
			})
			if err != nil {
				return deleted, err
			}
			deleted += n
			more = n == sweepBatch
		}
	}
	return deleted, e.sweepTokens(ctx)
}

// sweepTable deletes a batch of what has expired.
func (e *Engine) sweepTable(tx *writeTx, t *table) (int, error) {
	t = (*e.tables.Load())[t.name]
	if t == nil {
		return 0, nil // deleted meanwhile
	}
	root, items := open(tx.Tx, t)
	expires := root.Bucket(bucketExpires)
	if expires == nil {
		return 0, nil
	}
	now := e.opts.Now()
	oldest := now.Add(-maxExpiryAge).Unix()
	due := now.Add(-e.opts.TTLLag).Unix()
	var keys [][]byte
	cursor := expires.Cursor()
	for k, _ := cursor.Seek(binary.BigEndian.AppendUint64(nil, uint64(max(oldest, 0)))); k != nil && len(keys) < sweepBatch; k, _ = cursor.Next() {
		if int64(binary.BigEndian.Uint64(k)) >= due {
			break
		}
		keys = append(keys, append([]byte(nil), k[8:]...))
	}
	for _, key := range keys {
		it, err := attr.DecodeItem(items.Get(key))
		if err != nil {
			return 0, err
		}
		if err := tx.replace(t, key, it, nil, &consumed{}); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// sweepTokens forgets the tokens that are too old to matter. There can be as many
// as transactions in ten minutes, all over the file: they are looked through piece
// by piece, beside the writes.
func (e *Engine) sweepTokens(ctx context.Context) error {
	for after := []byte(nil); ; {
		var old [][]byte
		n := 0
		err := e.view(ctx, func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucketTokens).Cursor()
			for token, used := c.Seek(after); token != nil && n < sweepBatch; token, used = c.Next() {
				n++
				if !e.opts.Now().Before(tokenExpiry(used)) {
					old = append(old, bytes.Clone(token))
				}
				after = append(append(after[:0], token...), 0) // what follows it
			}
			return nil
		})
		if err == nil && len(old) > 0 {
			err = e.update(ctx, func(tx *writeTx) error { return e.forgetTokens(tx, old) })
		}
		if err != nil || n < sweepBatch {
			return err
		}
		if e.opts.LeanMemory {
			e.letGo()
		}
	}
}

// forgetTokens deletes tokens, save those that have been used anew.
func (e *Engine) forgetTokens(tx *writeTx, tokens [][]byte) error {
	b := tx.Bucket(bucketTokens)
	for _, token := range tokens {
		if used := b.Get(token); used == nil || e.opts.Now().Before(tokenExpiry(used)) {
			continue
		}
		tx.dirty = true
		if err := b.Delete(token); err != nil {
			return err
		}
	}
	return nil
}

type ttlRequest struct {
	tableRequest
	TimeToLiveSpecification *struct {
		AttributeName *string `api:"required min=1 max=255"`
		Enabled       *bool   `api:"required"`
	} `api:"required"`
}

func updateTTL(ctx context.Context, c *call, r *ttlRequest) (any, error) {
	spec := r.TimeToLiveSpecification
	_, err := c.engine.changeTable(ctx, *r.TableName, func(root *bbolt.Bucket, record *tableRecord) error {
		switch {
		case record.TTL != "" && record.TTL != *spec.AttributeName:
			return invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", record.TTL)
		case record.TTL != "" && *spec.Enabled:
			return invalid("TimeToLive is already enabled")
		case record.TTL == "" && !*spec.Enabled:
			return invalid("TimeToLive is already disabled")
		case record.TTL != "":
			record.TTL = ""
			return root.DeleteBucket(bucketExpires)
		}
		record.TTL = *spec.AttributeName
		expires, err := root.CreateBucket(bucketExpires)
		if err != nil {
			return err
		}
		return rebuild(root, func(key []byte, it attr.Item) error {
			return replaceExpiry(expires, record.TTL, key, nil, it)
		})
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"TimeToLiveSpecification": spec}, nil
}

func describeTTL(_ context.Context, c *call, r *tableRequest) (any, error) {
	t, err := r.named(c)
	if err != nil {
		return nil, err
	}
	status := map[string]string{"TimeToLiveStatus": "DISABLED"}
	if t.record.TTL != "" {
		status = map[string]string{"TimeToLiveStatus": "ENABLED", "AttributeName": t.record.TTL}
	}
	return map[string]any{"TimeToLiveDescription": status}, nil
}
