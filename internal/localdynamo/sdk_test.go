package localdynamo_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/guregu/dynamo/v2"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
)

func open(t testing.TB, o localdynamo.Options) *localdynamo.Engine {
	t.Helper()
	db, err := localdynamo.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// client is an SDK client that does not retry, so that tests see every error.
func client(transport http.RoundTripper, endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{Region: "local", BaseEndpoint: aws.String(endpoint), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""), RetryMaxAttempts: 1})
}

func inProcess(db *localdynamo.Engine) *dynamodb.Client {
	return client(db.RoundTripper(), "http://localhost")
}

const tableName = "things"

// createTable makes a table with keys PK and SK, both strings, and an index by GPK.
func createTable(t testing.TB, c *dynamodb.Client) {
	t.Helper()
	_, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: aws.String(tableName), BillingMode: types.BillingModePayPerRequest,
		KeySchema: keySchema("PK", "SK"),
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("PK"), AttributeType: "S"},
			{AttributeName: aws.String("SK"), AttributeType: "S"}, {AttributeName: aws.String("GPK"), AttributeType: "S"}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{IndexName: aws.String("by-gpk"), KeySchema: keySchema("GPK", "SK"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll}}}})
	if err != nil {
		t.Fatal(err)
	}
}

func keySchema(hash, rng string) []types.KeySchemaElement {
	return []types.KeySchemaElement{{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash}, {AttributeName: aws.String(rng), KeyType: types.KeyTypeRange}}
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(n int) types.AttributeValue    { return &types.AttributeValueMemberN{Value: strconv.Itoa(n)} }

type item = map[string]types.AttributeValue

func key(pk, sk string) item { return item{"PK": str(pk), "SK": str(sk)} }

func putItem(t testing.TB, c *dynamodb.Client, it item) {
	t.Helper()
	if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(tableName), Item: it}); err != nil {
		t.Fatal(err)
	}
}

func getItem(t testing.TB, c *dynamodb.Client, k item) item {
	t.Helper()
	out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(tableName), Key: k, ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

func TestWaitersAndPaginatorsOfTheSDK(t *testing.T) {
	server := httptest.NewServer(open(t, localdynamo.Options{}))
	defer server.Close()
	c := client(http.DefaultTransport, server.URL)
	createTable(t, c)
	describe := &dynamodb.DescribeTableInput{TableName: aws.String(tableName)}
	if err := dynamodb.NewTableExistsWaiter(c).Wait(t.Context(), describe, time.Second); err != nil {
		t.Fatal(err)
	}
	for i := range 25 {
		putItem(t, c, item{"PK": str("p"), "SK": str(fmt.Sprintf("%02d", i)), "GPK": str("g")})
	}
	pages, found := 0, 0
	query := dynamodb.NewQueryPaginator(c, &dynamodb.QueryInput{TableName: aws.String(tableName), IndexName: aws.String("by-gpk"), Limit: aws.Int32(10),
		KeyConditionExpression: aws.String("GPK = :g"), ExpressionAttributeValues: item{":g": str("g")}})
	for query.HasMorePages() {
		page, err := query.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages++
		found += len(page.Items)
	}
	if pages != 3 || found != 25 {
		t.Errorf("%d pages with %d items, want 3 with 25", pages, found)
	}
	if _, err := c.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String(tableName)}); err != nil {
		t.Fatal(err)
	}
	if err := dynamodb.NewTableNotExistsWaiter(c).Wait(t.Context(), describe, time.Second); err != nil {
		t.Fatal(err)
	}
}

