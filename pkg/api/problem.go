package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// Problem is the body of every error answer (RFC 9457).
type Problem struct {
	Type      string         `json:"type" doc:"URN of the kind of problem." example:"urn:lanyard:problem:invalid_credentials"`
	Title     string         `json:"title" doc:"The status in words."`
	Status    int            `json:"status" doc:"The HTTP status."`
	Detail    string         `json:"detail" doc:"What happened, for people."`
	Code      string         `json:"code" doc:"What happened, for programs; stable."`
	RequestID string         `json:"requestId" doc:"Name it when you ask for help."`
	Errors    []ProblemField `json:"errors,omitempty" doc:"Which parts of the request were refused."`

	header http.Header
	cause  error
	reason fault.Reason
}

// ProblemField names one refused part of a request. It never repeats the value.
type ProblemField struct {
	Location string `json:"location" example:"body.email"`
	Message  string `json:"message"`
}

// Error gives the text for logs.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// Unwrap gives the cause, which clients never see.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// StatusOf maps every kind of fault to its HTTP status; the one place.
func StatusOf(k fault.Kind) int {
	switch k {
	case fault.Malformed:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case fault.NotAcceptable:
		return http.StatusNotAcceptable
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.HeadersTooLarge:
		return http.StatusRequestHeaderFieldsTooLarge
	case fault.Throttled:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// newProblem turns any error into the answer's body. What is not a fault
// becomes a bare 500.
func newProblem(ctx context.Context, err error) *Problem {
	var done *Problem
	if errors.As(err, &done) {
		return done
	}
	f := fault.From(err)
	if errors.Is(err, context.DeadlineExceeded) && f.Kind == fault.Internal {
		f = fault.Wrap(fault.CodeUnavailable, err)
	}
	status := StatusOf(f.Kind)
	detail := f.Detail
	if f.Kind == fault.Internal || f.Kind == fault.Unavailable || detail == "" {
		detail = f.Code.Meaning()
	}
	p := &Problem{
		Type: "urn:lanyard:problem:" + string(f.Code), Title: http.StatusText(status), Status: status,
		Detail: detail, Code: string(f.Code), RequestID: caller.Of(ctx).RequestID, cause: err, reason: f.Reason,
		header: http.Header{},
	}
	for _, field := range f.Fields {
		p.Errors = append(p.Errors, ProblemField(field))
	}
	if status == http.StatusUnauthorized {
		p.header.Set("WWW-Authenticate", challenge(f.Code))
	}
	if f.RetryAfter > 0 {
		p.header.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	} else if status == http.StatusServiceUnavailable {
		p.header.Set("Retry-After", strconv.Itoa(int((2 * time.Second).Seconds())))
	}
	return p
}

// challenge is the WWW-Authenticate value (RFC 6750 §3): without credentials
// no error is named.
func challenge(c fault.Code) string {
	switch c {
	case fault.CodeInvalidToken, fault.CodeTokenExpired, fault.CodeSessionRevoked:
		return `Bearer realm="lanyard", error="invalid_token", error_description="` + c.Meaning() + `"`
	}
	return `Bearer realm="lanyard"`
}

// write sends the problem.
func (p *Problem) write(w http.ResponseWriter) {
	for k, v := range p.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	// A failed write means that the client is gone: nothing is left to do.
	_ = json.NewEncoder(w).Encode(p)
}

// setHuma replaces huma's package-wide settings, once: its error model would
// echo refused values, and its validation would accept keys in another case.
var setHuma = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return fromHuma(context.Background(), status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		if interop, _ := ctx.Operation().Metadata[interopKey].(bool); interop && status == http.StatusUnprocessableEntity {
			p := fromHuma(ctx.Context(), http.StatusBadRequest, msg, errs)
			p.Code, p.Detail = string(fault.CodeInvalidRequest), "The request breaks its schema; see errors."
			p.Type = "urn:lanyard:problem:" + p.Code
			return p
		}
		return fromHuma(ctx.Context(), status, msg, errs)
	}
})

// fromHuma turns what huma refuses into a problem of ours.
func fromHuma(ctx context.Context, status int, msg string, errs []error) *Problem {
	code := fault.CodeInternal
	switch status {
	case http.StatusBadRequest:
		code = fault.CodeMalformed
	case http.StatusUnprocessableEntity:
		code = fault.CodeValidation
	case http.StatusUnsupportedMediaType:
		code = fault.CodeUnsupportedMedia
	case http.StatusRequestEntityTooLarge:
		code = fault.CodeTooLarge
	case http.StatusNotAcceptable:
		code = fault.CodeNotAcceptable
	}
	f := fault.New(code, code.Meaning())
	if code == fault.CodeInternal {
		f.Err = errors.New(msg)
	}
	for _, e := range errs {
		var d huma.ErrorDetailer
		if errors.As(e, &d) {
			detail := d.ErrorDetail()
			f.Fields = append(f.Fields, fault.Field{Location: detail.Location, Message: detail.Message})
		}
	}
	return newProblem(ctx, f)
}
