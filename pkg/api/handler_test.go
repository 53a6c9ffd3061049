package api_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/caller"
)

// echo is a small API of one operation, which gives back what it read.
type echo struct {
	handler  *api.Handler
	observed []api.Observation
	ran      []echoInput
	cookie   string // the refresh cookie it was given
}

type echoInput struct {
	Name string `path:"name" maxLength:"64"`
	Body echoBody
}

type echoBody struct {
	Text  string   `json:"text,omitempty" maxLength:"64"`
	Many  []string `json:"many,omitempty" maxItems:"4"`
	Inner *struct {
		Number int `json:"number,omitempty"`
	} `json:"inner,omitempty"`
}

type echoOutput struct{ Body echoBody }

func newEcho(t testing.TB) *echo {
	t.Helper()
	e := &echo{}
	op := api.New(api.Spec{
		ID: "echo", Method: http.MethodPost, Path: "/echo/{name}", Tag: "Test", Summary: "Echo", Access: api.Public, Status: http.StatusOK,
	}, func(ctx context.Context, in *echoInput) (*echoOutput, error) {
		e.cookie = caller.Of(ctx).RefreshCookie
		e.ran = append(e.ran, *in)
		return &echoOutput{Body: in.Body}, nil
	})
	var err error
	e.handler, err = api.NewHandler(api.Options{
		Version: "test", Browser: api.Browser{PublicURL: "https://auth.example.com"}, Cookies: api.Cookies{Secure: true},
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Identify: func(*http.Request, *api.Spec) (*caller.Caller, error) { return &caller.Caller{RequestID: "r"}, nil },
		Observe:  func(_ context.Context, o api.Observation) { e.observed = append(e.observed, o) },
	}, op)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *echo) post(path, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)) //nolint:noctx // httptest gives one
	r.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		r.Header[k] = v
	}
	rec := httptest.NewRecorder()
	e.handler.ServeHTTP(rec, r)
	return rec
}

// The mux compares escaped paths, so %2F%2F finds an operation although the
// path it stands for is unclean. The answer is 404, and nothing ran.
func TestUncleanPathsRunNothing(t *testing.T) {
	e := newEcho(t)
	if rec := e.post("/echo/plain", `{"text":"x"}`, nil); rec.Code != http.StatusOK || len(e.ran) != 1 || len(e.observed) != 1 {
		t.Fatalf("a clean path: %d %s, ran %d times, observed %d times", rec.Code, rec.Body, len(e.ran), len(e.observed))
	}
	for i, path := range []string{"/echo/%2F%2F", "/echo/a%2F..%2Fb", "/echo/%2E%2E", "//echo/plain", "/echo/./plain"} {
		rec := e.post(path, `{"text":"x"}`, nil)
		body, err := io.ReadAll(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Code != http.StatusNotFound || !strings.Contains(string(body), `"not_found"`) {
			t.Errorf("%s: %d %s", path, rec.Code, body)
		}
		if len(e.ran) != 1 || len(e.observed) != i+2 {
			t.Errorf("%s: ran %d times, observed %d requests of %d", path, len(e.ran), len(e.observed), i+2)
		}
	}
}
