package localdynamo_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
)

func TestDataSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	db, err := localdynamo.Open(localdynamo.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := inProcess(db)
	createTable(t, c)
	putItem(t, c, item{"PK": str("p"), "SK": str("s"), "GPK": str("g")})
	transaction := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String("token"), TransactItems: []types.TransactWriteItem{{Update: add("n")}}}
	if _, err := c.TransactWriteItems(t.Context(), transaction); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
		t.Errorf("the schema is still in memory: %v", err)
	}
	if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(tableName), Item: key("a", "b")}); err == nil {
		t.Error("a closed engine took a write")
	}

	c = inProcess(open(t, localdynamo.Options{Dir: dir}))
	if getItem(t, c, key("p", "s")) == nil {
		t.Error("the item is gone")
	}
	// The retry of a transaction whose reply was lost in the crash does nothing.
	if _, err := c.TransactWriteItems(t.Context(), transaction); err != nil {
		t.Fatal(err)
	}
	if got := getItem(t, c, key("p", "n"))["n"].(*types.AttributeValueMemberN).Value; got != "1" {
		t.Errorf("the transaction was done %s times", got)
	}
}

// crashDir names the environment variable that makes this test binary the
// child of TestAnAcknowledgedWriteSurvivesKill: it writes until it is killed.
const crashDir = "LOCALDYNAMO_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := writeUntilKilled(dir, os.Getenv("LOCALDYNAMO_TEST_CRASH_ROUND")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// writeUntilKilled puts pairs of items in transactions, from several
// goroutines, and prints the key of each pair once it is acknowledged.
func writeUntilKilled(dir, round string) error {
	db, err := localdynamo.Open(localdynamo.Options{Dir: dir})
	if err != nil {
		return err
	}
	c := inProcess(db)
	failed := make(chan error)
	var printing sync.Mutex
	for worker := range 4 {
		go func() {
			for i := 0; ; i++ {
				pk := fmt.Sprintf("%s-%d-%d", round, worker, i)
				put := func(sk string) types.TransactWriteItem {
					it := key(pk, sk)
					it["GPK"] = str(pk)
					return types.TransactWriteItem{Put: &types.Put{TableName: aws.String(tableName), Item: it}}
				}
				_, err := c.TransactWriteItems(context.Background(), &dynamodb.TransactWriteItemsInput{
					TransactItems: []types.TransactWriteItem{put("a"), put("b")}})
				if err != nil {
					failed <- err
					return
				}
				printing.Lock()
				fmt.Println(pk)
				printing.Unlock()
			}
		}()
	}
	return <-failed
}

func TestAnAcknowledgedWriteSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	db, err := localdynamo.Open(localdynamo.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	createTable(t, inProcess(db))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	rounds := 50
	if testing.Short() {
		rounds = 5
	}
	acknowledged := map[string]bool{}
	for round := range rounds {
		for _, pk := range killChild(t, dir, round) {
			acknowledged[pk] = true
		}
	}
	c := inProcess(open(t, localdynamo.Options{Dir: dir}))
	items := map[string]int{}
	for _, index := range []*string{nil, aws.String("by-gpk")} {
		scan := dynamodb.NewScanPaginator(c, &dynamodb.ScanInput{TableName: aws.String(tableName), IndexName: index})
		for scan.HasMorePages() {
			page, err := scan.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range page.Items {
				items[it["PK"].(*types.AttributeValueMemberS).Value]++
			}
		}
	}
	// Both items of a transaction and both their index entries, or nothing.
	for pk, n := range items {
		if n != 4 {
			t.Errorf("%s: %d of 4 parts", pk, n)
		}
	}
	for pk := range acknowledged {
		if items[pk] == 0 {
			t.Errorf("%s was acknowledged and is gone", pk)
		}
	}
	t.Logf("%d acknowledged in %d lives, %d found", len(acknowledged), rounds, len(items))
	if len(acknowledged) < rounds {
		t.Error("the child wrote too little to prove anything")
	}
}

