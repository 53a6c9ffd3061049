package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// watch is how a server shows how it is doing: metrics for Prometheus, and
// whether to send it requests. No label holds anything of a user: operations,
// statuses and error codes are closed lists.
type watch struct {
	assembly *assembly.Assembly
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	refused  *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	draining atomic.Bool
}

// newWatch makes the metrics.
func newWatch(a *assembly.Assembly) *watch {
	w := &watch{
		assembly: a, registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lanyard_requests_total", Help: "Requests answered."}, []string{"operation", "status"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lanyard_refusals_total", Help: "Requests refused, by the code of the problem."}, []string{"operation", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lanyard_request_duration_seconds", Help: "Time to answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"operation"}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lanyard_build_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": a.Version},
	}, func() float64 { return 1 })
	w.registry.MustRegister(w.requests, w.refused, w.seconds, build, w.cache("hits", "Permission checks answered from cached facts.", func(s access.Stats) uint64 { return s.FactHits }),
		w.cache("misses", "Permission checks that had to read.", func(s access.Stats) uint64 { return s.FactMisses }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return w
}

func (w *watch) cache(name, help string, of func(access.Stats) uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "lanyard_access_cache_" + name + "_total", Help: help}, func() float64 {
		c, err := w.assembly.Access()
		if err != nil {
			return 0 // the server did not start then
		}
		return float64(of(c.Stats()))
	})
}

// observer counts a request before next is told.
func (w *watch) observer(next func(context.Context, api.Observation)) func(context.Context, api.Observation) {
	return func(ctx context.Context, o api.Observation) {
		operation := o.Operation
		if operation == "" {
			operation = "none"
		}
		w.requests.WithLabelValues(operation, strconv.Itoa(o.Status)).Inc()
		w.seconds.WithLabelValues(operation).Observe(o.Duration.Seconds())
		if o.Code != "" {
			w.refused.WithLabelValues(operation, o.Code).Inc()
		}
		next(ctx, o)
	}
}

// drain says from now on that no more requests should come.
func (w *watch) drain() { w.draining.Store(true) }

// serve serves /metrics and /healthz on l until stop is called.
func (w *watch) serve(ctx context.Context, l net.Listener) (stop func()) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(w.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", w.health)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) }}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			w.assembly.Deps.Log.ErrorContext(ctx, "metrics", "error", err.Error())
		}
	}()
	return func() { _ = s.Close(); <-done }
}

// health answers 200 when requests can be served: not draining, the keys are
// there and the store answers.
func (w *watch) health(res http.ResponseWriter, r *http.Request) {
	say := func(status int, text string) {
		res.Header().Set("Content-Type", "text/plain; charset=utf-8")
		res.Header().Set("Cache-Control", "no-store")
		res.WriteHeader(status)
		_, _ = res.Write([]byte(text + "\n")) // a probe that has gone away
	}
	if w.draining.Load() {
		say(http.StatusServiceUnavailable, "draining")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if _, err := w.assembly.Keys.Load(ctx); err != nil {
		say(http.StatusServiceUnavailable, "no keys")
		return
	}
	if _, err := w.assembly.Deps.Table.GetMany(ctx, []table.Key{table.AdminCount()}, table.Eventual); err != nil {
		say(http.StatusServiceUnavailable, "the store does not answer")
		return
	}
	say(http.StatusOK, "ok")
}
