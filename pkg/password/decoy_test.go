package password

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime"
	"testing"
)

// C1: the decoy is a hash of the configured scheme at the configured costs;
// otherwise time tells unknown accounts from known ones.
func TestDecoyHasTheConfiguredCosts(t *testing.T) {
	for _, c := range []Config{
		{Rand: rand.Reader},
		{BcryptCost: 10, Rand: rand.Reader},
		{Scheme: Argon2id, Rand: rand.Reader},
		{Scheme: Argon2id, Argon2: Argon2{Memory: 64 << 10, Passes: 3, Threads: 4}, Rand: rand.Reader},
	} {
		h, err := NewHasher(c)
		if err != nil {
			t.Fatal(err)
		}
		decoy, err := parse(h.decoy)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		switch d := decoy.(type) {
		case ownBcrypt:
			if h.config.Scheme != Bcrypt || d.plain.cost != h.config.BcryptCost {
				t.Errorf("%+v: decoy %s", c, h.decoy)
			}
		case ownArgon2:
			if h.config.Scheme != Argon2id || d.costs != h.config.Argon2 || len(d.salt) != argonSalt || len(d.key) != argonKey {
				t.Errorf("%+v: decoy %s", c, h.decoy)
			}
		default:
			t.Errorf("%+v: decoy is a %T", c, decoy)
		}
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	h, err := NewHasher(Config{BcryptCost: minBcryptCost, Concurrency: 1, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	done, err := h.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- h.Decoy(ctx, "x") }()
	for h.waiting.Load() == 0 { // until it waits
		runtime.Gosched()
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	done()
	if err := h.Decoy(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
}

// The list is sorted, which the search stands on.
func TestCommonListIsSorted(t *testing.T) {
	if n := len(commonDigests); n%commonDigest != 0 || n/commonDigest < 60000 {
		t.Fatalf("%d bytes", n)
	}
	for i := commonDigest; i < len(commonDigests); i += commonDigest {
		if commonDigests[i-commonDigest:i] >= commonDigests[i:i+commonDigest] {
			t.Fatalf("entry %d is out of order", i/commonDigest)
		}
	}
}
