package localdynamo_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
)

// fill puts n items in partitions of a hundred.
func fill(b *testing.B, e endpoint, n int) {
	b.Helper()
	for i := 0; i < n; i += 25 {
		body := `{"RequestItems":{"things":[`
		for j := range 25 {
			if j > 0 {
				body += ","
			}
			body += fmt.Sprintf(`{"PutRequest":{"Item":{"PK":{"S":"USER#%08d"},"SK":{"S":"SESSION#%02d"},"n":{"N":"0"},"email":{"S":"somebody@example.com"},"role":{"S":"member"}}}}`, (i+j)/100, (i+j)%100)
		}
		if got := e.send(b, "BatchWriteItem", body+`]}}`); got[0] == '!' {
			b.Fatal(got)
		}
	}
}

// latencies runs a benchmark's operation, reports its percentiles and returns
// the median.
func latencies(b *testing.B, run func(i int) error) time.Duration {
	b.Helper()
	took := make([]time.Duration, 0, b.N)
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if err := run(i); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	median := took[len(took)/2]
	b.ReportMetric(micro(median), "p50-µs")
	b.ReportMetric(micro(took[len(took)*99/100]), "p99-µs")
	return median
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// BenchmarkEngine measures operations through the SDK, in process, on 100,000
// items.
func BenchmarkEngine(b *testing.B) {
	const items = 100_000
	for _, mode := range []struct {
		name string
		opts localdynamo.Options
	}{{"memory", localdynamo.Options{}}, {"nosync", localdynamo.Options{Dir: b.TempDir(), NoSync: true}}, {"fsync", localdynamo.Options{Dir: b.TempDir()}}} {
		b.Run(mode.name, func(b *testing.B) {
			ctx := b.Context()
			if mode.name == "fsync" { // filled without, to be ready sooner
				db, err := localdynamo.Open(localdynamo.Options{Dir: mode.opts.Dir, NoSync: true})
				if err != nil {
					b.Fatal(err)
				}
				createTable(b, inProcess(db))
				fill(b, endpoint{db.RoundTripper(), "http://localhost"}, items)
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
			}
			db := open(b, mode.opts)
			c := inProcess(db)
			if mode.name != "fsync" {
				createTable(b, c)
				fill(b, endpoint{db.RoundTripper(), "http://localhost"}, items)
			}
			some := func(i int) (pk, sk string) {
				i = i * 7919 % items
				return fmt.Sprintf("USER#%08d", i/100), fmt.Sprintf("SESSION#%02d", i%100)
			}
			b.Run("GetItem", func(b *testing.B) {
				latencies(b, func(i int) error {
					_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(tableName), Key: key(some(i))})
					return err
				})
			})
			b.Run("UpdateItem", func(b *testing.B) {
				latencies(b, func(i int) error {
					_, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: aws.String(tableName), Key: key(some(i)),
						UpdateExpression: aws.String("SET n = n + :one"), ConditionExpression: aws.String("attribute_exists(PK) AND n >= :zero"),
						ExpressionAttributeValues: item{":one": num(1), ":zero": num(0)}})
					return err
				})
			})
			b.Run("Transact3", func(b *testing.B) {
				latencies(b, func(i int) error {
					pk, sk := some(i)
					put := key("AUDIT#"+pk, fmt.Sprint(i))
					_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
						{Update: &types.Update{TableName: aws.String(tableName), Key: key(pk, sk), UpdateExpression: aws.String("ADD n :one"), ExpressionAttributeValues: item{":one": num(1)}}},
						{Put: &types.Put{TableName: aws.String(tableName), Item: put}},
						{ConditionCheck: &types.ConditionCheck{TableName: aws.String(tableName), Key: key(pk, "none"), ConditionExpression: aws.String("attribute_not_exists(PK)")}}}})
					return err
				})
			})
			b.Run("Query10", func(b *testing.B) { latencies(b, func(i int) error { pk, _ := some(i); return queryTen(b, c, pk) }) })
		})
	}
}

func queryTen(b *testing.B, c *dynamodb.Client, pk string) error {
	out, err := c.Query(b.Context(), &dynamodb.QueryInput{TableName: aws.String(tableName), Limit: aws.Int32(10),
		KeyConditionExpression: aws.String("PK = :p AND begins_with(SK, :s)"), ExpressionAttributeValues: item{":p": str(pk), ":s": str("SESSION#")}})
	if err == nil && out.Count != 10 {
		err = fmt.Errorf("%s: %d items", pk, out.Count)
	}
	return err
}

// BenchmarkQueryBySize compares a Query in a table of a thousand items with the
// same in one of a million; the last benchmark reports how many times longer it
// takes in the larger, which should stay under two.
func BenchmarkQueryBySize(b *testing.B) {
	var small time.Duration
	for _, items := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(items), func(b *testing.B) {
			db := open(b, localdynamo.Options{TTLEvery: -1})
			c := inProcess(db)
			createTable(b, c)
			fill(b, endpoint{db.RoundTripper(), "http://localhost"}, items)
			median := latencies(b, func(i int) error { return queryTen(b, c, fmt.Sprintf("USER#%08d", i*7919%items/100)) })
			if small == 0 {
				small = median
			} else {
				b.ReportMetric(float64(median)/float64(small), "times-1000")
			}
		})
	}
}
