// Package metrics writes what operators watch: one structured log line a
// request, and the same figures in CloudWatch's embedded metric format (EMF),
// which needs no request of its own.
//
// It must not know users beyond their id, and never sees a body.
package metrics

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// Namespace is the CloudWatch namespace of all metrics.
const Namespace = "Lanyard"

// The metrics of a request.
const (
	Latency      = "Latency"      // milliseconds
	ServerErrors = "ServerErrors" // answers of 500 and above
	Throttled    = "Throttled"    // answers of 429
	Refused      = "Refused"      // answers of 401 and 403
	RefreshReuse = "RefreshReuse" // refresh tokens used again: copied ones, and each ended a session
	Lockouts     = "Lockouts"     // wrong proofs that locked an account for a while
)

// emf is the head of an embedded metric document ("CloudWatch embedded metric
// format specification").
type emf struct {
	Timestamp int64        `json:"Timestamp"`
	Metrics   []directives `json:"CloudWatchMetrics"`
}

type directives struct {
	Namespace  string       `json:"Namespace"`
	Dimensions [][]string   `json:"Dimensions"`
	Metrics    []definition `json:"Metrics"`
}

type definition struct {
	Name string `json:"Name"`
	Unit string `json:"Unit"`
}

// line is one request: the log line and the metrics in one.
type line struct {
	AWS          emf     `json:"_aws"`
	Level        string  `json:"level"`
	Message      string  `json:"msg"`
	Stage        string  `json:"stage"`
	Operation    string  `json:"operation"`
	Route        string  `json:"route"`
	RequestID    string  `json:"requestId"`
	UserID       string  `json:"userId,omitempty"`
	Status       int     `json:"status"`
	Code         string  `json:"code,omitempty"`
	Reason       string  `json:"reason,omitempty"` // a limit's name, or one of package fault's
	Latency      float64 `json:"Latency"`
	ServerErrors int     `json:"ServerErrors"`
	Throttled    int     `json:"Throttled"`
	Refused      int     `json:"Refused"`
	RefreshReuse int     `json:"RefreshReuse"`
	Lockouts     int     `json:"Lockouts"`
}

// Set is metrics that come with the same dimensions.
type Set struct {
	Dimensions []string `json:"dimensions"`
	Metrics    []string `json:"metrics"`
}

// Sets gives what every request is counted in: all metrics for the stage, and
// how long it took for its operation too. CloudWatch charges for every pair of a
// metric and its dimensions, and there are operations by the dozen: what else is
// asked of one operation is asked of the log.
func Sets() []Set {
	return []Set{
		{[]string{"stage"}, []string{Latency, ServerErrors, Throttled, Refused, RefreshReuse, Lockouts}},
		{[]string{"stage", "operation"}, []string{Latency}},
	}
}

// head declares a line's metrics.
func head(at time.Time) emf {
	h := emf{Timestamp: at.UnixMilli()}
	for _, s := range Sets() {
		d := directives{Namespace: Namespace, Dimensions: [][]string{s.Dimensions}}
		for _, name := range s.Metrics {
			unit := "Count"
			if name == Latency {
				unit = "Milliseconds"
			}
			d.Metrics = append(d.Metrics, definition{name, unit})
		}
		h.Metrics = append(h.Metrics, d)
	}
	return h
}

// Observer gives the function that writes a line for every request to w.
// A line that cannot be written is reported to log.
func Observer(w io.Writer, log *slog.Logger, stage string, now func() time.Time) func(context.Context, api.Observation) {
	var mu sync.Mutex
	return func(ctx context.Context, o api.Observation) {
		l := line{
			AWS:   head(now()),
			Level: "INFO", Message: "request", Stage: stage, Operation: o.Operation, Route: o.RouteKey, RequestID: o.RequestID,
			UserID: o.UserID, Status: o.Status, Code: o.Code, Reason: string(o.Reason), Latency: float64(o.Duration.Microseconds()) / 1000,
		}
		switch {
		case o.Status >= 500:
			l.ServerErrors, l.Level = 1, "ERROR"
		case o.Status == 429:
			l.Throttled = 1
		case o.Status == 401, o.Status == 403:
			l.Refused = 1
		}
		switch o.Reason {
		case fault.ReasonReuse:
			l.RefreshReuse = 1
		case fault.ReasonLockout:
			l.Lockouts = 1
		}
		raw, err := json.Marshal(l)
		if err == nil {
			mu.Lock()
			_, err = w.Write(append(raw, '\n'))
			mu.Unlock()
		}
		if err != nil {
			log.ErrorContext(ctx, "write metrics", "error", err.Error())
		}
	}
}
