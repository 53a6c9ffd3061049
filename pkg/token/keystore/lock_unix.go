//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package keystore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lockFile takes an advisory lock that the kernel lets go of when its holder
// dies. It waits as long as ctx does.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := keepOwner(f, strings.TrimSuffix(path, ".lock")); err != nil {
		f.Close() //nolint:errcheck,gosec // nothing was written
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil //nolint:errcheck,gosec // closing unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			break
		}
		select {
		case <-ctx.Done():
			f.Close() //nolint:errcheck,gosec // nothing was written
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	f.Close() //nolint:errcheck,gosec // nothing was written
	return nil, err
}

// keepOwner gives f the owner of the file that it takes the place of, or of the
// directory where there is none: a command that root runs must not leave files
// that the server, which is another user, cannot read. Nobody else can or need.
func keepOwner(f *os.File, place string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	like, err := os.Stat(place)
	if errors.Is(err, fs.ErrNotExist) {
		like, err = os.Stat(filepath.Dir(place))
	}
	if err != nil {
		return err
	}
	owner, ok := like.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

func exposed(mode fs.FileMode) bool { return mode.Perm()&0o077 != 0 }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	defer d.Close() //nolint:errcheck // only synced
	if err := d.Sync(); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	return nil
}
