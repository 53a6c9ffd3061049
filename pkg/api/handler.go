package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// Options are the parts of the pipeline that differ between deployments.
type Options struct {
	Version string
	Browser Browser
	Cookies Cookies
	Now     func() time.Time
	Log     *slog.Logger

	// Identify establishes the facts of a request: id, source, and, for
	// operations that are not public, the authorizer's finding. An error is
	// answered as its problem.
	Identify func(r *http.Request, spec *Spec) (*caller.Caller, error)
	// Authorize admits a principal to a SuperAdmin operation; nil admits nobody.
	Authorize func(ctx context.Context, spec *Spec, p *caller.Principal) error
	// Limit counts the request against the limits of its source; nil counts nothing.
	Limit func(ctx context.Context, spec *Spec, c *caller.Caller) error
	// Observe is told of every request after it ended; nil for none.
	Observe func(ctx context.Context, o Observation)
}

// Observation is what is known of a request when it is over.
type Observation struct {
	Operation string // "" when no operation matched
	RouteKey  string
	Status    int
	Code      string // of the problem, or ""
	Reason    fault.Reason
	Duration  time.Duration
	UserID    string
	RequestID string
}

// Handler serves operations over HTTP.
type Handler struct {
	o   Options
	mux *http.ServeMux
	doc *huma.OpenAPI
}

// NewHandler binds operations into one handler. It refuses two operations with
// one id or route, and any without declared access.
func NewHandler(o Options, ops ...Operation) (*Handler, error) {
	setHuma()
	h := &Handler{o: o, mux: http.NewServeMux()}
	b := &binder{bound: map[string]func(huma.Context){}, ops: map[string]*huma.Operation{}}
	cfg := huma.Config{
		OpenAPI: newDocument(o.Version, o.Browser.PublicURL, o.Cookies),
		// huma finds the format of application/problem+json by its suffix.
		Formats: map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
	}
	cfg.DefaultFormat = "application/json"
	a := huma.NewAPI(cfg, b)
	ids := map[string]bool{}
	for i := range ops {
		spec := &ops[i].Spec
		if ids[spec.ID] || spec.ID == "" {
			return nil, fmt.Errorf("operation id %q is empty or declared twice", spec.ID)
		}
		ids[spec.ID] = true
		switch spec.Access {
		case Public, Optional, User, SuperAdmin:
		default:
			return nil, fmt.Errorf("operation %s declares no access", spec.ID)
		}
		ops[i].register(a)
		op, run := b.ops[spec.ID], b.bound[spec.ID]
		h.mux.HandleFunc(spec.RouteKey(), func(w http.ResponseWriter, r *http.Request) {
			h.serve(w, r, spec, func(w http.ResponseWriter, r *http.Request) {
				run(humago.NewContext(op, r, w))
			})
		})
	}
	h.doc = a.OpenAPI()
	finishDocument(h.doc, ops)
	return h, nil
}

// Document is the OpenAPI document of the bound operations.
func (h *Handler) Document() *huma.OpenAPI { return h.doc }

// binder is a huma adapter that keeps handlers instead of routing to them.
type binder struct {
	bound map[string]func(huma.Context)
	ops   map[string]*huma.Operation
}

func (b *binder) Handle(op *huma.Operation, h func(huma.Context)) {
	b.bound[op.OperationID], b.ops[op.OperationID] = h, op
}

func (b *binder) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNotFound)
}

// ServeHTTP finds the operation; what matches none is answered here.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header(), h.o.Cookies.Secure)
	if h.o.Browser.cors(w, r) {
		return
	}
	if headerSize(r) > MaxHeader {
		h.refuse(w, r, fault.New(fault.CodeHeadersTooLarge, fault.CodeHeadersTooLarge.Meaning()))
		return
	}
	match, pattern := h.mux.Handler(r)
	// A GET pattern would also take HEAD, and the mux would redirect unclean
	// paths; API Gateway does neither.
	if pattern != "" && r.Method != http.MethodHead && path.Clean(r.URL.Path) == r.URL.Path {
		h.mux.ServeHTTP(w, r)
		return
	}
	if pattern != "" {
		// An unclean path still finds an operation where the mux compares the
		// escaped form (%2F%2F). It must not run to learn a status from it.
		match = http.NotFoundHandler()
	}
	h.serveUnmatched(w, r, match)
}

// MaxHeader is the greatest size of a request line with all headers: API
// Gateway's, so that the single machine refuses what AWS would.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const MaxHeader = 10_240

// headerSize is the size of a request line with all headers, as HTTP/1.1 writes them.
func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("  \r\n") + len("Host: \r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(": \r\n") + len(v)
		}
	}
	return n
}

// serveUnmatched answers 404, or 405 with Allow where another method would do.
func (h *Handler) serveUnmatched(w http.ResponseWriter, r *http.Request, match http.Handler) {
	f := fault.New(fault.CodeNotFound, fault.CodeNotFound.Meaning())
	probe := &statusProbe{header: http.Header{}}
	if r.Method == http.MethodHead {
		get := r.Clone(r.Context())
		get.Method = http.MethodGet
		if _, p := h.mux.Handler(get); p != "" {
			probe.header.Set("Allow", "GET")
			f = fault.New(fault.CodeMethodNotAllowed, fault.CodeMethodNotAllowed.Meaning())
		}
	} else if match.ServeHTTP(probe, r); probe.status == http.StatusMethodNotAllowed {
		f = fault.New(fault.CodeMethodNotAllowed, fault.CodeMethodNotAllowed.Meaning())
	}
	if allow := probe.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", strings.ReplaceAll(allow, ", HEAD", ""))
	}
	h.refuse(w, r, f)
}

