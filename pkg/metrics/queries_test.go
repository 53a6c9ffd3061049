package metrics_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
)

// TestDocumentedQueriesAskForFieldsThatAreLogged reads the Logs Insights
// queries of the deployment guide: every field is one of a real line, or one
// that CloudWatch itself finds.
func TestDocumentedQueriesAskForFieldsThatAreLogged(t *testing.T) {
	fields := map[string]any{}
	read := func(lines string) {
		t.Helper()
		for line := range strings.Lines(lines) {
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A request that fails because the store does not answer has every field.
	w := watch(t)
	c := w.Registered("queries@example.com")
	w.Store.Transport.Intercept(func(*http.Request, string, http.RoundTripper) (*http.Response, error) {
		return nil, errors.New("connection refused")
	})
	c.Get("/api/auth/sessions")
	w.Store.Transport.Intercept(nil)
	var line bytes.Buffer
	metrics.Observer(&line, slog.Default(), "prod", time.Now)(t.Context(), api.Observation{UserID: "u", Code: "c", Reason: fault.ReasonReuse, RequestID: "r"})
	read(w.Logs.String())
	read(line.String())
	guide, err := os.ReadFile("../../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	_, watching, found := strings.Cut(string(guide), "## Watching")
	block := regexp.MustCompile("(?s)```\n(.*?)```").FindStringSubmatch(watching)
	if !found || block == nil {
		t.Fatal("the guide has no queries")
	}
	language := strings.Fields("filter stats sort by desc asc and or not in like ispresent pct count max min avg sum bin limit fields as display parse m")
	quoted := regexp.MustCompile("\"[^\"]*\"|`[^`]*`|/[^/]*/")
	queries, asked := 0, map[string]bool{}
	named := regexp.MustCompile(`\bas ([\w, ]+)`)
	for query := range strings.Lines(block[1]) {
		if query = strings.TrimSpace(query); query == "" || strings.HasPrefix(query, "#") {
			continue
		}
		queries++
		own := ""
		for _, m := range named.FindAllStringSubmatch(query, -1) {
			own += " " + strings.ReplaceAll(m[1], ",", " ")
		}
		for _, word := range regexp.MustCompile(`@?[A-Za-z_]\w*`).FindAllString(quoted.ReplaceAllString(query, ""), -1) {
			_, logged := fields[word]
			switch {
			case strings.HasPrefix(word, "@"), slices.Contains(strings.Fields(own), word): // CloudWatch's, the query's own
			case logged:
				asked[word] = true
			case !slices.Contains(language, word):
				t.Errorf("%q asks for %s, which no line has", query, word)
			}
		}
		if m := regexp.MustCompile(`msg = "([^"]*)"`).FindStringSubmatch(query); m != nil && !strings.Contains(w.Logs.String()+line.String(), `"msg":"`+m[1]+`"`) {
			t.Errorf("%q looks for lines that are not written", query)
		}
	}
	for _, name := range []string{"operation", "Latency", "code", "reason", "error", "Lockouts", "RefreshReuse"} {
		if !asked[name] {
			t.Errorf("none of %d queries asks for %s", queries, name)
		}
	}
}
