package lambda

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	openapi "github.com/lanyard-auth/lanyard/api"
	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/policytest"
)

// ses stands in SES's place at a port: SendEmail of its API v2.
type ses struct {
	mu   sync.Mutex
	down bool
	sent []string
}

func (s *ses) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	if err != nil || s.down || r.URL.Path != "/v2/email/outbound-emails" {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"message":"down"}`) // the function's loss
		return
	}
	s.sent = append(s.sent, string(body))
	_, _ = io.WriteString(w, `{"MessageId":"0100"}`) // likewise
}

func (s *ses) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sent)
}

func (s *ses) fail(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// queued gives the items that the table's stream would bring the mailer, as
// records of it: those that the event source's filter lets through.
func queued(t *testing.T, w *lanyardtest.World) []json.RawMessage {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(`{"TableName":"`+w.Store.Name()+`","ConsistentRead":true}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810.Scan")
	res, err := w.Store.Engine.RoundTripper().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var page struct{ Items []map[string]json.RawMessage }
	if err := json.NewDecoder(res.Body).Decode(&page); err != nil || len(page.Items) == 0 {
		t.Fatalf("scan: %d items (%v)", len(page.Items), err)
	}
	var out []json.RawMessage
	for _, it := range page.Items {
		record := map[string]any{
			"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "awsRegion": "eu-central-1",
			"dynamodb": map[string]any{"Keys": map[string]any{"PK": it["PK"], "SK": it["SK"]}, "NewImage": it, "SequenceNumber": "111", "StreamViewType": "NEW_IMAGE"},
		}
		raw, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		if passes(t, raw) {
			out = append(out, raw)
		}
	}
	return out
}

// passes applies the event source's filter to a record, in the two forms that
// it uses: a list of values, and prefixes.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
func passes(t *testing.T, record []byte) bool {
	t.Helper()
	var inventory struct{ MailerFilter string }
	if err := json.Unmarshal(openapi.Inventory, &inventory); err != nil {
		t.Fatal(err)
	}
	var pattern, value any
	for raw, to := range map[string]*any{inventory.MailerFilter: &pattern, string(record): &value} {
		if err := json.Unmarshal([]byte(raw), to); err != nil {
			t.Fatal(err)
		}
	}
	var match func(pattern, value any) bool
	match = func(pattern, value any) bool {
		switch p := pattern.(type) {
		case map[string]any:
			v, ok := value.(map[string]any)
			for name, inner := range p {
				ok = ok && match(inner, v[name])
			}
			return ok
		case []any:
			text, _ := value.(string)
			return slices.ContainsFunc(p, func(one any) bool {
				if rule, ok := one.(map[string]any); ok {
					prefix, _ := rule["prefix"].(string)
					return prefix != "" && strings.HasPrefix(text, prefix)
				}
				return one == value
			})
		}
		return false
	}
	return match(pattern, value)
}

// TestMailerFunctionSendsWhatTheStreamBringsUnderItsPolicy follows a registration's and a
// forgotten password's mail through the built mailer to SES.
func TestMailerFunctionSendsWhatTheStreamBringsUnderItsPolicy(t *testing.T) {
	w := lanyardtest.Start(t)
	service := &ses{}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	env := append(restricted(t, w, environment(t, w), policytest.Policies(t)["mailer"]),
		"AWS_ENDPOINT_URL_SESV2="+server.URL, "LANYARD_MAIL_FROM=Lanyard <no-reply@example.com>")
	f := launch(t, "mailer", env)
	deliver := func() events.DynamoDBEventResponse {
		t.Helper()
		records := queued(t, w)
		if len(records) == 0 {
			t.Fatal("nothing is queued")
		}
		out, err := f.invoke(context.Background(), map[string]any{"Records": records})
		if err != nil {
			t.Fatal(err)
		}
		var answer events.DynamoDBEventResponse
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("answer %s: %v", out, err)
		}
		return answer
	}
	w.Client().Post("/api/auth/register", map[string]any{"email": "ann@example.com", "password": lanyardtest.Password}).Want(http.StatusCreated)
	for range 2 { // streams deliver at least once
		if a := deliver(); len(a.BatchItemFailures) != 0 {
			t.Errorf("failures %v\n%s", a, f.output)
		}
		if len(queued(t, w)) == 0 {
			break
		}
	}
	if n := service.count(); n != 1 {
		t.Fatalf("%d mails\n%s", n, f.output)
	}
	// A forgotten password leaves a task, which queues the mail.
	forget := func() {
		t.Helper()
		w.Client().Post("/api/auth/forgot-password", map[string]any{"email": "ann@example.com"}).Want(http.StatusAccepted)
		for range 3 {
			if len(queued(t, w)) > 0 {
				deliver()
			}
		}
	}
	forget()
	if n := service.count(); n != 2 {
		t.Errorf("%d mails after the second\n%s", n, f.output)
	}
	// What SES does not take is kept for later, through the schedule's sweep too.
	service.fail(true)
	forget()
	if _, err := f.invoke(context.Background(), map[string]any{}); err != nil {
		t.Fatalf("sweep: %v\n%s", err, f.output)
	}
	if n := service.count(); n != 2 || len(queued(t, w)) == 0 {
		t.Errorf("%d mails, %d items left\n%s", n, len(queued(t, w)), f.output)
	}
	if strings.Contains(f.output.String(), "AccessDenied") {
		t.Errorf("the policy refused something:\n%s", f.output)
	}
	for _, secret := range []string{"ann@example.com", "/api/auth/verify-email/"} {
		if strings.Contains(f.output.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, f.output)
		}
	}
}

