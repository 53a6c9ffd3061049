package keystore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

// maxFile bounds a ring file; a ring of a hundred keys has about 50 kB.
const maxFile = 1 << 20

// FileConfig is what a File needs.
type FileConfig struct {
	Path      string          // of the ring; Path + ".lock" is used beside it
	Algorithm token.Algorithm // of the keys made on the first run
	Now       func() time.Time
	Rand      io.Reader
}

// File keeps the ring in a file that only its owner can read. Two processes may
// use it at once: updates take a lock, and the file is replaced in one step, so
// a reader sees the ring before or after, never between.
type File struct{ config FileConfig }

// NewFile makes a store on a file. Nothing is read or written yet.
func NewFile(c FileConfig) (*File, error) {
	if c.Path == "" || c.Now == nil || c.Rand == nil {
		return nil, fmt.Errorf("key file: path, clock and randomness are required")
	}
	if _, err := token.ParseAlgorithm(string(c.Algorithm)); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return &File{config: c}, nil
}

// Load reads the ring, and makes it first where there is none yet.
func (f *File) Load(ctx context.Context) (*token.Ring, error) {
	ring, err := f.read()
	if errors.Is(err, fs.ErrNotExist) {
		return f.Update(ctx, func(r *token.Ring) (*token.Ring, error) { return r, nil })
	}
	return ring, err
}

// Update replaces the ring under the lock.
func (f *File) Update(ctx context.Context, change func(*token.Ring) (*token.Ring, error)) (*token.Ring, error) {
	if err := os.MkdirAll(filepath.Dir(f.config.Path), 0o700); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	unlock, err := lockFile(ctx, f.config.Path+".lock")
	if err != nil {
		return nil, fmt.Errorf("key file: lock: %w", err)
	}
	defer unlock()
	old, err := f.read()
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh {
		old, err = token.NewRing(f.config.Algorithm, f.config.Now(), f.config.Rand)
	}
	if err != nil {
		return nil, err
	}
	ring, err := change(old)
	if err != nil {
		return nil, err
	}
	if ring == old && !fresh {
		return ring, nil
	}
	if err := f.write(ring); err != nil {
		return nil, err
	}
	return ring, nil
}

// read refuses a file that others than its owner can read: whoever could have
// read it has the keys.
func (f *File) read() (*token.Ring, error) {
	file, err := os.Open(f.config.Path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if mode := info.Mode(); !mode.IsRegular() || exposed(mode) {
		return nil, fmt.Errorf("key file %s: mode %v, want a regular file of mode 0600", f.config.Path, mode)
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("key file %s: longer than %d bytes", f.config.Path, maxFile)
	}
	ring, err := token.ParseRing(raw)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", f.config.Path, err)
	}
	return ring, nil
}

// write replaces the file: the new one is on disk before it takes the name, and
// the name is on disk before write returns.
func (f *File) write(ring *token.Ring) (err error) {
	raw, err := ring.Marshal()
	if err != nil {
		return err
	}
	dir := filepath.Dir(f.config.Path)
	tmp, err := os.CreateTemp(dir, filepath.Base(f.config.Path)+".new-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	defer func() {
		if err != nil {
			tmp.Close()           //nolint:errcheck,gosec // the first error counts
			os.Remove(tmp.Name()) //nolint:errcheck,gosec // likewise
		}
	}()
	if err = keepOwner(tmp, f.config.Path); err != nil {
		return fmt.Errorf("key file: keep its owner: %w", err)
	}
	if _, err = tmp.Write(raw); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	if err = tmp.Sync(); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	if err = tmp.Close(); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	if err = os.Rename(tmp.Name(), f.config.Path); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	return syncDir(dir)
}
