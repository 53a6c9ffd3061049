package localdynamo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// maxBody is AWS's bound on a request.
const maxBody = 16 << 20

const targetPrefix = "DynamoDB_20120810."

func itoa(n int) string { return strconv.Itoa(n) }

// dispatch decodes a request and carries out its operation.
func (e *call) dispatch(operation string, body []byte) (any, error) {
	switch operation {
	case "PutItem":
		return decoded(body, e.putItem)
	case "GetItem":
		return decoded(body, e.getItem)
	case "UpdateItem":
		return decoded(body, e.updateItem)
	case "DeleteItem":
		return decoded(body, e.deleteItem)
	case "Query":
		return decoded(body, e.query)
	case "Scan":
		return decoded(body, e.scan)
	case "BatchGetItem":
		return decoded(body, e.batchGetItem)
	case "BatchWriteItem":
		return decoded(body, e.batchWriteItem)
	case "TransactWriteItems":
		return decoded(body, func(r *transactWriteRequest) (any, error) {
			r.body = body
			return e.transactWriteItems(r)
		})
	case "TransactGetItems":
		return decoded(body, e.transactGetItems)
	case "CreateTable":
		return decoded(body, e.createTable)
	case "DescribeTable":
		return decoded(body, e.describeTable)
	case "DeleteTable":
		return decoded(body, e.deleteTable)
	case "ListTables":
		return decoded(body, e.listTables)
	case "UpdateTable":
		return decoded(body, e.updateTable)
	case "UpdateTimeToLive":
		return decoded(body, e.updateTimeToLive)
	case "DescribeTimeToLive":
		return decoded(body, e.describeTimeToLive)
	}
	return nil, fail("UnknownOperationException", "")
}

// decoded reads a request of one operation and runs it.
func decoded[R any](body []byte, run func(*R) (any, error)) (any, error) {
	r := new(R)
	if err := json.Unmarshal(body, r); err != nil {
		var shape *attr.SerializationError
		var wrong *attr.ValidationError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &shape), errors.As(err, &wrong):
			return nil, err
		case errors.As(err, &kind):
			return nil, fail("SerializationException", "%s can not be converted to %s", strings.ToUpper(kind.Value), javaName(kind.Type.Kind().String()))
		}
		return nil, fail("SerializationException", "Start of structure or map found where not expected.")
	}
	return run(r)
}

func javaName(kind string) string {
	switch kind {
	case "string":
		return "a String"
	case "int":
		return "an Integer"
	case "bool":
		return "a Boolean"
	}
	return "a " + kind
}

// ServeHTTP answers one request of the DynamoDB JSON protocol.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusOK) // AWS answers a health check so
		_, _ = io.WriteString(w, "healthy: dynamodb\n")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return // the client is gone
	}
	status, answer := e.handle(r.Context(), r.Header.Get("X-Amz-Target"), body)
	if answer == nil { // a lost reply
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-amz-json-1.0")
	h.Set("X-Amzn-Requestid", strings.ToUpper(strings.ReplaceAll(uuid.NewString(), "-", "")))
	h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10))
	h.Set("Content-Length", itoa(len(answer)))
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

