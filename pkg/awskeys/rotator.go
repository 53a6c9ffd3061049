package awskeys

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/keystore"
)

// Store is a key ring's place that can also take a first ring.
type Store interface {
	keystore.Store
	// Create puts ring there if there is none yet, and reports whether it did.
	Create(ctx context.Context, ring *token.Ring) (bool, error)
}

// Rotator replaces the signing key by age.
type Rotator struct {
	store     Store
	algorithm token.Algorithm
	age       time.Duration // of the active key at which it is replaced
	overlap   time.Duration // for which the replaced key still verifies
	now       func() time.Time
	rand      io.Reader
	log       *slog.Logger
}

// NewRotator makes a rotator with the configured algorithm and age.
func NewRotator(c config.Config, store Store, now func() time.Time, rand io.Reader, log *slog.Logger) *Rotator {
	return &Rotator{
		store: store, algorithm: token.Algorithm(c.Keys.Algorithm), age: c.Keys.Rotate,
		overlap: c.KeyOverlap(), now: now, rand: rand, log: log,
	}
}

// Run makes the first ring where there is none, rotates one whose active key is
// of age, and forgets keys whose last token has expired. It may run at any time
// and any number of times.
func (r *Rotator) Run(ctx context.Context) error {
	now := r.now()
	first, err := token.NewRing(r.algorithm, now, r.rand)
	if err != nil {
		return fmt.Errorf("make a key ring: %w", err)
	}
	created, err := r.store.Create(ctx, first)
	if err != nil {
		return err
	}
	if created {
		r.log.InfoContext(ctx, "key ring created", "key", first.Active().ID)
		return nil
	}
	ring, err := r.store.Load(ctx)
	if err != nil {
		return err
	}
	pruned, err := ring.Prune(now)
	if err != nil {
		return err
	}
	due := !now.Before(ring.Active().ActivatedAt.Add(r.age))
	if !due && pruned == ring {
		r.log.InfoContext(ctx, "key ring unchanged", "key", ring.Active().ID)
		return nil
	}
	ring, err = r.store.Update(ctx, func(ring *token.Ring) (*token.Ring, error) {
		// Looked at again: it may have been rotated since it was read.
		if now.Before(ring.Active().ActivatedAt.Add(r.age)) {
			return ring.Prune(now)
		}
		next, err := token.GenerateKey(r.algorithm, now, r.rand)
		if err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		return ring.Rotate(now, r.overlap, next)
	})
	if err != nil {
		return fmt.Errorf("rotate the signing key: %w", err)
	}
	r.log.InfoContext(ctx, "key ring changed", "key", ring.Active().ID, "rotated", due)
	return nil
}
