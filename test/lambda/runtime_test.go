package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// function is a built function under a Lambda Runtime API of its own, as in one
// execution environment: one process, one invocation at a time.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type function struct {
	name   string
	cmd    *exec.Cmd
	server *httptest.Server
	output *lanyardtest.Buffer // written to while the process runs

	invoking sync.Mutex
	count    int
	queue    chan invocation
	answers  chan answer
	ready    chan struct{} // closed at the first next
	first    sync.Once
	exited   chan struct{}
	clock    sync.Mutex // guards started: the detector sees no order between the process and this one
	started  time.Time
	init     time.Duration
}

type invocation struct {
	id      string
	payload []byte
}

// answer is what a function made of an invocation: a response, or an error.
type answer struct {
	id     string
	body   []byte
	failed bool
}

// functionError is an invocation that ended with an error of the function.
type functionError struct{ name, body string }

func (e *functionError) Error() string { return "function " + e.name + " failed: " + e.body }

// errInit is a function that ended before its first next.
type errInit struct{ name, output string }

func (e *errInit) Error() string { return "function " + e.name + " did not start: " + e.output }

const runtimePrefix = "/2018-06-01/runtime/"

// start runs a binary with exactly the given environment and waits until it
// asks for its first event.
func start(name, binary string, env []string) (*function, error) {
	f := &function{
		name: name, output: &lanyardtest.Buffer{}, queue: make(chan invocation), answers: make(chan answer, 1),
		ready: make(chan struct{}), exited: make(chan struct{}),
	}
	f.server = httptest.NewServer(f)
	f.cmd = exec.Command(binary)
	f.cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(f.server.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME=" + name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "_HANDLER=bootstrap",
	}, env...)
	f.cmd.Stdout, f.cmd.Stderr = f.output, f.output
	f.clock.Lock()
	f.started = time.Now()
	f.clock.Unlock()
	if err := f.cmd.Start(); err != nil {
		f.server.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = f.cmd.Wait() // how it ended is in its output
		close(f.exited)
	}()
	select {
	case <-f.ready:
		return f, nil
	case <-f.exited:
		f.server.Close()
		return nil, &errInit{name, f.output.String()}
	case <-time.After(30 * time.Second):
		f.stop()
		return nil, &errInit{name, "no next within 30 s"}
	}
}

// stop ends the process, as Lambda does with an environment it gives up.
func (f *function) stop() {
	_ = f.cmd.Process.Kill() // it may have ended already
	<-f.exited
	f.server.CloseClientConnections()
	f.server.Close()
}

// invoke hands the function one event and gives its response.
func (f *function) invoke(ctx context.Context, event any) ([]byte, error) {
	payload, ok := event.([]byte)
	if !ok {
		var err error
		if payload, err = json.Marshal(event); err != nil {
			return nil, err
		}
	}
	f.invoking.Lock()
	defer f.invoking.Unlock()
	f.count++
	in := invocation{id: fmt.Sprintf("8476a536-e9f4-11e8-9739-%012d", f.count), payload: payload}
	select {
	case f.queue <- in:
	case <-f.exited:
		return nil, &functionError{f.name, "the process ended: " + f.output.String()}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-f.answers:
		if a.id != in.id {
			return nil, fmt.Errorf("function %s answered invocation %s, asked was %s", f.name, a.id, in.id)
		}
		if a.failed {
			return nil, &functionError{f.name, string(a.body)}
		}
		return a.body, nil
	case <-f.exited:
		return nil, &functionError{f.name, "the process ended: " + f.output.String()}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ServeHTTP is the Runtime API.
func (f *function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, runtimePrefix)
	switch {
	case ok && r.Method == http.MethodGet && path == "invocation/next":
		f.first.Do(func() {
			f.clock.Lock()
			f.init = time.Since(f.started)
			f.clock.Unlock()
			close(f.ready)
		})
		select {
		case in := <-f.queue:
			h := w.Header()
			h.Set("Lambda-Runtime-Aws-Request-Id", in.id)
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(10*time.Second).UnixMilli(), 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:"+f.name)
			h.Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
			h.Set("Content-Type", "application/json")
			_, _ = w.Write(in.payload) // a process that went away is noticed by invoke
		case <-r.Context().Done():
		}
	case ok && r.Method == http.MethodPost && strings.HasPrefix(path, "invocation/"):
		id, kind, _ := strings.Cut(strings.TrimPrefix(path, "invocation/"), "/")
		if kind != "response" && kind != "error" {
			http.NotFound(w, r)
			return
		}
		body, err := io.ReadAll(r.Body) // may come chunked
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		f.answers <- answer{id: id, body: body, failed: kind == "error"}
	case ok && r.Method == http.MethodPost && path == "init/error":
		w.WriteHeader(http.StatusAccepted)
	default:
		http.NotFound(w, r)
	}
}

// launch is start for a test, which fails where the function does not start.
func launch(t testing.TB, name string, env []string) *function {
	t.Helper()
	f, err := start(name, binary(t, name), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stop)
	return f
}
