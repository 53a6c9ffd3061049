package localdynamo

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// apiError is an error that the client is answered with.
type apiError struct {
	status  int
	code    string
	message string
	item    attr.Item // of a ConditionalCheckFailedException
	reasons []reason  // of a TransactionCanceledException
}

// reason is one of a cancelled transaction's reasons.
type reason struct {
	Code    string
	Message string `json:",omitzero"`
	Item    item   `json:",omitzero"`
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func refuse(code, format string, args ...any) error {
	return &apiError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error { return refuse("ValidationException", format, args...) }

func invalidParam(format string, args ...any) error {
	return invalid("One or more parameter values were invalid: "+format, args...)
}

func errNoTable() error {
	return refuse("ResourceNotFoundException", "Requested resource not found")
}

func errNoTableNamed(name string) error {
	return refuse("ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
}

// emptyKeyMessage begins what AWS says of an empty key value. In a transaction
// that is wrong with the request, not a reason to cancel it.
const emptyKeyMessage = "One or more parameter values are not valid. "

func errKeySchema() error { return invalid("The provided key element does not match the schema") }

// asAPI brings any error into the form of an answer. What is neither a refusal
// nor invalid input is an internal error, whose text stays inside, but for what
// the operating system says: a full disk is for the operator to see.
func asAPI(err error) *apiError {
	var api *apiError
	var value *attr.ValidationError
	var shape *attr.SerializationError
	switch {
	case errors.As(err, &api):
		return api
	case errors.As(err, &value):
		return &apiError{status: http.StatusBadRequest, code: "ValidationException", message: value.Msg}
	case errors.As(err, &shape):
		return &apiError{status: http.StatusBadRequest, code: "SerializationException", message: shape.Msg}
	}
	message := "The request processing has failed because of an unknown error, exception or failure."
	var system syscall.Errno
	if errors.As(err, &system) {
		message = "The store's file cannot be used: " + system.Error() + "."
	}
	return &apiError{status: http.StatusInternalServerError, code: "InternalServerError", message: message}
}

// body writes the error as AWS does: the name with its namespace, the message,
// and what the exception carries.
func (e *apiError) body() []byte {
	out := struct {
		Type                string   `json:"__type"`
		Lower               string   `json:"message,omitzero"`
		Upper               string   `json:"Message,omitzero"`
		Item                item     `json:",omitzero"`
		CancellationReasons []reason `json:",omitzero"`
	}{"com.amazonaws.dynamodb.v20120810#" + e.code, e.message, "", item(e.item), e.reasons}
	switch e.code {
	case "ValidationException":
		out.Type = "com.amazon.coral.validate#" + e.code
	case "SerializationException", "UnknownOperationException", "AccessDeniedException",
		"MissingAuthenticationTokenException", "InternalServerError":
		out.Type = "com.amazon.coral.service#" + e.code
	}
	if e.code == "AccessDeniedException" || e.code == "TransactionCanceledException" {
		out.Lower, out.Upper = "", e.message
	}
	body, err := marshal(out)
	if err != nil { // of strings and stored items there is none
		panic(err)
	}
	return body
}