// killChild lets a child write, kills it at some moment after a few writes,
// and returns what it had acknowledged.
func killChild(t *testing.T, dir string, round int) []string {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprint("LOCALDYNAMO_TEST_CRASH_ROUND=", round))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == 4+round%7 {
			// Kill is SIGKILL: nothing in the child runs any more.
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || len(acknowledged) < 4 {
		t.Fatalf("the child was not killed: %v, %d acknowledged", err, len(acknowledged))
	}
	// The last line may have been cut short by the kill.
	return acknowledged[:len(acknowledged)-1]
}

func TestExpiredItemsGoAfterTheLag(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	db := open(t, localdynamo.Options{TTLEvery: -1, TTLLag: time.Hour, Now: func() time.Time { return now }})
	c := inProcess(db)
	createTable(t, c)
	at := func(sk string, when time.Time) {
		it := key("p", sk)
		it["ttl"] = &types.AttributeValueMemberN{Value: fmt.Sprint(when.Unix())}
		putItem(t, c, it)
	}
	at("old", now.Add(-2*time.Hour)) // there before TTL is switched on
	if _, err := c.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{TableName: aws.String(tableName),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)}}); err != nil {
		t.Fatal(err)
	}
	at("expired", now.Add(-2*time.Hour))
	at("extended", now.Add(-2*time.Hour))
	at("extended", now.Add(2*time.Hour))
	at("lagging", now.Add(-time.Minute))
	at("future", now.Add(time.Minute))
	at("ancient", now.Add(-6*365*24*time.Hour))
	putItem(t, c, item{"PK": str("p"), "SK": str("text"), "ttl": str("1")})
	if n, err := db.Sweep(t.Context()); err != nil || n != 2 {
		t.Errorf("deleted %d, %v, want 2", n, err)
	}
	now = now.Add(time.Hour)
	if n, err := db.Sweep(t.Context()); err != nil || n != 1 {
		t.Errorf("an hour later deleted %d, %v, want 1", n, err)
	}
	for sk, want := range map[string]bool{"old": false, "expired": false, "lagging": false, "extended": true, "future": true, "ancient": true, "text": true} {
		if got := getItem(t, c, key("p", sk)) != nil; got != want {
			t.Errorf("%s is there: %v", sk, got)
		}
	}
}

func TestATokenIsForgottenAfterTenMinutes(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	db := open(t, localdynamo.Options{TTLEvery: -1, Now: func() time.Time { return now }})
	c := inProcess(db)
	createTable(t, c)
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "1"}, {9 * time.Minute, "1"}, {2 * time.Minute, "2"}, {time.Hour, "3"}} {
		now = now.Add(step.after)
		if step.after == time.Hour {
			if _, err := db.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String("token"),
			TransactItems: []types.TransactWriteItem{{Update: add("n")}}}); err != nil {
			t.Fatal(err)
		}
		if got := getItem(t, c, key("p", "n"))["n"].(*types.AttributeValueMemberN).Value; got != step.want {
			t.Errorf("%v later: done %s times, want %s", step.after, got, step.want)
		}
	}
}