func TestSegmentsOfAScanAreTheWholeTableOnce(t *testing.T) {
	c := inProcess(open(t, localdynamo.Options{}))
	createTable(t, c)
	for i := range 200 {
		putItem(t, c, key(fmt.Sprint("p", i), "s"))
	}
	for _, segments := range []int32{1, 3, 16} {
		seen, largest := map[string]int{}, 0
		for s := range segments {
			scan := dynamodb.NewScanPaginator(c, &dynamodb.ScanInput{TableName: aws.String(tableName), Segment: aws.Int32(s), TotalSegments: aws.Int32(segments), Limit: aws.Int32(7)})
			n := 0
			for scan.HasMorePages() {
				page, err := scan.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, it := range page.Items {
					seen[it["PK"].(*types.AttributeValueMemberS).Value]++
					n++
				}
			}
			largest = max(largest, n)
		}
		for pk, n := range seen {
			if n != 1 {
				t.Errorf("%d segments: %s seen %d times", segments, pk, n)
			}
		}
		if len(seen) != 200 || largest > 3*200/int(segments) {
			t.Errorf("%d segments: %d items, the largest has %d", segments, len(seen), largest)
		}
	}
}

func TestAnIndexAddedLaterIsFilledAndKept(t *testing.T) {
	c := inProcess(open(t, localdynamo.Options{}))
	createTable(t, c)
	putItem(t, c, item{"PK": str("p"), "SK": str("1"), "kind": str("k"), "n": num(1)})
	update := func(u types.GlobalSecondaryIndexUpdate) {
		t.Helper()
		if _, err := c.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: aws.String(tableName), GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{u},
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("kind"), AttributeType: "S"}}}); err != nil {
			t.Fatal(err)
		}
	}
	update(types.GlobalSecondaryIndexUpdate{Create: &types.CreateGlobalSecondaryIndexAction{IndexName: aws.String("by-kind"), KeySchema: keySchema("kind", "SK"),
		Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}}})
	putItem(t, c, item{"PK": str("p"), "SK": str("2"), "kind": str("k"), "n": num(1)})
	query := &dynamodb.QueryInput{TableName: aws.String(tableName), IndexName: aws.String("by-kind"),
		KeyConditionExpression: aws.String("kind = :k"), ExpressionAttributeValues: item{":k": str("k")}}
	out, err := c.Query(t.Context(), query)
	if err != nil || out.Count != 2 || len(out.Items[0]) != 3 {
		t.Fatalf("%v, %v, want two items of three attributes", out, err)
	}
	update(types.GlobalSecondaryIndexUpdate{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: aws.String("by-kind")}})
	if _, err := c.Query(t.Context(), query); err == nil {
		t.Error("the deleted index still answers")
	}
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	c := inProcess(open(t, localdynamo.Options{}))
	createTable(t, c)
	const workers, each = 8, 25
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
					{Update: add("a")}, {Update: add("b")}}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, sk := range []string{"a", "b"} {
		if got := getItem(t, c, key("p", sk))["n"].(*types.AttributeValueMemberN).Value; got != strconv.Itoa(workers*each) {
			t.Errorf("%s = %s, want %d", sk, got, workers*each)
		}
	}
}

func add(sk string) *types.Update {
	return &types.Update{TableName: aws.String(tableName), Key: key("p", sk), UpdateExpression: aws.String("ADD n :one"),
		ExpressionAttributeValues: item{":one": num(1)}}
}

