package api_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/lanyard-auth/lanyard/pkg/api"
)

// FuzzBody: a body reaches the operation only if a strict reader of another
// library gives the very same value of it; whatever else comes is refused as a
// problem of the client's.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"text":"x"}`, `{"many":["a","b"],"inner":{"number":3}}`, `{}`, ``, `null`, `[]`, `{"text":"x","text":"y"}`, `{"Text":"x"}`, `{"te\u017ft":"x"}`,
		`{"text":"x"} {}`, "{\"text\":\"\xff\"}", `{"text":"\ud800"}`, `{"inner":{"number":1e999}}`, `{"inner":{"number":1.0}}`, `{"more":1}`,
		strings.Repeat(`[`, 100), `{"text":null}`, "\ufeff{}", `{"inner":{"number":9223372036854775808}}`,
	} {
		f.Add(s)
	}
	e := newEcho(f)
	f.Fuzz(func(t *testing.T, body string) {
		e.ran, e.observed = nil, nil
		rec := e.post("/echo/plain", body, nil)
		switch {
		case len(e.observed) != 1:
			t.Fatalf("observed %d times", len(e.observed))
		case rec.Code >= 400 && rec.Code < 500 && len(e.ran) == 0 && strings.HasPrefix(rec.Header().Get("Content-Type"), "application/problem+json"):
			return
		case rec.Code != http.StatusOK || len(e.ran) != 1:
			t.Fatalf("%q: %d %s", body, rec.Code, rec.Body)
		}
		var want echoBody
		if err := json.Unmarshal([]byte(body), &want, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%q was let through: %v", body, err)
		}
		if !reflect.DeepEqual(e.ran[0].Body, want) || !utf8.ValidString(want.Text) {
			t.Fatalf("%q was read as %+v, want %+v", body, e.ran[0].Body, want)
		}
	})
}

// FuzzCookies: of a Cookie header, an operation gets a value that stands in it
// under that very name, or none; two values refuse the request.
func FuzzCookies(f *testing.F) {
	const name = "__Secure-lanyard_refresh"
	for _, s := range []string{
		name + "=a", name + "=a; " + name + "=a", name + "=a; " + name + "=b", "x=1; " + name + `="a"`, name + "=", "=" + name, name, ";;;=;",
		strings.ToLower(name) + "=a", " " + name + " = a", name + "=a, " + name + "=b", name + "=a\x00b", name + "=\"",
	} {
		f.Add(s)
	}
	if (api.Cookies{Secure: true}).Refresh() != name {
		f.Fatal("the cookie has another name")
	}
	e := newEcho(f)
	f.Fuzz(func(t *testing.T, line string) {
		e.ran, e.observed, e.cookie = nil, nil, ""
		rec := e.post("/echo/plain", `{}`, http.Header{"Cookie": {line}})
		if rec.Code == http.StatusBadRequest && len(e.ran) == 0 {
			if strings.Count(line, name) < 2 {
				t.Fatalf("%q: %s", line, rec.Body)
			}
			return
		}
		if rec.Code != http.StatusOK {
			t.Fatalf("%q: %d %s", line, rec.Code, rec.Body)
		}
		if e.cookie != "" && !strings.Contains(line, name) || !strings.Contains(line, e.cookie) {
			t.Fatalf("%q gave %q", line, e.cookie)
		}
	})
}
