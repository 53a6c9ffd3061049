package assembly

import (
	"os"
	"runtime/debug"
)

// The collector's settings for a process that serves.
const (
	collectAt   = 400       // percent of what is live
	softMaximum = 256 << 20 // bytes, from where the collector works harder instead
)

// CollectSeldom sets the garbage collector for a long-running server: what is
// live of Lanyard is a few megabytes, so that with the runtime's defaults the
// collector runs after every dozen requests, beside which it takes one processor
// of two. It runs a fifth as often until the process has a quarter of a gigabyte,
// and then as often as it takes to stay there. GOGC and GOMEMLIMIT, where the
// environment has them, are left alone. It is for main functions: the setting is
// the process's.
//
// https://go.dev/doc/gc-guide
func CollectSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMaximum)
	}
}
