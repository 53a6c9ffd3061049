package localdynamo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// maxBody is the largest request DynamoDB reads.
const maxBody = 16 << 20

// targetPrefix begins the header that names the operation.
const targetPrefix = "DynamoDB_20120810."

// errBroken is what a client sees of a connection that a fault broke.
var errBroken = errors.New("localdynamo: connection broken by an injected fault")

// Client is an entry to the engine with a mode of its own. It is an
// http.Handler for a port and an http.RoundTripper in process.
type Client struct {
	engine *Engine
	mode   Mode
	faults faults
}

// With returns an entry to the same tables with another mode.
func (e *Engine) With(m Mode) *Client { return &Client{engine: e, mode: m} }

// call is one request on its way.
type call struct {
	engine *Engine
	mode   Mode
	op     string
	body   []byte
	spent  []*consumed
}

// operation answers a call.
type operation func(context.Context, *call) ([]byte, error)

// keyed is an operation that asks the policy itself, because what is allowed
// depends on keys. The request is decoded and checked against the constraints
// of the API's model; what else its check finds is told after those.
func keyed[R any](run func(context.Context, *call, *R) (any, error)) operation {
	model := modelOf(reflect.TypeFor[R]())
	return func(ctx context.Context, c *call) ([]byte, error) {
		r, err := decode[R](c.body)
		if err != nil {
			return nil, err
		}
		if partial, ok := any(r).(interface{ complete() }); ok {
			partial.complete()
		}
		var v violations
		v.check(model, reflect.ValueOf(r), c.op, "")
		if checked, ok := any(r).(interface {
			check(*call, *violations) error
		}); ok {
			err = checked.check(c, &v)
		}
		if err := cmp.Or(v.err(), err); err != nil {
			return nil, err
		}
		answer, err := run(ctx, c, r)
		if err != nil {
			return nil, err
		}
		return marshal(answer)
	}
}

// keyless is an operation on tables.
func keyless[R any](run func(context.Context, *call, *R) (any, error)) operation {
	answer := keyed(run)
	return func(ctx context.Context, c *call) ([]byte, error) {
		if err := c.allow(c.op, nil, nil, attr.Value{}); err != nil {
			return nil, err
		}
		return answer(ctx, c)
	}
}

// operations are those the engine knows; it is never written to.
var operations = map[string]operation{
	"GetItem":            keyed(getItem),
	"PutItem":            keyed(writeItem),
	"UpdateItem":         keyed(writeItem),
	"DeleteItem":         keyed(writeItem),
	"Query":              keyed(searchItems),
	"Scan":               keyed(searchItems),
	"BatchGetItem":       keyed(batchGet),
	"BatchWriteItem":     keyed(batchWrite),
	"TransactGetItems":   keyed(transactGet),
	"TransactWriteItems": keyed(transactWrite),
	"CreateTable":        keyless(createTable),
	"DescribeTable":      keyless(describeTable),
	"UpdateTable":        keyless(updateTable),
	"DeleteTable":        keyless(deleteTable),
	"ListTables":         keyless(listTables),
	"UpdateTimeToLive":   keyless(updateTTL),
	"DescribeTimeToLive": keyless(describeTTL),
}

// do answers a request: a status and a JSON body, or an error when the client
// gets no answer at all.
func (cl *Client) do(ctx context.Context, target string, body []byte) (int, []byte, error) {
	op, ok := strings.CutPrefix(target, targetPrefix)
	run := operations[op]
	if !ok || run == nil {
		return http.StatusBadRequest, (&apiError{code: "UnknownOperationException"}).body(), nil
	}
	kind, err := cl.faults.next(ctx, cl.mode, op)
	if err != nil {
		return 0, nil, err
	}
	if kind == Dropped {
		return 0, nil, errBroken
	}
	c := &call{engine: cl.engine, mode: cl.mode, op: op, body: body}
	answer, err := []byte(nil), kind.error(op)
	if err == nil {
		answer, err = run(ctx, c)
		cl.engine.called(op)
	}
	status, code := http.StatusOK, ""
	if err != nil {
		if cause := ctx.Err(); cause != nil && errors.Is(err, cause) {
			return 0, nil, cause
		}
		api := asAPI(err)
		status, code, answer = api.status, api.code, api.body()
	}
	if cl.mode.Observe != nil {
		cl.mode.Observe(c.observed(code))
	}
	if kind == LostReply {
		return 0, nil, errBroken
	}
	return status, answer, nil
}

func (c *call) observed(code string) Call {
	seen := Call{Operation: c.op, Error: code}
	for _, s := range c.spent {
		seen.Tables = append(seen.Tables, s.of.name)
		seen.Capacity += s.total()
	}
	return seen
}

// header sets what AWS sends with every answer; the SDKs check the checksum.
func header(h http.Header, body []byte) {
	h.Set("Content-Type", "application/x-amz-json-1.0")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	h.Set("X-Amzn-Requestid", strings.ToUpper(uuid.NewString()))
}

// RoundTrip answers a client in the same process. It breaks off when the
// request's context ends; a write that was accepted then may still happen.
func (cl *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = readBody(r)
		if err := errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	status, answer, err := cl.do(r.Context(), r.Header.Get("X-Amz-Target"), body)
	if err != nil {
		return nil, err
	}
	res := &http.Response{StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 4), Request: r,
		Body: io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer))}
	header(res.Header, answer)
	return res, nil
}

func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > 0 && r.ContentLength <= maxBody {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(io.LimitReader(r.Body, maxBody+1))
}

// ServeHTTP answers a client on a port.
func (cl *Client) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		// What DynamoDB's endpoints answer to health checks.
		body := []byte("healthy: dynamodb." + cl.engine.opts.Region + ".amazonaws.com ")
		header(w.Header(), body)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(body) // the client is gone
		return
	}
	body, err := readBody(r)
	status := http.StatusBadRequest
	var answer []byte
	switch {
	case err != nil:
		answer = (&apiError{code: "SerializationException", message: "The request could not be read"}).body()
	case len(body) > maxBody:
		status, answer = http.StatusRequestEntityTooLarge, (&apiError{code: "RequestEntityTooLargeException", message: "Request body is too large"}).body()
	case r.Header.Get("Authorization") == "" && r.URL.Query().Get("X-Amz-Signature") == "":
		// Signatures are not checked, but a client that forgets to sign is told.
		answer = (&apiError{code: "MissingAuthenticationTokenException", message: "Request is missing Authentication Token"}).body()
	default:
		status, answer, err = cl.do(r.Context(), r.Header.Get("X-Amz-Target"), body)
		if err != nil {
			panic(http.ErrAbortHandler) // breaks the connection, as the fault asks
		}
	}
	header(w.Header(), answer)
	w.WriteHeader(status)
	_, _ = w.Write(answer) // the client is gone
}
