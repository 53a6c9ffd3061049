package metrics_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
)

// TestDocumentedQueriesAskForFieldsThatAreLogged reads the Logs Insights
// queries of the deployment guide: every field is one of a real line, or one
// that CloudWatch itself finds.
func TestDocumentedQueriesAskForFieldsThatAreLogged(t *testing.T) {
	var line bytes.Buffer
	see := metrics.Observer(&line, slog.Default(), "prod", time.Now)
	see(context.Background(), api.Observation{Operation: "auth-login", RouteKey: "POST /api/auth/login", RequestID: "r", UserID: "u", Status: 500, Code: "c"})
	var fields map[string]any
	if err := json.Unmarshal(line.Bytes(), &fields); err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	_, watching, found := strings.Cut(string(guide), "## Watching")
	block := regexp.MustCompile("(?s)```\n(.*?)```").FindStringSubmatch(watching)
	if !found || block == nil {
		t.Fatal("the guide has no queries")
	}
	language := strings.Fields("filter stats sort by desc asc and or not in like ispresent pct count max min avg sum bin limit fields as display m")
	quoted := regexp.MustCompile("\"[^\"]*\"|`[^`]*`")
	queries, asked := 0, map[string]bool{}
	for query := range strings.Lines(block[1]) {
		if query = strings.TrimSpace(query); query == "" || strings.HasPrefix(query, "#") {
			continue
		}
		queries++
		for _, word := range regexp.MustCompile(`@?[A-Za-z_]\w*`).FindAllString(quoted.ReplaceAllString(query, ""), -1) {
			_, logged := fields[word]
			switch {
			case strings.HasPrefix(word, "@"): // CloudWatch's own
			case logged:
				asked[word] = true
			case !slices.Contains(language, word):
				t.Errorf("%q asks for %s, which no line has", query, word)
			}
		}
		if strings.Contains(query, `msg = `) && !strings.Contains(query, `msg = "`+fmt.Sprint(fields["msg"])+`"`) {
			t.Errorf("%q looks for lines that are not written", query)
		}
	}
	if queries < 5 || !asked["operation"] || !asked["Latency"] || !asked["code"] {
		t.Errorf("%d queries ask for %v", queries, asked)
	}
}