// parameters stands in SSM's place at a port, with one parameter.
type parameters struct {
	mu      sync.Mutex
	value   string
	version int
}

// kept gives the parameter and how often it was written.
func (p *parameters) kept() (int, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version, p.value
}

func (p *parameters) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var in struct {
		Name, Value, Type string
		Overwrite         bool
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Name != "/lanyard/test/keys" {
		http.Error(w, "unexpected request", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	refuse := func(code string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code}) // the client's loss
	}
	switch target := r.Header.Get("X-Amz-Target"); {
	case target == "AmazonSSM.GetParameter" && p.version == 0:
		refuse("ParameterNotFound")
	case target == "AmazonSSM.GetParameter":
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]any{"Name": in.Name, "Value": p.value, "Version": p.version}}) // likewise
	case target == "AmazonSSM.PutParameter" && p.version > 0 && !in.Overwrite:
		refuse("ParameterAlreadyExists")
	case target == "AmazonSSM.PutParameter" && in.Type == "SecureString":
		p.value = in.Value
		p.version++
		_ = json.NewEncoder(w).Encode(map[string]any{"Version": p.version}) // likewise
	default:
		refuse("ValidationException")
	}
}

func TestKeyRotatorFunctionMakesTheRingThatOthersRead(t *testing.T) {
	w := lanyardtest.Start(t)
	store := &parameters{}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	env := append(environment(t, w), "LANYARD_KEYS=", "LANYARD_KEYS_SOURCE=ssm", "LANYARD_KEYS_NAME=/lanyard/test/keys", "AWS_ENDPOINT_URL_SSM="+server.URL)
	jwks, rotator := launch(t, "public-jwks", env), launch(t, "key-rotator", env)
	e, err := os.ReadFile(root + "/events/public-jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	if out := response(t, jwks, e); out.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without a ring: %d %s", out.StatusCode, out.Body)
	}
	for range 2 { // the second finds nothing to do
		if _, err := rotator.invoke(context.Background(), map[string]any{}); err != nil {
			t.Fatalf("%v\n%s", err, rotator.output)
		}
	}
	if version, _ := store.kept(); version != 1 {
		t.Errorf("the ring was written %d times", version)
	}
	var set struct{ Keys []map[string]any }
	out := response(t, launch(t, "public-jwks", env), e)
	if err := json.Unmarshal([]byte(out.Body), &set); err != nil || out.StatusCode != http.StatusOK || len(set.Keys) == 0 || set.Keys[0]["d"] != nil {
		t.Errorf("key set: %d %s", out.StatusCode, out.Body)
	}
	if _, ring := store.kept(); strings.Contains(rotator.output.String(), `"d"`) || strings.Contains(rotator.output.String(), ring) {
		t.Error("the rotator's log holds the ring")
	}
}

// maxZip is how large a function may be to stay quick to start.
const maxZip = 5 << 20

// zipped gives how large a binary is in a zip.
func zipped(t testing.TB, path string) int {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

// TestNoFunctionKeepsEveryMethod looks at large ones: a function that reaches a
// look-up of methods by name is half as large again. make check looks at every
// function, and make build-check prints how large each is.
func TestNoFunctionKeepsEveryMethod(t *testing.T) {
	for _, name := range []string{"mailer", "auth-verify-email", "auth-register"} {
		if n := zipped(t, binary(t, name)); n > maxZip {
			t.Errorf("%s is %d KB zipped, the most is %d", name, n>>10, maxZip>>10)
		}
	}
}
