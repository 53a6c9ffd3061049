package localdynamo

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// apiError is an answer that is not a success: AWS's exception name and text.
type apiError struct {
	status  int
	code    string
	message string
	reasons []cancellation // of a cancelled transaction
	item    attr.Item      // of a failed condition, when it was asked for
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

type cancellation struct {
	code, message string
	item          attr.Item
}

func fail(code, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *apiError {
	return fail("ValidationException", format, args...)
}

func notFound(format string, args ...any) *apiError {
	return fail("ResourceNotFoundException", format, args...)
}

var errConditionFailed = fail("ConditionalCheckFailedException", "The conditional request failed")

// asAPIError turns any error into an answer: values and expressions carry
// AWS's words, everything else is the engine's own failure.
func asAPIError(err error) *apiError {
	var api *apiError
	var wrong *attr.ValidationError
	var shape *attr.SerializationError
	switch {
	case errors.As(err, &api):
		return api
	case errors.As(err, &wrong):
		return invalid("%s", wrong.Msg)
	case errors.As(err, &shape):
		return fail("SerializationException", "%s", shape.Msg)
	}
	return &apiError{status: http.StatusInternalServerError, code: "InternalServerError", message: "The request processing has failed because of an unknown error"}
}
