//go:build !linux

package localdynamo

import "go.etcd.io/bbolt"

// letGo does nothing where there is no madvise.
func letGo(*bbolt.DB) error { return nil }
