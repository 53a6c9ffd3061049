//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package keystore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// lockFile takes a lock by creating a file that must not exist. Where its
// holder died the file has to be removed by hand; waiting ends with ctx.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err == nil {
			return func() { f.Close(); os.Remove(path) }, nil //nolint:errcheck,gosec // nothing was written
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// exposed cannot be told from mode bits here; access is by ACL.
func exposed(fs.FileMode) bool { return false }

// keepOwner does nothing where files have no owner by number.
func keepOwner(*os.File, string) error { return nil }

func syncDir(string) error { return nil }
