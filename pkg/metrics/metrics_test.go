package metrics_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
)

func TestEveryRequestIsOneLineOfLogAndMetrics(t *testing.T) {
	for _, tc := range []struct {
		status               int
		errors, slow, denied float64
		level                string
	}{
		{200, 0, 0, 0, "INFO"}, {401, 0, 0, 1, "INFO"}, {403, 0, 0, 1, "INFO"}, {429, 0, 1, 0, "INFO"}, {503, 1, 0, 0, "ERROR"},
	} {
		var b bytes.Buffer
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		see := metrics.Observer(&b, slog.Default(), "prod", func() time.Time { return at })
		see(context.Background(), api.Observation{Operation: "auth-login", RouteKey: "POST /api/auth/login", Status: tc.status, Code: "c\"\n", Duration: 1500 * time.Microsecond, RequestID: "r"})
		if strings.Count(b.String(), "\n") != 1 {
			t.Fatalf("not one line: %q", b.String())
		}
		var got map[string]any
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got["Latency"] != 1.5 || got["ServerErrors"] != tc.errors || got["Throttled"] != tc.slow || got["Refused"] != tc.denied || got["level"] != tc.level || got["stage"] != "prod" {
			t.Errorf("status %d: %v", tc.status, got)
		}
		head, ok := got["_aws"].(map[string]any)
		if !ok || head["Timestamp"] != float64(at.UnixMilli()) {
			t.Errorf("head %v", got["_aws"])
		}
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
