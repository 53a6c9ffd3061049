package attr

import "fmt"

// ValidationError is a value that AWS refuses with a ValidationException; the
// text is AWS's own.
type ValidationError struct{ Msg string }

func (e *ValidationError) Error() string { return e.Msg }

func invalidf(format string, args ...any) error {
	return &ValidationError{Msg: fmt.Sprintf(format, args...)}
}

// SerializationError is JSON of the wrong shape, which AWS refuses with a
// SerializationException before it validates anything.
type SerializationError struct{ Msg string }

func (e *SerializationError) Error() string { return e.Msg }