func TestOneOfManyConditionalPutsWins(t *testing.T) {
	c := inProcess(open(t, localdynamo.Options{}))
	createTable(t, c)
	var wg sync.WaitGroup
	wins := make(chan int, 20)
	for i := range 20 {
		wg.Go(func() {
			it := key("p", "claim")
			it["owner"] = num(i)
			_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(tableName), Item: it, ConditionExpression: aws.String("attribute_not_exists(PK)")})
			var failed *types.ConditionalCheckFailedException
			if err == nil {
				wins <- i
			} else if !errors.As(err, &failed) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(wins) != 1 {
		t.Fatalf("%d won, want 1", len(wins))
	}
	if got := getItem(t, c, key("p", "claim"))["owner"].(*types.AttributeValueMemberN).Value; got != strconv.Itoa(<-wins) {
		t.Errorf("the item is that of %s", got)
	}
}

// The features of guregu/dynamo that the application's stores use.
func TestGureguDynamo(t *testing.T) {
	c := inProcess(open(t, localdynamo.Options{}))
	createTable(t, c)
	type thing struct {
		PK, SK string
		GPK    string `dynamo:",omitempty"`
		N      int
		At     time.Time `dynamo:",unixtime"`
	}
	ctx, table := t.Context(), dynamo.NewFromIface(c).Table(tableName)
	now := time.Unix(1_800_000_000, 0).UTC()
	for i := range 12 {
		if err := table.Put(thing{PK: "p", SK: fmt.Sprintf("%02d", i), GPK: "g", N: i, At: now}).Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var one thing
	if err := table.Get("PK", "p").Range("SK", dynamo.Equal, "03").Consistent(true).One(ctx, &one); err != nil || one.N != 3 || !one.At.Equal(now) {
		t.Fatalf("get: %+v, %v", one, err)
	}
	if err := table.Get("PK", "p").Range("SK", dynamo.Equal, "none").One(ctx, &one); !errors.Is(err, dynamo.ErrNotFound) {
		t.Errorf("get of none: %v", err)
	}
	var page []thing
	from, err := table.Get("PK", "p").Range("SK", dynamo.GreaterOrEqual, "02").Limit(4).AllWithLastEvaluatedKey(ctx, &page)
	if err != nil || len(page) != 4 || page[3].SK != "05" || from == nil {
		t.Fatalf("first page: %+v, %v, %v", page, from, err)
	}
	page = nil
	if _, err := table.Get("PK", "p").Range("SK", dynamo.GreaterOrEqual, "02").StartFrom(from).AllWithLastEvaluatedKey(ctx, &page); err != nil || len(page) != 6 || page[0].SK != "06" {
		t.Fatalf("second page: %+v, %v", page, err)
	}
	page = nil
	if err := table.Get("GPK", "g").Index("by-gpk").Filter("N > ?", 8).Order(dynamo.Descending).All(ctx, &page); err != nil || len(page) != 3 || page[0].N != 11 {
		t.Fatalf("index: %+v, %v", page, err)
	}
	page = nil
	if err := table.Batch("PK", "SK").Get(dynamo.Keys{"p", "01"}, dynamo.Keys{"p", "02"}, dynamo.Keys{"p", "none"}).All(ctx, &page); err != nil || len(page) != 2 {
		t.Fatalf("batch get: %+v, %v", page, err)
	}
	var updated thing
	if err := table.Update("PK", "p").Range("SK", "03").Set("N", 30).If("N = ?", 3).Value(ctx, &updated); err != nil || updated.N != 30 {
		t.Fatalf("update: %+v, %v", updated, err)
	}
	if err := table.Update("PK", "p").Range("SK", "03").Set("N", 31).If("N = ?", 3).Run(ctx); !dynamo.IsCondCheckFailed(err) {
		t.Errorf("conditional update: %v", err)
	}
	db := dynamo.NewFromIface(c)
	tx := db.WriteTx().Idempotent(true).Put(table.Put(thing{PK: "q", SK: "1"}).If("attribute_not_exists(PK)")).
		Update(table.Update("PK", "p").Range("SK", "04").Add("N", 5)).Delete(table.Delete("PK", "p").Range("SK", "05")).
		Check(table.Check("PK", "p").Range("SK", "06").IfExists())
	if err := tx.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.WriteTx().Put(table.Put(thing{PK: "q", SK: "1"}).If("attribute_not_exists(PK)")).Run(ctx); !dynamo.IsCondCheckFailed(err) {
		t.Errorf("transaction: %v", err)
	}
	if wrote, err := table.Batch("PK", "SK").Write().Delete(dynamo.Keys{"p", "07"}, dynamo.Keys{"p", "08"}).Run(ctx); err != nil || wrote != 2 {
		t.Errorf("batch write: %d, %v", wrote, err)
	}
	page = nil
	if err := table.Scan().Filter("begins_with(PK, ?)", "p").All(ctx, &page); err != nil || len(page) != 9 {
		t.Errorf("scan: %d, %v", len(page), err)
	}
}