func TestOldTokensOfManyTransactionsAreForgotten(t *testing.T) {
	now, dir := time.Unix(1_800_000_000, 0), t.TempDir()
	db := open(t, localdynamo.Options{Dir: dir, NoSync: true, TTLEvery: -1, Now: func() time.Time { return now }})
	c := inProcess(db)
	createTable(t, c)
	run := func(n int) {
		t.Helper()
		for range n {
			if _, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String(rand.Text()),
				TransactItems: []types.TransactWriteItem{{Update: add("n")}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(450)
	now = now.Add(9 * time.Minute)
	run(3)
	now = now.Add(2 * time.Minute)
	if _, err := db.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := bbolt.Open(filepath.Join(dir, "dynamo.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.View(func(tx *bbolt.Tx) error {
		if n := tx.Bucket([]byte("tokens")).Stats().KeyN; n != 3 {
			t.Errorf("%d tokens are left, want 3", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestFaults(t *testing.T) {
	db := open(t, localdynamo.Options{})
	createTable(t, inProcess(db))
	for _, test := range []struct {
		kind  localdynamo.FaultKind
		code  string
		wrote bool
	}{
		{localdynamo.NoFault, "", true},
		{localdynamo.Throttled, "ProvisionedThroughputExceededException", false},
		{localdynamo.InternalFail, "InternalServerError", false},
		{localdynamo.Conflict, "TransactionConflictException", false},
		{localdynamo.LostReply, "", true},
		{localdynamo.Dropped, "", false},
	} {
		second := func(op string, n int) localdynamo.Fault {
			if op == "PutItem" && n == 2 {
				return localdynamo.Fault{Kind: test.kind, Latency: time.Millisecond}
			}
			return localdynamo.Fault{}
		}
		c := client(db.With(localdynamo.Mode{Fault: second}), "http://localhost")
		putItem(t, c, key("p", "first"))
		k := key("p", fmt.Sprint(test.kind))
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(tableName), Item: k})
		var api smithy.APIError
		if errors.As(err, &api) != (test.code != "") || test.code != "" && api.ErrorCode() != test.code || (err == nil) != (test.kind == localdynamo.NoFault) {
			t.Errorf("fault %d: %v", test.kind, err)
		}
		if wrote := getItem(t, c, k) != nil; wrote != test.wrote {
			t.Errorf("fault %d: wrote %v", test.kind, wrote)
		}
	}
	c := client(db.With(localdynamo.Mode{Fault: func(string, int) localdynamo.Fault { return localdynamo.Fault{Kind: localdynamo.Conflict} }}), "http://localhost")
	_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Update: add("n")}}})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || aws.ToString(cancelled.CancellationReasons[0].Code) != "TransactionConflict" {
		t.Errorf("transaction: %v", err)
	}
}

func TestAPolicyAllowsWhatItSays(t *testing.T) {
	db := open(t, localdynamo.Options{})
	all := inProcess(db)
	createTable(t, all)
	putItem(t, all, item{"PK": str("USER#1"), "SK": str("a"), "GPK": str("ORG#1")})
	c := client(db.With(localdynamo.Mode{Policy: &localdynamo.Policy{Statements: []localdynamo.Statement{
		{Actions: []string{"GetItem", "Query", "PutItem"}, LeadingKeys: []string{"USER#*", "A/?[x"}},
		{Actions: []string{"Describe*"}},
		{Actions: []string{"Query"}, LeadingKeys: []string{"FLEET#*"}, Index: "by-gpk"},
	}}}), "http://localhost")
	ctx, name := t.Context(), aws.String(tableName)
	tests := map[string]struct {
		call    func() error
		allowed bool
	}{
		"its own key": {func() error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: key("USER#1", "a")})
			return err
		}, true},
		"a slash": {func() error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: key("USER#a/b", "a")})
			return err
		}, true},
		"plain brackets": {func() error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: key("A/b[x", "a")})
			return err
		}, true},
		"another key": {func() error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: key("ORG#1", "a")})
			return err
		}, false},
		"another action": {func() error {
			_, err := c.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: name, Key: key("USER#1", "a")})
			return err
		}, false},
		"no key": {func() error { _, err := c.Scan(ctx, &dynamodb.ScanInput{TableName: name}); return err }, false},
		"a table action": {func() error {
			_, err := c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: name})
			return err
		}, true},
		"a table refused": {func() error { _, err := c.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: name}); return err }, false},
		"an index's key": {func() error {
			_, err := c.Query(ctx, &dynamodb.QueryInput{TableName: name, IndexName: aws.String("by-gpk"), KeyConditionExpression: aws.String("GPK = :g"), ExpressionAttributeValues: item{":g": str("ORG#1")}})
			return err
		}, false},
		"an index that a statement names": {func() error {
			_, err := c.Query(ctx, &dynamodb.QueryInput{TableName: name, IndexName: aws.String("by-gpk"), KeyConditionExpression: aws.String("GPK = :g"), ExpressionAttributeValues: item{":g": str("FLEET#1")}})
			return err
		}, true},
		"the table, where a statement names an index": {func() error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: key("FLEET#1", "a")})
			return err
		}, false},
		"an index, where a statement names the table": {func() error {
			_, err := c.Query(ctx, &dynamodb.QueryInput{TableName: name, IndexName: aws.String("by-gpk"), KeyConditionExpression: aws.String("GPK = :g"), ExpressionAttributeValues: item{":g": str("USER#1")}})
			return err
		}, false},
		"a transaction by its items": {func() error {
			_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: name, Item: key("USER#2", "a")}}}})
			return err
		}, true},
		"a transaction with one too many": {func() error {
			_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: name, Item: key("USER#2", "a")}}, {Update: add("n")}}})
			return err
		}, false},
	}
	for what, test := range tests {
		err := test.call()
		var api smithy.APIError
		refused := errors.As(err, &api) && api.ErrorCode() == "AccessDeniedException"
		if refused == test.allowed || test.allowed && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTheObserverSeesCallsAndTheirCost(t *testing.T) {
	db := open(t, localdynamo.Options{})
	createTable(t, inProcess(db))
	var seen []localdynamo.Call
	c := client(db.With(localdynamo.Mode{Observe: func(call localdynamo.Call) { seen = append(seen, call) }}), "http://localhost")
	putItem(t, c, item{"PK": str("p"), "SK": str("s"), "GPK": str("g")})
	getItem(t, c, key("p", "s"))
	if _, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Update: add("a")}, {Update: add("b")}}}); err != nil {
		t.Fatal(err)
	}
	_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("absent"), Item: key("p", "s")})
	if err == nil {
		t.Fatal("put into no table")
	}
	want := "[{PutItem [things] 2 } {GetItem [things] 1 } {TransactWriteItems [things] 4 } {PutItem [] 0 ResourceNotFoundException}]"
	if got := fmt.Sprint(seen); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestACancelledContextEndsTheCall(t *testing.T) {
	db := open(t, localdynamo.Options{})
	createTable(t, inProcess(db))
	slow := client(db.With(localdynamo.Mode{Fault: func(string, int) localdynamo.Fault { return localdynamo.Fault{Latency: time.Hour} }}), "http://localhost")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := slow.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(tableName), Key: key("p", "s")}); !errors.Is(err, context.Canceled) {
		t.Errorf("slow call: %v", err)
	}
	if _, err := inProcess(db).PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(tableName), Item: key("p", "s")}); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
}

