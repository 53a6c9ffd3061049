package token

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
)

// CachedVerifier remembers tokens that a Verifier found good, by their SHA-256,
// so that a client's next request costs a digest instead of a signature check.
//
// A remembered token is still held to its end by the clock, and to the key set:
// it is good only while the set holds the very key that verified it, so that a
// retired key's tokens die here as fast as anywhere. It says nothing about
// revoked sessions, just as the Verifier does not. Refusals are not remembered.
type CachedVerifier struct {
	verifier *Verifier
	shards   [cacheShards]cacheShard
	capacity int // of one generation of one shard
}

const cacheShards = 16

// cacheShard holds two generations: when the young one is full it becomes the
// old one, and what was in the old one and not asked for since is forgotten.
// That bounds memory without bookkeeping on a hit.
type cacheShard struct {
	mu         sync.RWMutex
	young, old map[[sha256.Size]byte]*verified
}

type verified struct {
	claims Claims
	key    VerificationKey
}

// NewCachedVerifier remembers at most entries tokens, about 700 bytes each.
func NewCachedVerifier(v *Verifier, entries int) (*CachedVerifier, error) {
	if v == nil || entries < 2*cacheShards {
		return nil, fmt.Errorf("token cache: a verifier and room for at least %d tokens are required", 2*cacheShards)
	}
	return &CachedVerifier{verifier: v, capacity: entries / (2 * cacheShards)}, nil
}

// Verify is Verifier.Verify. The claims' AMR is shared and must not be changed.
func (c *CachedVerifier) Verify(ctx context.Context, raw string) (Claims, error) {
	if len(raw) > maxToken {
		return c.verifier.Verify(ctx, raw)
	}
	sum := digest(raw)
	shard := &c.shards[sum[0]%cacheShards]
	if hit, fresh := shard.get(sum); hit != nil {
		key, err := c.verifier.keys.VerificationKey(ctx, hit.key.ID)
		switch {
		case err != nil || !key.Same(hit.key):
			shard.drop(sum) // and let the verifier say what is wrong
		case c.verifier.expired(hit.claims.ExpiresAt, c.verifier.config.Now()):
			shard.drop(sum)
			return Claims{}, ErrExpired
		default:
			if !fresh {
				shard.put(sum, hit, c.capacity)
			}
			return hit.claims, nil
		}
	}
	claims, key, err := c.verifier.verify(ctx, raw)
	if err != nil {
		return Claims{}, err
	}
	shard.put(sum, &verified{claims, key}, c.capacity)
	return claims, nil
}

// digest is the SHA-256 of a token. Ours fit the buffer, so that nothing is
// allocated for them.
func digest(raw string) [sha256.Size]byte {
	var buf [1 << 10]byte
	if len(raw) > len(buf) {
		return sha256.Sum256([]byte(raw))
	}
	return sha256.Sum256(buf[:copy(buf[:], raw)])
}

func (s *cacheShard) get(sum [sha256.Size]byte) (hit *verified, young bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if hit, young = s.young[sum]; young {
		return hit, true
	}
	return s.old[sum], false
}

func (s *cacheShard) put(sum [sha256.Size]byte, v *verified, capacity int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || len(s.young) >= capacity {
		s.young, s.old = make(map[[sha256.Size]byte]*verified, capacity), s.young
	}
	s.young[sum] = v
}

func (s *cacheShard) drop(sum [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.young, sum)
	delete(s.old, sum)
}

// Len gives how many tokens are remembered.
func (c *CachedVerifier) Len() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.young)
		for sum := range s.old {
			if _, both := s.young[sum]; !both {
				n++
			}
		}
		s.mu.RUnlock()
	}
	return n
}