// handle answers one request: its status and body, or no body where a fault
// loses the reply.
func (e *Engine) handle(ctx context.Context, target string, body []byte) (int, []byte) {
	operation, known := strings.CutPrefix(target, targetPrefix)
	if !known {
		return encodeError(fail("UnknownOperationException", ""))
	}
	if len(body) > maxBody {
		return encodeError(&apiError{status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLargeException", message: "Request size exceeds 16 MB"})
	}
	started := e.o.Now()
	fault := Fault{}
	if e.o.Fault != nil {
		fault = e.o.Fault(operation, e.calls.Add(1))
	}
	if fault.Delay > 0 {
		select {
		case <-time.After(fault.Delay):
		case <-ctx.Done():
			return 0, nil
		}
	}
	switch fault.Kind {
	case DropRequest:
		return 0, nil
	case Throttle:
		return encodeError(fail("ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API."))
	case InternalError:
		return encodeError(&apiError{status: http.StatusInternalServerError, code: "InternalServerError", message: "Internal server error"})
	case Conflict:
		if operation == "TransactWriteItems" {
			return encodeError(conflicted(body))
		}
		return encodeError(fail("TransactionConflictException", "Transaction is ongoing for the item"))
	}
	var answer any
	c := &call{Engine: e}
	err := e.permit(operation, body)
	if err == nil {
		answer, err = c.dispatch(operation, body)
	}
	status := http.StatusOK
	var out []byte
	if err == nil {
		out, err = json.Marshal(answer)
	}
	if err != nil {
		status, out = encodeError(asAPIError(err))
	}
	if e.o.Observe != nil {
		e.o.Observe(Observation{Operation: operation, Status: status, Units: c.units, Took: e.o.Now().Sub(started), Request: body})
	}
	if fault.Kind == DropReply {
		return 0, nil
	}
	return status, out
}

// call is one request being carried out, and what it has consumed so far.
type call struct {
	*Engine
	units float64
}

func (e *call) spent(c *capacity) { e.units += c.total() }

// encodeError gives the wire form of an error.
func encodeError(e *apiError) (int, []byte) {
	space := "com.amazonaws.dynamodb.v20120810#"
	if e.code == "ValidationException" || e.code == "SerializationException" || e.code == "UnknownOperationException" {
		space = map[bool]string{true: "com.amazon.coral.validate#", false: "com.amazon.coral.service#"}[e.code == "ValidationException"]
	}
	out := map[string]any{"__type": space + e.code}
	if e.reasons != nil {
		out["Message"] = e.message
		list := make([]map[string]any, len(e.reasons))
		for i, r := range e.reasons {
			list[i] = map[string]any{"Code": r.code}
			if r.message != "" {
				list[i]["Message"] = r.message
			}
			if r.item != nil {
				list[i]["Item"] = wireItem(r.item)
			}
		}
		out["CancellationReasons"] = list
	} else if e.message != "" {
		out["message"] = e.message
	}
	if e.item != nil {
		out["Item"] = wireItem(e.item)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return http.StatusInternalServerError, []byte(`{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`)
	}
	return e.status, b
}

// RoundTripper gives an in-process transport for the AWS SDK: no port, no copy
// through a socket.
func (e *Engine) RoundTripper() http.RoundTripper { return transport{e} }

type transport struct{ e *Engine }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1)); err != nil {
			return nil, err
		}
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	status, answer := t.e.handle(r.Context(), r.Header.Get("X-Amz-Target"), body)
	if answer == nil {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return nil, errLost
	}
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(answer)),
		Header: http.Header{
			"Content-Type": {"application/x-amz-json-1.0"}, "X-Amzn-Requestid": {"local"},
			"X-Amz-Crc32": {strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10)},
		},
		Body: io.NopCloser(bytes.NewReader(answer)),
	}, nil
}

// errLost is what a client sees of a dropped connection.
var errLost = io.ErrUnexpectedEOF

// The checks that AWS's framework makes before the service.

func missing(field string) error {
	return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", field)
}

func tooSmall(field string, value, least int) error {
	return invalid("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to %d", value, field, least)
}

func checkEnum(field, value, allowed string) error {
	if value == "" {
		return nil
	}
	for a := range strings.SplitSeq(allowed, ", ") {
		if a == value {
			return nil
		}
	}
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]", value, field, allowed)
}

func checkTableName(name string) error {
	switch {
	case name == "":
		return missing("tableName")
	case len(name) < 3 || len(name) > 255:
		return invalid("TableName must be at least 3 characters long and at most 255 characters long")
	case !nameForm.MatchString(name):
		return invalid("1 validation error detected: Value '%s' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+", name)
	}
	return nil
}
