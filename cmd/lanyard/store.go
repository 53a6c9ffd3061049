package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/migrate"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// store is an open table, and the engine under it where it is embedded.
type store struct {
	table  *table.Table
	local  bool // on this machine: embedded, or a DynamoDB on a loopback address
	engine *localdynamo.Engine
}

// Close closes the embedded engine.
func (s *store) Close() error {
	if s.engine == nil {
		return nil
	}
	return s.engine.Close()
}

// openStore opens a table for a command: the embedded store under dir, through
// the server that has it open where one does, or another DynamoDB where one is
// configured. On a store of this machine, absent says what becomes of a table
// that is not there; on AWS a deployment makes it.
func openStore(ctx context.Context, cfg config.Config, dir string, absent ifAbsent) (*store, error) {
	embedded := localdynamo.Options{Dir: dir, LeanMemory: true}
	if cfg.Dynamo == "" {
		if s := throughServer(ctx, cfg, dir); s != nil {
			return s, s.prepare(ctx, absent)
		}
		if _, err := os.Stat(filepath.Join(dir, storeFile)); errors.Is(err, fs.ErrNotExist) {
			switch absent {
			case refuseAbsent, reportAbsent:
				return nil, refusal{fmt.Errorf("there is no %s: %s", filepath.Join(dir, storeFile), whichData)}
			case pretendAbsent:
				embedded.Dir = ""
			case makeAbsent:
			}
		}
	}
	s, err := reachStore(ctx, cfg, embedded)
	if errors.Is(err, localdynamo.ErrInUse) {
		// A server that is just starting shares it by now.
		if s := throughServer(ctx, cfg, dir); s != nil {
			return s, s.prepare(ctx, absent)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, absent); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// throughServer gives the store under dir as the server that has it open shares
// it, nil where none does.
func throughServer(ctx context.Context, cfg config.Config, dir string) *store {
	shared := sharedStore(ctx, dir)
	if shared == nil {
		return nil
	}
	return &store{local: true, table: table.New(localAWS(), cfg.Table, table.Options{Transport: shared})}
}

// storeFile is the file of the embedded store in its directory.
const storeFile = "dynamo.db"

// whichData is what to do where a directory holds no deployment.
const whichData = "is --data the directory that lanyard serve has?"

// prepare makes the table on a store of this machine, or says that there is none.
func (s *store) prepare(ctx context.Context, absent ifAbsent) error {
	if !s.local && absent == makeAbsent {
		// A deployment makes its table; the first command that fills it says at which
		// version it is. Who may not look leaves it to migrate up, as doctor says.
		_, _ = migrate.Settle(ctx, s.table, time.Now)
	}
	if !s.local || absent == reportAbsent {
		return nil
	}
	if absent != refuseAbsent {
		return migrate.Prepare(ctx, s.table, time.Now)
	}
	there, err := s.table.Exists(ctx)
	if err == nil && !there {
		err = refusal{fmt.Errorf("there is no table %s in this store; lanyard serve makes it", s.table.Name())}
	}
	return err
}

// ownStore is openStore for a server, which has the embedded store to itself
// and makes what is not there.
func ownStore(ctx context.Context, cfg config.Config, dir string) (*store, error) {
	s, err := reachStore(ctx, cfg, localdynamo.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, makeAbsent); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func reachStore(ctx context.Context, cfg config.Config, embedded localdynamo.Options) (*store, error) {
	s := &store{}
	if cfg.Dynamo == "" {
		e, err := openEngine(embedded) //nolint:contextcheck // the engine lives until it is closed
		if err != nil {
			return nil, err
		}
		s.engine, s.local = e, true
		s.table = table.New(localAWS(), cfg.Table, table.Options{Transport: e.RoundTripper()})
	} else {
		s.local = onLoopback(cfg.Dynamo)
		sdk := localAWS()
		if !s.local {
			var err error
			if sdk, err = awsconfig.LoadDefaultConfig(ctx); err != nil {
				return nil, fmt.Errorf("load AWS configuration: %w", err)
			}
		}
		s.table = table.New(sdk, cfg.Table, table.Options{Endpoint: cfg.Dynamo})
	}
	return s, nil
}

// openEngine opens the embedded store, and says what to do where it cannot be
// opened.
func openEngine(o localdynamo.Options) (*localdynamo.Engine, error) {
	e, err := localdynamo.Open(o)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; run this as the user that lanyard serve has", err)
	case errors.Is(err, localdynamo.ErrDamaged):
		return nil, fmt.Errorf("%w; put it aside and lanyard restore the last backup", err)
	case err != nil:
		return nil, err
	}
	return e, nil
}

// localAWS is an SDK configuration that can reach no account.
func localAWS() aws.Config {
	return aws.Config{Region: "local", Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}
}

func onLoopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}
