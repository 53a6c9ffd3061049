// Package tabletest gives tests a table of their own on a real engine.
package tabletest

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// New makes an empty table for one test.
func New(t testing.TB) *table.Table {
	t.Helper()
	url := os.Getenv("LANYARD_TEST_DYNAMODB")
	if url == "" {
		t.Skip("LANYARD_TEST_DYNAMODB is not set")
	}
	cfg := aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	name := strings.NewReplacer("/", "_", "#", "_", ",", "_").Replace(t.Name())
	tab := table.New(cfg, name, table.Options{Endpoint: url})
	if err := tab.Create(t.Context()); err != nil {
		t.Fatalf("create table: %v", err)
	}
	return tab
}
