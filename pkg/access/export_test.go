package access

import (
	"hash/maphash"
	"time"
)

// DecideIndexed decides as a cached check does: from the compiled form of the
// facts, as they stood at one moment.
func DecideIndexed(f *Facts, resources []Resource, a Action, now time.Time) []Decision {
	seed := maphash.MakeSeed()
	hash := func(s string) uint64 { return maphash.String(seed, s) }
	x := newIndex(f, hash, now)
	out := make([]Decision, len(resources))
	for i, r := range resources {
		p := newPlace(r, hash)
		out[i] = x.settle(&p).decide(a, &p.Resource)
	}
	return out
}
