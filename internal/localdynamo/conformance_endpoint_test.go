package localdynamo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
)

// endpoint is something that speaks DynamoDB's protocol.
type endpoint struct {
	transport http.RoundTripper
	url       string
}

// localURL names an environment variable with the address of a DynamoDB Local
// to compare with, or to check the transcripts themselves against.
const localURL = "LANYARD_TEST_DYNAMODB"

// send makes a request and returns the answer's JSON, or for an error
// "!Type: message", followed by the JSON of its other members, if any.
func (e endpoint) send(t testing.TB, op, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	req.Header.Set("X-Amz-Date", "20130101T000000Z")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20130101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=x")
	res, err := e.transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode == http.StatusOK {
		return string(raw)
	}
	var fault map[string]any
	if err := json.Unmarshal(raw, &fault); err != nil {
		t.Fatalf("%s %s: status %d, %s", op, body, res.StatusCode, raw)
	}
	text := func(name string) string {
		s, _ := fault[name].(string)
		delete(fault, name)
		return s
	}
	kind := text("__type")
	answer := "!" + kind[strings.LastIndex(kind, "#")+1:] + ": " + text("message") + text("Message")
	if len(fault) > 0 {
		rest, err := json.Marshal(fault)
		if err != nil {
			t.Fatal(err)
		}
		answer += " " + string(rest)
	}
	return answer
}

func localEndpoint(t testing.TB) endpoint {
	url := os.Getenv(localURL)
	if url == "" {
		t.Skip(localURL + " is not set")
	}
	return endpoint{http.DefaultTransport, url}
}

// newEndpoint is an empty engine in memory.
func newEndpoint(t testing.TB) endpoint {
	t.Helper()
	db, err := localdynamo.Open(localdynamo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return endpoint{db.RoundTripper(), "http://localhost"}
}
