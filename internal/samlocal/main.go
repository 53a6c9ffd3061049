// Command samlocal prepares a store on this machine for functions that sam
// local runs: it makes the table, and writes the file of environment variables
// that leads every function there and to a key ring of its own. With it no
// function reaches an account.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/keystore"
)

// tableName is the table's name on this machine.
const tableName = "lanyard"

// settings say where things are.
type settings struct {
	store     string // URL of the store from here
	functions string // the same from inside a function's container
	publicURL string
	keys      string // file of the key ring, made when there is none
	out       string // the file of environment variables
}

func main() {
	var s settings
	flag.StringVar(&s.store, "store", "http://127.0.0.1:8000", "URL of the store")
	flag.StringVar(&s.functions, "store-of-functions", "http://host.docker.internal:8000", "the same from inside a container")
	flag.StringVar(&s.publicURL, "public-url", "http://127.0.0.1:3000", "origin of the API")
	flag.StringVar(&s.keys, "keys", ".lanyard/sam/keys.json", "file of the key ring")
	flag.StringVar(&s.out, "out", ".lanyard/sam/env.json", "file of environment variables to write")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "samlocal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if err := prepare(ctx, s.store); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.keys), 0o700); err != nil {
		return fmt.Errorf("key ring: %w", err)
	}
	keys, err := keystore.NewFile(keystore.FileConfig{Path: s.keys, Algorithm: token.ES256, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		return fmt.Errorf("key ring: %w", err)
	}
	ring, err := keys.Load(ctx)
	if err != nil {
		return fmt.Errorf("key ring: %w", err)
	}
	vars, err := environment(s, ring)
	if err != nil {
		return err
	}
	// sam local sets variables that the template declares, and no others;
	// "Parameters" are for every function.
	raw, err := json.MarshalIndent(map[string]any{"Parameters": vars}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode environment: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(s.out), 0o700); err != nil {
		return fmt.Errorf("write environment: %w", err)
	}
	if err := os.WriteFile(s.out, raw, 0o600); err != nil { // it holds the keys
		return fmt.Errorf("write environment: %w", err)
	}
	return nil
}

// environment gives the variables of every function.
func environment(s settings, ring *token.Ring) (map[string]string, error) {
	raw, err := ring.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode key ring: %w", err)
	}
	return map[string]string{
		"LANYARD_STAGE": "local", "LANYARD_PUBLIC_URL": s.publicURL, "LANYARD_TABLE": tableName, "LANYARD_DYNAMODB": s.functions,
		"LANYARD_KEYS_SOURCE": "env", "LANYARD_KEYS": string(raw), "LANYARD_CORS_ORIGINS": s.publicURL,
	}, nil
}

// prepare waits for the store, and makes the table where there is none.
func prepare(ctx context.Context, store string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, store, nil)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16))
			if err = errors.Join(err, res.Body.Close()); err == nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the store at %s does not answer: %w", store, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	sdk := aws.Config{Region: "local", Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}
	if err := table.New(sdk, tableName, table.Options{Endpoint: store}).Create(ctx); err != nil {
		return fmt.Errorf("make the table: %w", err)
	}
	return nil
}