// A batch of reads answers 16 MB and returns the other keys as a request for them.
func TestAWriteCancelledBeforeItsTurnDoesNotHappen(t *testing.T) {
	committing, proceed := make(chan struct{}, 1), make(chan struct{})
	now := func() time.Time { // is asked for inside the commit of a transaction with a token
		select {
		case committing <- struct{}{}:
			<-proceed
		default:
		}
		return time.Unix(1_800_000_000, 0)
	}
	committing <- struct{}{}
	db := open(t, localdynamo.Options{TTLEvery: -1, Now: now})
	c := inProcess(db)
	createTable(t, c)
	<-committing
	first := make(chan error)
	go func() {
		_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String("token"),
			TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: aws.String(tableName), Item: key("first", "x")}}}})
		first <- err
	}()
	for len(committing) == 0 {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	reached := make(chan struct{})
	behind := client(db.With(localdynamo.Mode{Fault: func(string, int) localdynamo.Fault {
		close(reached)
		return localdynamo.Fault{}
	}}), "http://localhost")
	cancelled := make(chan error)
	go func() {
		_, err := behind.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(tableName), Item: key("cancelled", "x")})
		cancelled <- err
	}()
	<-reached
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Fatalf("the write that waits: %v", err)
	}
	close(proceed)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	putItem(t, c, key("last", "x"))
	if getItem(t, c, key("first", "x")) == nil || getItem(t, c, key("cancelled", "x")) != nil {
		t.Fatal("of two writes, the one cancelled before its turn was done or the other was not")
	}
}

