package importer_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/importer"
	"github.com/lanyard-auth/lanyard/pkg/importer/convert"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
)

const known = "correct horse battery staple" // the password of the samples

// world is a running Lanyard with an importer on its table.
type world struct {
	*lanyardtest.World
	im *importer.Importer
}

func start(t *testing.T, env ...string) *world {
	t.Helper()
	w := lanyardtest.Start(t, env...)
	return &world{w, newImporter(t, w)}
}

func newImporter(t *testing.T, w *lanyardtest.World) *importer.Importer {
	t.Helper()
	accounts, err := w.Assembly.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	orgs, err := w.Assembly.Organizations()
	if err != nil {
		t.Fatal(err)
	}
	entities, err := w.Assembly.Entities()
	if err != nil {
		t.Fatal(err)
	}
	return importer.New(w.Assembly.Deps, importer.Parts{Accounts: accounts, Organizations: orgs, Entities: entities, Audit: accounts.Audit,
		Seal: mfa.RingSealer{Codec: w.Assembly.Codec(), Rand: rand.Reader}})
}

// outcome is what an import said.
type outcome struct {
	importer.Report
	refused []importer.Refusal
}

func (w *world) run(lines importer.Lines, o importer.Options) (outcome, error) {
	var out outcome
	if o.Source == "" {
		o.Source = "test"
	}
	if o.Batch == "" {
		o.Batch = "batch-1"
	}
	o.Refused = func(r importer.Refusal) error { out.refused = append(out.refused, r); return nil }
	var err error
	out.Report, err = w.im.Run(w.T.Context(), lines, o)
	return out, err
}

// want runs an import that refuses nothing.
func (w *world) want(kind importer.Kind, lines importer.Lines, created, unchanged int64) {
	w.T.Helper()
	out, err := w.run(lines, importer.Options{Kind: kind})
	if err != nil {
		w.T.Fatal(err)
	}
	if out.Created != created || out.Unchanged != unchanged || len(out.refused) != 0 {
		w.T.Fatalf("%s: %+v, want %d created and %d unchanged", kind, out, created, unchanged)
	}
}

func read(t testing.TB, path ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func jsonl(s string) importer.Lines { return convert.JSONLines(strings.NewReader(s)) }

func csv(t testing.TB, k importer.Kind, s string) importer.Lines {
	t.Helper()
	fields, err := importer.Fields(k)
	if err != nil {
		t.Fatal(err)
	}
	return convert.CSV(strings.NewReader(s), fields)
}

func id(k importer.Kind, source string) string { return importer.DeriveID("test", k, source) }

// cutAfter lets so many requests through and none after them.
func cutAfter(n int) dynamotest.Interceptor {
	var seen atomic.Int64
	return func(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
		if seen.Add(1) > int64(n) {
			return nil, io.ErrClosedPipe
		}
		return next.RoundTrip(r)
	}
}

// newRecord is a system of record for profiles; it gives its URL.
func newRecord(t *testing.T, answer func(*http.Request) int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(answer(r)) }))
	t.Cleanup(s.Close)
	return s.URL
}
