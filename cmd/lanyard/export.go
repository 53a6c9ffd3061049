package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/export"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

type exportCommand struct {
	where
	File        string `arg:"" optional:"" help:"Where to write; - is standard output." default:"-"`
	WithSecrets bool   `help:"Include password hashes, second factors, sessions and the key ring. Keep the file as you keep the keys."`
	Rate        bound  `help:"Items read a second at most; 0 is without bound." default:"0"`
}

// Help says more than one line.
func (exportCommand) Help() string {
	return `Writes everything in the table as JSON Lines that 'lanyard restore' reads, into
any other store. Equal tables give equal files.

Without --with-secrets the file has no credentials: users set a new password by
a mailed link after a restore.

  lanyard export --with-secrets backup.jsonl
  lanyard export | gzip > shape.jsonl.gz
  lanyard export --with-secrets --dynamodb https://dynamodb.eu-central-1.amazonaws.com --table lanyard-prod backup.jsonl`
}

// Run exports.
func (c *exportCommand) Run(ctx context.Context, p *process) error {
	return c.run(ctx, p.environ, p.out, p.err)
}

func (c *exportCommand) run(ctx context.Context, environ []string, out, notes io.Writer) (err error) {
	cfg, store, err := c.open(ctx, environ, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var sealed sealedElsewhere
	o := export.Options{Secrets: c.WithSecrets, Now: time.Now, Pace: pace(c.Rate), Each: sealed.count}
	if c.WithSecrets {
		keys, err := openKeys(ctx, cfg, c.Data, refuseAbsent)
		if err != nil {
			return fmt.Errorf("the key ring is part of an export with secrets: %w", err)
		}
		ring, err := keys.Load(ctx)
		if err != nil {
			return err
		}
		if o.Ring, err = ring.Marshal(); err != nil {
			return err
		}
	}
	bar := newProgress(notes, "items read", -1)
	o.Progress = bar.at
	var sum export.Summary
	if c.File == "-" {
		sum, err = export.Write(ctx, store.table, out, o)
	} else {
		err = writeFile(c.File, func(w io.Writer) (err error) {
			sum, err = export.Write(ctx, store.table, w, o)
			return err
		})
	}
	bar.done()
	if err != nil {
		return err
	}
	fmt.Fprintf(notes, "%d items, sha256 %s\n", sum.Items, sum.SHA256)
	if c.WithSecrets && sealed.n > 0 {
		fmt.Fprintf(notes, "%s are sealed by AWS KMS: the file does not open them, only those keys do\n", sealed)
	}
	return nil
}

// sealedElsewhere counts the authenticator apps whose secrets no key ring opens.
type sealedElsewhere struct{ n int }

func (s *sealedElsewhere) count(r table.Record) error {
	yes, err := mfa.SealedByKeyService(r)
	if yes {
		s.n++
	}
	return err
}

// String gives the number with its noun.
func (s sealedElsewhere) String() string {
	if s.n == 1 {
		return "the secrets of 1 authenticator app"
	}
	return fmt.Sprintf("the secrets of %d authenticator apps", s.n)
}

// writeFile lets a file that only its owner can read appear whole or not at all.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".lanyard-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

type restoreCommand struct {
	where
	File        string `arg:"" help:"An export." type:"existingfile"`
	DryRun      bool   `help:"Only check that the file is whole."`
	Verify      bool   `help:"Compare the table with the file instead of writing."`
	ReplaceKeys bool   `help:"Replace a key ring that is there already; its sessions end. The old one is kept beside it."`
	KeysTo      string `help:"Write the file's key ring here instead of into the data directory, for LANYARD_KEYS or a parameter store." placeholder:"FILE"`
	Rate        bound  `help:"Items written a second at most; 0 is without bound." default:"0"`
}

// Help says more than one line.
func (restoreCommand) Help() string {
	return `Puts an export into an empty table. Interrupted, it goes on when it is run again
with the same file. Nothing is written from a file that is damaged.

  lanyard restore --dry-run backup.jsonl
  lanyard restore backup.jsonl
  lanyard restore --verify backup.jsonl
  lanyard restore --dynamodb https://dynamodb.eu-central-1.amazonaws.com --table lanyard-prod --keys-to keys.json backup.jsonl`
}

// Run restores.
func (c *restoreCommand) Run(ctx context.Context, p *process) error {
	return c.run(ctx, p.environ, p.out, p.err)
}

func (c *restoreCommand) run(ctx context.Context, environ []string, out, notes io.Writer) (err error) {
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer f.Close()
	var sealed sealedElsewhere
	if c.DryRun {
		sum, err := export.Check(f, sealed.count)
		if err != nil {
			return err
		}
		sealed.tell(notes)
		fmt.Fprintf(out, "%s is whole: %d items, secrets %t, key ring %t; nothing was written\n", c.File, sum.Items, sum.Header.Secrets, sum.Keys != nil)
		return nil
	}
	absent := makeAbsent
	if c.Verify {
		absent = refuseAbsent
	}
	cfg, store, err := c.open(ctx, environ, absent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sum, err := export.Check(f, sealed.count)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if c.Verify {
		now, err := export.Write(ctx, store.table, io.Discard, export.Options{Secrets: sum.Header.Secrets, Ring: sum.Keys, Now: time.Now, Pace: pace(c.Rate)})
		if err != nil {
			return err
		}
		if now.SHA256 != sum.SHA256 {
			return wanting{fmt.Errorf("the table differs from %s: %d items, the file has %d", c.File, now.Items, sum.Items)}
		}
		fmt.Fprintf(out, "the table is that of %s: %d items\n", c.File, sum.Items)
		return nil
	}
	// The keys first: data that cannot be opened is worse than keys without data.
	said, err := c.placeKeys(ctx, cfg, sum.Keys)
	if err != nil {
		return err
	}
	bar := newProgress(notes, "items written", sum.Items)
	sum, err = export.Restore(ctx, store.table, f, export.RestoreOptions{Now: time.Now, Progress: bar.at, Pace: pace(c.Rate)})
	bar.done()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d items restored%s\n", sum.Items, said)
	sealed.tell(notes)
	return nil
}

// tell says what the deployment that gets the data needs.
func (s sealedElsewhere) tell(notes io.Writer) {
	if s.n > 0 {
		fmt.Fprintf(notes, "%s are sealed by AWS KMS: they open where LANYARD_MFA_KMS_KEYS names their key and it may be used; elsewhere those users have their recovery codes\n", s)
	}
}

// placeKeys puts the key ring of an export where the deployment looks for it.
func (c *restoreCommand) placeKeys(ctx context.Context, cfg config.Config, raw []byte) (said string, err error) {
	if raw == nil {
		return "; the file has no key ring: users set new passwords by mail", nil
	}
	if _, err := token.ParseRing(raw); err != nil {
		return "", fmt.Errorf("key ring of %s: %w", c.File, err)
	}
	path := filepath.Join(c.Data, keysFile)
	switch {
	case c.KeysTo != "":
		path = c.KeysTo
		if _, err := os.Stat(path); err == nil {
			return "", fmt.Errorf("%s is there already", path)
		}
	case cfg.Keys.Source != "file":
		return "", fmt.Errorf("LANYARD_KEYS_SOURCE=%s: say with --keys-to where the file's key ring goes", cfg.Keys.Source)
	default:
		if there, err := os.ReadFile(path); err == nil {
			same, err := sameRing(there, raw)
			switch {
			case err != nil:
				return "", err
			case same:
				return "", nil
			case !c.ReplaceKeys:
				return "", fmt.Errorf("%s holds other keys than %s: what the file's keys sealed would not open; --replace-keys replaces them", path, c.File)
			}
			if err := os.Rename(path, path+"."+time.Now().UTC().Format("20060102T150405Z")); err != nil {
				return "", fmt.Errorf("keep the old keys: %w", err)
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("write keys: %w", err)
	}
	if err := writeFile(path, func(w io.Writer) error { _, err := w.Write(raw); return err }); err != nil {
		return "", err
	}
	return ", key ring in " + path, ctx.Err()
}

// sameRing compares what two rings say, not how.
func sameRing(a, b []byte) (bool, error) {
	var spelled [2]string
	for i, raw := range [][]byte{a, b} {
		r, err := token.ParseRing(raw)
		if err != nil {
			return false, fmt.Errorf("key ring: %w", err)
		}
		out, err := r.Marshal()
		if err != nil {
			return false, fmt.Errorf("key ring: %w", err)
		}
		spelled[i] = string(out)
	}
	return spelled[0] == spelled[1], nil
}
