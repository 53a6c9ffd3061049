package stream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/pkg/mail/stream"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

var now = time.UnixMilli(1_772_366_400_000)

// batch is an event as the stream sends it.
func batch(t *testing.T, records ...string) events.DynamoDBEvent {
	t.Helper()
	var e events.DynamoDBEvent
	if err := json.Unmarshal([]byte(`{"Records":[`+strings.Join(records, ",")+`]}`), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// rec is one record; image is what stands behind "NewImage".
func rec(name, pk, sk, seq, image string) string {
	return `{"eventID":"e` + seq + `","eventName":"` + name + `","eventSource":"aws:dynamodb","dynamodb":{"Keys":{"PK":` + pk + `,"SK":` + sk +
		`},"NewImage":` + image + `,"SequenceNumber":"` + seq + `","StreamViewType":"NEW_IMAGE"}}`
}

func s(v string) string { return `{"S":"` + v + `"}` }

const due = `{"nextAttemptAt":{"N":"1772366399000"}}`

func serve(t *testing.T, fail map[string]error, e events.DynamoDBEvent) (handled []table.Key, failed []string, log string) {
	t.Helper()
	var b bytes.Buffer
	handle := func(_ context.Context, key table.Key) error {
		handled = append(handled, key)
		return fail[key.SK]
	}
	h := stream.Handler{
		Routes: []stream.Route{{Prefix: "OUTBOX#", Due: "nextAttemptAt", Handle: handle}, {Prefix: "TASK#", Due: "notBefore", Handle: handle}},
		Now:    func() time.Time { return now }, Log: slog.New(slog.NewJSONHandler(&b, nil)),
	}
	answer, err := h.Serve(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if answer.BatchItemFailures == nil {
		t.Error("failures are null in JSON, which Lambda takes for a malformed answer")
	}
	for _, f := range answer.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return handled, failed, b.String()
}

func TestNewWorkIsHandedOver(t *testing.T) {
	handled, failed, _ := serve(t, nil, batch(t,
		rec("INSERT", s("OUTBOX#3"), s("a"), "1", due),
		rec("MODIFY", s("OUTBOX#4"), s("b"), "2", due), // made due by an operator
		rec("INSERT", s("TASK#1"), s("c"), "3", `{"notBefore":{"N":"1772366400000"}}`),
		rec("INSERT", s("OUTBOX#5"), s("d"), "4", `{}`), // keys only
	))
	want := []table.Key{{PK: "OUTBOX#3", SK: "a"}, {PK: "OUTBOX#4", SK: "b"}, {PK: "TASK#1", SK: "c"}, {PK: "OUTBOX#5", SK: "d"}}
	if !slices.Equal(handled, want) || failed != nil {
		t.Errorf("handled %v, failed %v", handled, failed)
	}
}

func TestRecordsThatAreNoWorkArePassedOver(t *testing.T) {
	handled, failed, _ := serve(t, nil, batch(t,
		rec("REMOVE", s("OUTBOX#3"), s("a"), "1", `{}`),
		rec("MODIFY", s("OUTBOX#3"), s("held"), "2", `{"nextAttemptAt":{"N":"1772366520000"}}`),
		rec("INSERT", s("USER#1"), s("PROFILE"), "3", due),
		rec("INSERT", s("DEADMAIL"), s("a"), "4", due),
		rec("INSERT", `{"N":"1"}`, s("a"), "5", due),
		rec("INSERT", s("OUTBOX#1"), `{"B":"YQ=="}`, "6", due),
		rec("INSERT", s("OUTBOX#1"), s("a"), "7", `{"nextAttemptAt":{"S":"soon"}}`),
		rec("INSERT", s("OUTBOX#1"), s("a"), "8", `{"nextAttemptAt":{"N":"1e999"}}`),
		rec("INSERT", s("OUTBOX#1"), s("a"), "9", `{"other":{"N":"1"}}`),
	))
	if handled != nil || failed != nil {
		t.Errorf("handled %v, failed %v", handled, failed)
	}
}

func TestOnlyWhatFailedIsReported(t *testing.T) {
	handled, failed, log := serve(t, map[string]error{"bad": errors.New("store is away")}, batch(t,
		rec("INSERT", s("OUTBOX#1"), s("a"), "101", due),
		rec("INSERT", s("OUTBOX#2"), s("bad"), "102", due),
		rec("INSERT", s("OUTBOX#3"), s("c"), "103", due),
	))
	if len(handled) != 3 || !slices.Equal(failed, []string{"102"}) {
		t.Errorf("handled %v, failed %v", handled, failed)
	}
	if !strings.Contains(log, "store is away") || !strings.Contains(log, `"item":"bad"`) {
		t.Errorf("log: %s", log)
	}
}

func TestScheduleCallsForASweep(t *testing.T) {
	swept, handled := 0, 0
	var fail error
	h := stream.Handler{
		Routes: []stream.Route{{Prefix: "OUTBOX#", Due: "nextAttemptAt", Handle: func(context.Context, table.Key) error { handled++; return nil }}},
		Sweep:  func(context.Context) error { swept++; return fail },
		Now:    func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}
	for _, event := range []string{`{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}`, `{}`} {
		if _, err := h.Invoke(t.Context(), json.RawMessage(event)); err != nil {
			t.Error(err)
		}
	}
	if _, err := h.Invoke(t.Context(), json.RawMessage(`{"Records":[`+rec("INSERT", s("OUTBOX#3"), s("a"), "1", due)+`]}`)); err != nil {
		t.Error(err)
	}
	if swept != 2 || handled != 1 {
		t.Errorf("swept %d times, handled %d", swept, handled)
	}
	fail = errors.New("store is away")
	if _, err := h.Invoke(t.Context(), json.RawMessage(`{}`)); !errors.Is(err, fail) {
		t.Errorf("got %v", err)
	}
	if _, err := h.Invoke(t.Context(), json.RawMessage(`[`)); err == nil {
		t.Error("read what is no event")
	}
}