func TestALargeBatchIsAnsweredInParts(t *testing.T) {
	db := newEndpoint(t)
	replay(t, db, "testdata/conformance/fixture.txt")
	large := strings.Repeat("x", 399<<10)
	const items = 50
	keys := make([]string, items)
	for i := range keys {
		keys[i] = fmt.Sprintf(`{"pk":{"S":"%d"}}`, i)
		if got := db.send(t, "PutItem", fmt.Sprintf(`{"TableName":"Hash","Item":{"pk":{"S":"%d"},"a":{"S":%q}}}`, i, large)); got != "{}" {
			t.Fatal(got)
		}
	}
	request := `{"Hash":{"Keys":[` + strings.Join(keys, ",") + `],"ConsistentRead":true,"ProjectionExpression":"#p","ExpressionAttributeNames":{"#p":"pk"}}}`
	found := map[string]bool{}
	for range 2 {
		var page struct {
			Responses struct {
				Hash []map[string]map[string]string
			}
			UnprocessedKeys json.RawMessage
		}
		if err := json.Unmarshal([]byte(db.send(t, "BatchGetItem", `{"RequestItems":`+request+`}`)), &page); err != nil {
			t.Fatal(err)
		}
		for _, it := range page.Responses.Hash {
			if len(it) != 1 {
				t.Errorf("the projection was lost: %d attributes", len(it))
			}
			found[it["pk"]["S"]] = true
		}
		request = string(page.UnprocessedKeys)
		if more := len(found) < items; more != strings.Contains(request, `"ProjectionExpression":"#p"`) || more && len(found) != 42 {
			t.Fatalf("%d items, then %s", len(found), request)
		}
	}
	if len(found) != items {
		t.Errorf("%d items of %d", len(found), items)
	}
}

func TestProtocolErrors(t *testing.T) {
	server := httptest.NewServer(open(t, localdynamo.Options{}))
	defer server.Close()
	signed := map[string]string{"Authorization": "AWS4-HMAC-SHA256 …", "X-Amz-Target": "DynamoDB_20120810.ListTables"}
	for name, test := range map[string]struct {
		method  string
		headers map[string]string
		body    string
		status  int
		want    string
	}{
		"health":            {http.MethodGet, nil, "", 200, "healthy: dynamodb"},
		"unsigned":          {http.MethodPost, nil, "{}", 400, "com.amazon.coral.service#MissingAuthenticationTokenException"},
		"no operation":      {http.MethodPost, map[string]string{"Authorization": "x"}, "{}", 400, "com.amazon.coral.service#UnknownOperationException"},
		"unknown operation": {http.MethodPost, map[string]string{"Authorization": "x", "X-Amz-Target": "DynamoDB_20120810.ExecuteStatement"}, "{}", 400, "com.amazon.coral.service#UnknownOperationException"},
		"another version":   {http.MethodPost, map[string]string{"Authorization": "x", "X-Amz-Target": "DynamoDB_20111205.ListTables"}, "{}", 400, "com.amazon.coral.service#UnknownOperationException"},
		"malformed":         {http.MethodPost, signed, "{", 400, "com.amazon.coral.service#SerializationException"},
		"empty":             {http.MethodPost, signed, "", 400, "com.amazon.coral.service#SerializationException"},
		"wrong type":        {http.MethodPost, signed, `{"Limit":"1"}`, 400, "STRING_VALUE cannot be converted to Integer"},
		"wrong structure":   {http.MethodPost, signed, `{"ExclusiveStartTableName":["1"]}`, 400, "Unrecognized collection type class java.lang.String"},
		"null":              {http.MethodPost, signed, `{"Limit":null}`, 200, `{"TableNames":[]}`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, server.URL, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range test.headers {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != test.status || !strings.Contains(string(body), test.want) || res.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
}

// FuzzRequests feeds the decoder and all operations with any JSON: they answer,
// and never with an internal error.
func FuzzRequests(f *testing.F) {
	files, err := os.ReadDir("testdata/conformance")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile("testdata/conformance/" + file.Name())
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if op, body, ok := strings.Cut(strings.TrimLeft(strings.TrimSpace(line), ">~ "), " "); ok && strings.HasPrefix(line, ">") && len(line) < 2000 {
				f.Add(op, body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, op, body string) {
		db := open(t, localdynamo.Options{TTLEvery: -1})
		db0 := endpoint{db.RoundTripper(), "http://localhost"}
		replay(t, db0, "testdata/conformance/fixture.txt")
		if got := db0.send(t, op, body); strings.HasPrefix(got, "!InternalServerError") {
			t.Errorf("%s %s: %s", op, body, got)
		}
	})
}
