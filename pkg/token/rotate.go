package token

import (
	"fmt"
	"slices"
	"time"
)

// Rotate gives the ring after a planned rotation: the next key becomes active;
// the active one stays as previous for overlap, so that every token it signed
// can live out its life; next is published as the new next key.
//
// overlap must cover a token's life, the leeway, and the time an instance may
// go on signing with an older snapshot. Publication of the new key happens at
// once and its first signature only at the rotation after, so that verifiers
// which cache the key set see it in time: rotate no more often than they reload.
func (r *Ring) Rotate(now time.Time, overlap time.Duration, next Key) (*Ring, error) {
	if overlap <= 0 {
		return nil, fmt.Errorf("rotate: overlap must be positive")
	}
	if next.State != StateNext {
		return nil, fmt.Errorf("rotate: key %s is %s, want next", next.ID, next.State)
	}
	keys := r.Keys()
	promoted := false
	for i := range keys {
		switch keys[i].State {
		case StateActive:
			keys[i].State, keys[i].RetireAt = StatePrevious, now.Add(overlap).UTC()
		case StateNext:
			keys[i].State, keys[i].ActivatedAt = StateActive, now.UTC()
			promoted = true
		}
	}
	if !promoted {
		return nil, fmt.Errorf("rotate: the ring has no next key to promote")
	}
	out, err := BuildRing(append(keys, next), r.secrets)
	if err != nil {
		return nil, fmt.Errorf("rotate: %w", err)
	}
	return out.Prune(now)
}

// Retire gives the ring after a compromise of one key: its tokens are refused
// from now on and its material is gone. A retired active key is followed by the
// next one at once; next takes the free place where one is needed and is
// otherwise not used.
func (r *Ring) Retire(id string, now time.Time, next Key) (*Ring, error) {
	i, ok := r.byID[id]
	if !ok {
		return nil, fmt.Errorf("retire: %w: %s", ErrUnknownKey, id)
	}
	keys := r.Keys()
	was := keys[i].State
	if was == StateRetired {
		return r, nil
	}
	keys[i] = Key{ID: id, Algorithm: keys[i].Algorithm, State: StateRetired,
		CreatedAt: keys[i].CreatedAt, ActivatedAt: keys[i].ActivatedAt, RetireAt: now.UTC()}
	if was == StateActive || was == StateNext {
		if next.State != StateNext {
			return nil, fmt.Errorf("retire: a key in state next is needed to take the place of %s", id)
		}
		if was == StateActive {
			if n := slices.IndexFunc(keys, func(k Key) bool { return k.State == StateNext }); n >= 0 {
				keys[n].State, keys[n].ActivatedAt = StateActive, now.UTC()
			} else {
				next.State, next.ActivatedAt = StateActive, now.UTC()
			}
		}
		keys = append(keys, next)
	}
	out, err := BuildRing(keys, r.secrets)
	if err != nil {
		return nil, fmt.Errorf("retire: %w", err)
	}
	return out, nil
}

// Prune gives the ring without the previous keys whose last token has expired.
func (r *Ring) Prune(now time.Time) (*Ring, error) {
	dead := func(k Key) bool { return k.State == StatePrevious && !k.verifiesAt(now) }
	if !slices.ContainsFunc(r.keys, dead) {
		return r, nil
	}
	return BuildRing(slices.DeleteFunc(r.Keys(), dead), r.secrets)
}

// RotateSecret gives the ring with one more secret, which new tokens are made
// with. Nothing made with the earlier ones is affected. s must bear a version
// above all others.
func (r *Ring) RotateSecret(s Secret) (*Ring, error) {
	if last := r.secrets[len(r.secrets)-1].Version; s.Version <= last {
		return nil, fmt.Errorf("rotate secret: version %d is not above %d", s.Version, last)
	}
	return BuildRing(r.keys, append(r.Secrets(), s))
}

// NextSecretVersion is what RotateSecret wants.
func (r *Ring) NextSecretVersion() uint16 { return r.secrets[len(r.secrets)-1].Version + 1 }

// RetireSecret gives the ring without one secret: refresh tokens, devices and
// cursors made with it are refused at once, and what it encrypted is lost. The
// current secret cannot be retired; rotate first.
func (r *Ring) RetireSecret(version uint16) (*Ring, error) {
	if r.secrets[len(r.secrets)-1].Version == version {
		return nil, fmt.Errorf("retire secret: %w: version %d; rotate first", ErrCurrentSecret, version)
	}
	left := slices.DeleteFunc(r.Secrets(), func(s Secret) bool { return s.Version == version })
	if len(left) == len(r.secrets) {
		return nil, fmt.Errorf("retire secret: %w: version %d", ErrUnknownKey, version)
	}
	return BuildRing(r.keys, left)
}
