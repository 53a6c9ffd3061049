package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the class of a fault. The zero value is Internal: an error nobody
// classified is the server's own.
type Kind uint8

// The closed set of kinds; package api maps each to one HTTP status.
const (
	Internal         Kind = iota // 500
	Malformed                    // 400: not understood
	Unauthenticated              // 401: no or dead credentials
	Forbidden                    // 403: known, and not allowed
	NotFound                     // 404: missing, or another tenant's
	MethodNotAllowed             // 405
	NotAcceptable                // 406
	Conflict                     // 409: the state does not permit it
	TooLarge                     // 413
	UnsupportedMedia             // 415
	Invalid                      // 422: understood, and against the schema or a rule
	HeadersTooLarge              // 431
	Throttled                    // 429
	Unavailable                  // 503: a dependency did not answer; nothing was decided
)

// Field names one part of a request that was refused. It never carries the
// refused value: that may be a password.
type Field struct {
	Location string // "body.profile.phone", "query.limit"
	Message  string
}

// Error is a fault: a kind, a stable code, and a sentence for people.
type Error struct {
	Kind       Kind
	Code       Code
	Detail     string
	Fields     []Field
	RetryAfter time.Duration // for Throttled and Unavailable; 0 says nothing
	Reason     Reason        // for the log and the metrics only; mostly empty
	Err        error         // the cause, for the log only; may be nil
}

// Reason tells operators apart what clients must not: two refusals with the same
// answer may be a typing mistake and a theft. The limit of a throttled request
// is one, by its name; these are the others.
type Reason string

// The reasons that metrics count.
const (
	ReasonReuse   Reason = "refresh_reuse" // a refresh token was used again: its family ended
	ReasonLockout Reason = "lockout"       // a wrong proof used up a limit of the account
)

// Because gives the fault with a reason; the answer stays the same.
func (e *Error) Because(r Reason) *Error {
	with := *e
	with.Reason = r
	return &with
}

// New makes a fault of a listed code. detail is shown to the client.
func New(code Code, detail string) *Error {
	return &Error{Kind: code.Kind(), Code: code, Detail: detail}
}

// Wrap makes a fault of a listed code with a cause for the log. The client
// sees the code's standard sentence.
func Wrap(code Code, err error) *Error {
	return &Error{Kind: code.Kind(), Code: code, Detail: code.Meaning(), Err: err}
}

// Invalidf refuses one field with a message.
func Invalidf(location, format string, args ...any) *Error {
	e := New(CodeValidation, CodeValidation.Meaning())
	e.Fields = []Field{{Location: location, Message: fmt.Sprintf(format, args...)}}
	return e
}

// Error gives the text for the log: code, detail and cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Detail)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports a match by code, so that errors.Is(err, fault.New(CodeX, "")) and
// the sentinels of domain packages work on wrapped faults.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// From finds the fault in err. An error without one becomes Internal, with the
// error as its cause.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(CodeInternal, err)
}

// HasCode reports whether err carries a fault of this code.
func HasCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