// refuse answers a request that reaches no operation.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	start := h.o.Now()
	c, err := h.o.Identify(r, &Spec{Access: Public, Method: r.Method, Path: r.URL.Path})
	if err != nil {
		c = &caller.Caller{}
	}
	ctx := caller.With(r.Context(), c)
	p := newProblem(ctx, f)
	p.write(w)
	h.observe(ctx, Observation{RouteKey: "none", Status: p.Status, Code: p.Code, RequestID: c.RequestID, Duration: h.o.Now().Sub(start)})
}

type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(s int)           { p.status = s }

// identify establishes the facts of a request. A panic on the way admits nobody
// and, as in the handler, its value, which may quote what was sent, is logged
// nowhere.
func (h *Handler) identify(ctx context.Context, r *http.Request, spec *Spec) (c *caller.Caller, err error) {
	defer func() {
		if v := recover(); v != nil {
			h.o.Log.ErrorContext(ctx, "panic", "route", spec.ID, "kind", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			c, err = nil, errors.New("panic")
		}
	}()
	return h.o.Identify(r, spec)
}

// serve is the pipeline of one matched request.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, spec *Spec, run func(http.ResponseWriter, *http.Request)) {
	start := h.o.Now()
	c, err := h.identify(r.Context(), r, spec)
	if c == nil {
		c = &caller.Caller{}
	}
	c.UserAgent = printable(r.UserAgent(), 256)
	ctx := caller.With(r.Context(), c)
	if c.RequestID != "" {
		w.Header().Set("X-Request-Id", c.RequestID)
	}
	if theirs := r.Header.Get("X-Request-Id"); spec.Interop && theirs != "" && printable(theirs, 128) == theirs {
		w.Header().Set("X-Request-Id", theirs)
	}
	rec := &recorder{ResponseWriter: w}
	o := Observation{Operation: spec.ID, RouteKey: spec.RouteKey(), RequestID: c.RequestID}
	defer func() {
		if v := recover(); v != nil {
			h.o.Log.ErrorContext(ctx, "panic", "requestId", c.RequestID, "route", spec.ID, "kind", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			if rec.status == 0 {
				newProblem(ctx, errors.New("panic")).write(rec)
			}
		}
		if c.Principal != nil {
			o.UserID = c.Principal.UserID
		}
		o.Status, o.Duration = rec.status, h.o.Now().Sub(start)
		h.observe(ctx, o)
	}()
	if err == nil {
		err = h.admit(ctx, r, spec, c)
	}
	if err != nil {
		p := newProblem(ctx, err)
		o.Code, o.Reason = p.Code, p.reason
		h.logCause(ctx, spec, p)
		p.write(rec)
		return
	}
	ctx = context.WithValue(ctx, problemKey{}, func(p *Problem) {
		o.Code, o.Reason = p.Code, p.reason
		h.logCause(ctx, spec, p)
	})
	run(rec, r.WithContext(ctx))
}

type problemKey struct{}

// admit says whether the request may reach its handler.
func (h *Handler) admit(ctx context.Context, r *http.Request, spec *Spec, c *caller.Caller) error {
	if err := h.o.Browser.refuseForgery(r); err != nil {
		return err
	}
	var err error
	if c.RefreshCookie, err = one(r, h.o.Cookies.Refresh()); err != nil {
		return err
	}
	if c.DeviceCookie, err = one(r, h.o.Cookies.Device()); err != nil {
		return err
	}
	if h.o.Limit != nil {
		if err := h.o.Limit(ctx, spec, c); err != nil {
			return err
		}
	}
	switch spec.Access {
	case User, SuperAdmin:
		if err := RequirePrincipal(c); err != nil {
			return err
		}
	case Optional:
		if c.Denial == caller.Conflicting {
			return RequirePrincipal(c)
		}
	}
	if spec.Access == SuperAdmin {
		if h.o.Authorize == nil {
			return fault.New(fault.CodeForbidden, fault.CodeForbidden.Meaning())
		}
		if err := h.o.Authorize(ctx, spec, c.Principal); err != nil {
			return err
		}
	}
	err = readBody(r, spec.MaxBody)
	if spec.Interop && fault.HasCode(err, fault.CodeUnsupportedMedia) {
		return fault.New(fault.CodeInvalidRequest, fault.CodeUnsupportedMedia.Meaning())
	}
	return err
}

// RequirePrincipal gives the fault that a caller without a principal meets.
func RequirePrincipal(c *caller.Caller) error {
	if c.Principal != nil {
		return nil
	}
	code := fault.CodeUnauthenticated
	switch c.Denial {
	case caller.Invalid:
		code = fault.CodeInvalidToken
	case caller.Expired:
		code = fault.CodeTokenExpired
	case caller.Revoked:
		code = fault.CodeSessionRevoked
	case caller.Conflicting:
		code = fault.CodeInvalidRequest
	}
	return fault.New(code, code.Meaning())
}

// logCause logs what a client must not see: the reason of a 5xx.
func (h *Handler) logCause(ctx context.Context, spec *Spec, p *Problem) {
	if p.Status >= 500 {
		h.o.Log.ErrorContext(ctx, "request failed", "requestId", p.RequestID, "route", spec.ID, "code", p.Code, "error", fmt.Sprint(p.cause))
	}
}

func (h *Handler) observe(ctx context.Context, o Observation) {
	if h.o.Observe != nil {
		h.o.Observe(ctx, o)
	}
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(s int) {
	if r.status == 0 {
		r.status = s
	}
	r.ResponseWriter.WriteHeader(s)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the real writer.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
