//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package keystore_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

func TestWhatRootReplacesStaysWithItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can write the file of another user")
	}
	const server = 12345
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, server, server); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "keys.json")
	f := newFile(t, path)
	check := func(when string) {
		for _, name := range []string{path, path + ".lock"} {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if owner := info.Sys().(*syscall.Stat_t); owner.Uid != server || owner.Gid != server || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s is of %d:%d, %v", when, name, owner.Uid, owner.Gid, info.Mode())
			}
		}
	}
	if _, err := f.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("made")
	if _, err := f.Update(t.Context(), func(*token.Ring) (*token.Ring, error) { return newRing(t), nil }); err != nil {
		t.Fatal(err)
	}
	check("replaced")
}
