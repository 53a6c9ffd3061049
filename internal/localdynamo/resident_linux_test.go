package localdynamo_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
)

// mapped gives how much of the mapping of a file is in this process's memory
// (proc_pid_smaps(5)).
func mapped(t *testing.T, file string) (megabytes int) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found, inside := false, false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if name, _, _ := strings.Cut(line, " "); !strings.HasSuffix(name, ":") {
			inside = strings.HasSuffix(line, " "+file)
			found = found || inside
			continue
		}
		var kilobytes int
		if _, err := fmt.Sscanf(line, "Rss: %d kB", &kilobytes); inside && err == nil {
			megabytes += kilobytes >> 10
		}
	}
	if !found {
		t.Fatalf("%s is not mapped", file)
	}
	return megabytes
}

func TestAStoreBeingFilledOrOpenedStaysOutOfMemory(t *testing.T) {
	const items, each = 16_000, 2_000 // 32 MB and more in the file
	const bound = 16                  // MB of it in memory at once
	dir := t.TempDir()
	open := func(dir string) (*localdynamo.Engine, endpoint, func(string)) {
		t.Helper()
		db, err := localdynamo.Open(localdynamo.Options{Dir: dir, NoSync: true, LeanMemory: true, TTLEvery: -1})
		if err != nil {
			t.Fatal(err)
		}
		return db, endpoint{db.RoundTripper(), "http://localhost"}, func(when string) {
			t.Helper()
			if got := mapped(t, filepath.Join(dir, "dynamo.db")); got > bound {
				t.Fatalf("%s: %d MB of the file are in memory", when, got)
			}
		}
	}
	db, e, look := open(dir)
	createTable(t, inProcess(db))
	order := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // ids have no order, as those of an import
	for i := 0; i < items; i += 25 {
		var puts []string
		for range 25 {
			puts = append(puts, fmt.Sprintf(`{"PutRequest":{"Item":{"PK":{"S":"USER#%016x"},"SK":{"S":"X"},"v":{"S":"%s"}}}}`, order.Uint64(), strings.Repeat("v", each)))
		}
		if got := e.send(t, "BatchWriteItem", `{"RequestItems":{"things":[`+strings.Join(puts, ",")+`]}}`); got[0] == '!' {
			t.Fatal(got)
		}
		if i%1000 == 0 {
			look(fmt.Sprintf("after %d items", i+25))
		}
	}
	file := filepath.Join(dir, "dynamo.db")
	if st, err := os.Stat(file); err != nil || st.Size() < 2*bound<<20 {
		t.Fatalf("the file is too small to tell: %v %v", st.Size(), err)
	}
	// The file as a killed process would leave it.
	killed := t.TempDir()
	raw, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(filepath.Join(killed, "dynamo.db"), raw, 0o600)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	for what, dir := range map[string]string{"closed": dir, "killed": killed} {
		db, e, look := open(dir)
		look("opened after it was " + what)
		if got := e.send(t, "PutItem", `{"TableName":"things","Item":{"PK":{"S":"USER#1"},"SK":{"S":"X"}}}`); got[0] == '!' {
			t.Fatal(got)
		}
		if got := e.send(t, "Scan", `{"TableName":"things","Limit":1000}`); !strings.Contains(got, `"Count":`) {
			t.Fatal(got[:min(len(got), 200)])
		}
		look("read after it was " + what)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
