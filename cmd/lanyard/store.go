package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
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
// configured. It makes the table on a store of this machine.
func openStore(ctx context.Context, cfg config.Config, dir string) (*store, error) {
	return findStore(ctx, cfg, dir, true)
}

// findStore is openStore, with or without making the table.
func findStore(ctx context.Context, cfg config.Config, dir string, create bool) (*store, error) {
	if cfg.Dynamo == "" {
		if shared := sharedStore(ctx, dir); shared != nil {
			s := &store{local: true, table: table.New(localAWS(), cfg.Table, table.Options{Transport: shared})}
			if !create {
				return s, nil
			}
			return s, s.table.Create(ctx)
		}
	}
	return reachStore(ctx, cfg, localdynamo.Options{Dir: dir, LeanMemory: true}, create)
}

// ownStore is openStore for a server, which has the embedded store to itself.
func ownStore(ctx context.Context, cfg config.Config, dir string) (*store, error) {
	return reachStore(ctx, cfg, localdynamo.Options{Dir: dir}, true)
}

func reachStore(ctx context.Context, cfg config.Config, embedded localdynamo.Options, create bool) (*store, error) {
	s := &store{}
	if cfg.Dynamo == "" {
		e, err := localdynamo.Open(embedded)
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
	if !s.local || !create {
		return s, nil
	}
	if err := migrate.Prepare(ctx, s.table, time.Now); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
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
