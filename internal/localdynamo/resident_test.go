package localdynamo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
)

func TestWhatIsLetGoFromMemoryIsStillThere(t *testing.T) {
	dir := t.TempDir()
	for round := range 2 {
		db, err := localdynamo.Open(localdynamo.Options{Dir: dir, NoSync: true, LeanMemory: true, TTLEvery: -1})
		if err != nil {
			t.Fatal(err)
		}
		c := inProcess(db)
		if round == 0 {
			createTable(t, c)
		}
		e := endpoint{db.RoundTripper(), "http://localhost"}
		for i := range 200 {
			pk := fmt.Sprintf("A#%03d", i)
			if round == 0 {
				if got := e.send(t, "PutItem", fmt.Sprintf(`{"TableName":"things","Item":{"PK":{"S":"%s"},"SK":{"S":"X"},"n":{"N":"%d"}}}`, pk, i)); got[0] == '!' {
					t.Fatal(got)
				}
			}
			want := fmt.Sprintf(`"n":{"N":"%d"}`, i)
			if got := e.send(t, "GetItem", fmt.Sprintf(`{"TableName":"things","Key":{"PK":{"S":"%s"},"SK":{"S":"X"}}}`, pk)); !strings.Contains(got, want) {
				t.Fatalf("%s, want %s", got, want)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
