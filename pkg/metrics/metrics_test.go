package metrics_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
)

func TestEveryRequestIsOneLineOfLogAndMetrics(t *testing.T) {
	for _, tc := range []struct {
		status  int
		reason  fault.Reason
		counted string // the one metric that counts it
		level   string
	}{
		{200, "", "", "INFO"}, {401, "", metrics.Refused, "INFO"}, {403, "", metrics.Refused, "INFO"}, {503, "", metrics.ServerErrors, "ERROR"},
		{429, "signin-account", metrics.Throttled, "INFO"},
		{401, fault.ReasonReuse, metrics.Refused + " " + metrics.RefreshReuse, "INFO"},
		{401, fault.ReasonLockout, metrics.Refused + " " + metrics.Lockouts, "INFO"},
		{422, fault.ReasonLockout, metrics.Lockouts, "INFO"},
	} {
		var b bytes.Buffer
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		see := metrics.Observer(&b, slog.Default(), "prod", func() time.Time { return at })
		see(context.Background(), api.Observation{Operation: "auth-login", RouteKey: "POST /api/auth/login", Status: tc.status, Code: "c\"\n", Reason: tc.reason, Duration: 1500 * time.Microsecond, RequestID: "r"})
		if strings.Count(b.String(), "\n") != 1 {
			t.Fatalf("not one line: %q", b.String())
		}
		var got map[string]any
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{metrics.ServerErrors, metrics.Throttled, metrics.Refused, metrics.RefreshReuse, metrics.Lockouts} {
			want := 0.0
			if slices.Contains(strings.Fields(tc.counted), name) {
				want = 1
			}
			if got[name] != want {
				t.Errorf("status %d, reason %q: %s is %v, want %v", tc.status, tc.reason, name, got[name], want)
			}
		}
		if reason, _ := got["reason"].(string); reason != string(tc.reason) || got["Latency"] != 1.5 || got["level"] != tc.level || got["stage"] != "prod" {
			t.Errorf("status %d: %v", tc.status, got)
		}
	}
}

// document is a line as CloudWatch reads it.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
type document struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
}

func TestMetricsAreCloudWatchsEmbeddedFormat(t *testing.T) {
	var b bytes.Buffer
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	metrics.Observer(&b, slog.Default(), "prod", func() time.Time { return at })(t.Context(), api.Observation{Operation: "auth-login", Status: 200})
	var d document
	var members map[string]any
	if err := errors.Join(json.Unmarshal(b.Bytes(), &d), json.Unmarshal(b.Bytes(), &members)); err != nil {
		t.Fatal(err)
	}
	if d.AWS.Timestamp != at.UnixMilli() {
		t.Errorf("timestamp %d", d.AWS.Timestamp)
	}
	charged := map[string][]string{} // metrics by dimensions
	for _, directive := range d.AWS.CloudWatchMetrics {
		if directive.Namespace != metrics.Namespace {
			t.Errorf("namespace %q", directive.Namespace)
		}
		for _, set := range directive.Dimensions {
			for _, dimension := range set {
				if value, ok := members[dimension].(string); !ok || value == "" {
					t.Errorf("dimension %s has the value %v", dimension, members[dimension])
				}
			}
			for _, m := range directive.Metrics {
				if _, ok := members[m.Name].(float64); !ok || (m.Unit != "Count" && m.Unit != "Milliseconds") {
					t.Errorf("metric %s is %v, in %s", m.Name, members[m.Name], m.Unit)
				}
				charged[strings.Join(set, ",")] = append(charged[strings.Join(set, ",")], m.Name)
			}
		}
	}
	for _, names := range charged {
		slices.Sort(names)
	}
	want := map[string][]string{
		"stage":           {metrics.Latency, metrics.Lockouts, metrics.RefreshReuse, metrics.Refused, metrics.ServerErrors, metrics.Throttled},
		"stage,operation": {metrics.Latency}, // each operation is charged for every one of these
	}
	if !maps.EqualFunc(charged, want, slices.Equal) {
		t.Errorf("metrics %v, want %v", charged, want)
	}
}

type deaf struct{}

func (deaf) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestAFailureToWriteIsReported(t *testing.T) {
	var log bytes.Buffer
	metrics.Observer(deaf{}, slog.New(slog.NewTextHandler(&log, nil)), "x", time.Now)(context.Background(), api.Observation{Status: 200})
	if !strings.Contains(log.String(), "write metrics") {
		t.Errorf("log %q", log.String())
	}
}
