package access

import (
	"sync/atomic"
	"time"
)

// resync is how long a steady clock goes by the monotonic clock alone.
const resync = 20 * time.Millisecond

// steady tells the time for cached answers. Reading the monotonic clock costs
// little more than half of time.Now; the wall clock is read again whenever the
// monotonic one has moved by resync, so that a machine that slept or whose
// clock was set is off for no longer than that.
type steady struct {
	start  time.Time
	read   atomic.Int64 // when the wall clock was read, nanoseconds from start
	offset atomic.Int64 // from there to Unix nanoseconds
}

func newSteady() *steady {
	s := &steady{start: time.Now()}
	s.offset.Store(s.start.UnixNano())
	return s
}

// unixNano tells the time in Unix nanoseconds.
func (s *steady) unixNano() int64 {
	t := int64(time.Since(s.start))
	if uint64(t-s.read.Load()) < uint64(resync) {
		return t + s.offset.Load()
	}
	now := time.Now()
	t = int64(now.Sub(s.start))
	wall := now.UnixNano()
	s.offset.Store(wall - t)
	s.read.Store(t)
	return wall
}
