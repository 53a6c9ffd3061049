package export_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/export"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// filled is a store with something of everything in it, made through the API.
func filled(t *testing.T) *lanyardtest.World {
	t.Helper()
	w := lanyardtest.Start(t)
	ada, bob := w.Registered("ada@example.com"), w.Registered("bob@example.com")
	org := ada.Post("/api/organizations", map[string]any{"name": "Coastal Marine"}).Want(http.StatusCreated).Text("id")
	boat := ada.Post("/api/organizations/"+org+"/entities", map[string]any{"type": "boat", "name": "Aurora",
		"attributes": map[string]any{"length": 12.5, "hull": "GB-1\u2028\"<&>", "afloat": true}}).Want(http.StatusCreated).Text("id")
	ada.Post("/api/entities/"+boat+"/documents", map[string]any{"title": "Log", "content": "\x00 first line\n"}).Want(http.StatusCreated)
	ada.Post("/api/organizations/"+org+"/invitations", map[string]any{"email": "carol@example.com", "role": "viewer"}).Want(http.StatusCreated)
	bob.Post("/api/auth/forgot-password", map[string]any{"email": "bob@example.com"})
	w.Settle()
	return w
}

func exported(t *testing.T, s *table.Table, now func() time.Time, secrets bool, memory int) []byte {
	t.Helper()
	var out bytes.Buffer
	_, err := export.Write(t.Context(), s, &out, export.Options{Secrets: secrets, Now: now, Memory: memory, TempDir: t.TempDir(), Ring: []byte("{\n \"version\": 1}")})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestExportImportExportGivesTheSameBytes(t *testing.T) {
	w := filled(t)
	for _, secrets := range []bool{true, false} {
		t.Run(fmt.Sprintf("secrets %t", secrets), func(t *testing.T) {
			first := exported(t, w.Store.Table, w.Clock.Now, secrets, 0)
			other := dynamotest.New(t)
			if err := other.Write(t.Context(), table.Put(thing{Key: table.SchemaVersion()})); err != nil {
				t.Fatal(err)
			}
			sum, err := export.Restore(t.Context(), other.Table, bytes.NewReader(first), export.RestoreOptions{Now: w.Clock.Now})
			if err != nil {
				t.Fatal(err)
			}
			if secrets != (string(sum.Keys) == `{"version":1}`) {
				t.Errorf("key ring %q", sum.Keys)
			}
			second := exported(t, other.Table, w.Clock.Now, secrets, 0)
			if !bytes.Equal(first, second) {
				t.Errorf("the second export differs:\n%s\n%s", first, second)
			}
			if sum.Items < 15 && secrets {
				t.Errorf("only %d items", sum.Items)
			}
		})
	}
}

func TestAnExportIsInOrderHoweverLittleMemoryItSorts(t *testing.T) {
	w := filled(t)
	whole, spilled := exported(t, w.Store.Table, w.Clock.Now, true, 0), exported(t, w.Store.Table, w.Clock.Now, true, 1024)
	if !bytes.Equal(whole, spilled) {
		t.Error("sorting on disk gives another file")
	}
}

func TestSecretsLeaveOnlyWhenAskedFor(t *testing.T) {
	w := filled(t)
	with, without := string(exported(t, w.Store.Table, w.Clock.Now, true, 0)), string(exported(t, w.Store.Table, w.Clock.Now, false, 0))
	for _, secret := range []string{"CREDENTIAL#PASSWORD", "resetHash", `"SESSION#`, `"MAILBOX"`, `"keys"`, `"hash":{"S"`} {
		if !strings.Contains(with, secret) {
			t.Errorf("the whole export has no %s: this test shows nothing", secret)
		}
		if strings.Contains(without, secret) {
			t.Errorf("%s is in an export without secrets", secret)
		}
	}
	if strings.Count(without, `"needsPassword":{"BOOL":true}`) != 2 {
		t.Error("users whose password was left out are not marked")
	}
	if !strings.Contains(without, "ada@example.com") || !strings.Contains(without, "first line") {
		t.Error("more than secrets was left out")
	}
}

func TestWhatTheTableMayDeleteIsLeftOut(t *testing.T) {
	s := dynamotest.New(t)
	now := time.Now()
	for i, at := range []time.Time{now.Add(-time.Second), now.Add(time.Hour)} {
		it := thing{Key: table.Key{PK: fmt.Sprintf("X#%d", i), SK: "META"}, TTL: table.TTL(at)}
		if err := s.Write(t.Context(), table.Put(it)); err != nil {
			t.Fatal(err)
		}
	}
	out := string(exported(t, s.Table, func() time.Time { return now }, true, 0))
	if strings.Contains(out, "X#0") || !strings.Contains(out, "X#1") {
		t.Errorf("exported %s", out)
	}
}

type thing struct {
	table.Key
	Numbers []int64           `dynamo:"numbers,set,omitempty"`
	Blobs   [][]byte          `dynamo:"blobs,set,omitempty"`
	Blob    []byte            `dynamo:"blob,omitempty"`
	Names   []string          `dynamo:"names,set,omitempty"`
	List    []any             `dynamo:"list,omitempty"`
	Map     map[string]string `dynamo:"map,omitempty"`
	Null    *string           `dynamo:"null,null"`
	TTL     int64             `dynamo:"ttl,omitempty"`
}

func TestEveryKindOfValueSurvives(t *testing.T) {
	a, b := dynamotest.New(t), dynamotest.New(t)
	it := thing{Key: table.Key{PK: "X#1", SK: "META"}, Numbers: []int64{3, -1, 20}, Blobs: [][]byte{{2}, {1, 0}}, Blob: []byte{0, 255},
		Names: []string{"b", "a"}, List: []any{"x", 1.5, true, []any{"y"}}, Map: map[string]string{"k": "v", "a": ""}}
	if err := a.Write(t.Context(), table.Put(it)); err != nil {
		t.Fatal(err)
	}
	first := exported(t, a.Table, time.Now, true, 0)
	if _, err := export.Restore(t.Context(), b.Table, bytes.NewReader(first), export.RestoreOptions{Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	if second := exported(t, b.Table, time.Now, true, 0); !bytes.Equal(first, second) {
		t.Errorf("\n%s\n%s", first, second)
	}
	for _, want := range []string{`"numbers":{"NS":["-1","20","3"]}`, `"names":{"SS":["a","b"]}`, `"blob":{"B":"AP8="}`, `"null":{"NULL":true}`, `{"L":[{"S":"y"}]}`, `"blobs":{"BS":["AQA=","Ag=="]}`} {
		if !strings.Contains(string(first), want) {
			t.Errorf("no %s in %s", want, first)
		}
	}
}

func TestADamagedFileRestoresNothing(t *testing.T) {
	w := filled(t)
	whole := exported(t, w.Store.Table, w.Clock.Now, true, 0)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	join := func(l ...[]byte) []byte { return bytes.Join(l, nil) }
	rest := func(from int) []byte { return join(lines[from:]...) }
	s := dynamotest.New(t)
	for name, bad := range map[string][]byte{
		"empty":              {},
		"cut off":            whole[:len(whole)/2],
		"without its end":    join(lines[:len(lines)-2]...),
		"a line left out":    join(join(lines[:3]...), rest(4)),
		"lines swapped":      join(lines[0], lines[1], lines[3], lines[2], rest(4)),
		"a byte changed":     bytes.Replace(whole, []byte("ada@example.com"), []byte("eve@example.com"), 1),
		"something after it": append(bytes.Clone(whole), "{}\n"...),
		"another format":     []byte(`{"lanyard":"export","version":2,"secrets":true}` + "\n"),
		"another file":       []byte(`{"users":[]}` + "\n"),
		"unknown line":       join(lines[0], []byte("{\"x\":1}\n"), rest(1)),
		"no key":             join(lines[0], lines[1], []byte(`{"item":{"PK":{"S":"A"}}}`+"\n"), rest(2)),
		"unknown value":      join(lines[0], lines[1], []byte(`{"item":{"PK":{"S":"A"},"SK":{"S":"B"},"x":{"Q":"1"}}}`+"\n"), rest(2)),
		"empty value":        join(lines[0], lines[1], []byte(`{"item":{"PK":{"S":"A"},"SK":{"S":"B"},"x":{}}}`+"\n"), rest(2)),
		"no JSON":            join(lines[0], []byte("item\n"), rest(1)),
	} {
		t.Run(name, func(t *testing.T) {
			s.Transport.Reset()
			if _, err := export.Restore(t.Context(), s.Table, bytes.NewReader(bad), export.RestoreOptions{Now: time.Now}); err == nil {
				t.Error("restored")
			}
			if n := s.Transport.Calls(); n != 0 {
				t.Errorf("%d requests were made", n)
			}
		})
	}
}

func TestARestoreReplacesNothing(t *testing.T) {
	w := filled(t)
	file := exported(t, w.Store.Table, w.Clock.Now, true, 0)
	_, err := export.Restore(t.Context(), w.Store.Table, bytes.NewReader(file), export.RestoreOptions{Now: w.Clock.Now})
	if !errors.Is(err, export.ErrNotEmpty) {
		t.Fatalf("restored over a table in use: %v", err)
	}
	if again := exported(t, w.Store.Table, w.Clock.Now, true, 0); !bytes.Equal(file, again) {
		t.Error("the refused restore changed the table")
	}
}

// many is an export of so many items.
func many(t *testing.T, n int) []byte {
	t.Helper()
	s := dynamotest.New(t)
	var records []table.Record
	for i := range n {
		r, err := table.ParseRecord(fmt.Appendf(nil, `{"PK":{"S":"USER#%06d"},"SK":{"S":"PROFILE"},"n":{"N":"%d"}}`, i, i))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	if err := s.PutAll(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	return exported(t, s.Table, time.Now, true, 64<<10)
}

func TestAnInterruptedRestoreGoesOn(t *testing.T) {
	file := many(t, 1000)
	for _, cut := range []int{0, 2, 3, 17, 35, 36, 40} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			s := dynamotest.NewWith(t, engineOptions(), table.Options{MaxAttempts: 1})
			s.Transport.Intercept(cutAfter(cut))
			_, err := export.Restore(t.Context(), s.Table, bytes.NewReader(file), export.RestoreOptions{Now: time.Now})
			if err == nil {
				t.Fatal("not interrupted")
			}
			s.Transport.Intercept(nil)
			var paced int
			o := export.RestoreOptions{Now: time.Now, Pace: func(context.Context, int) error { paced++; return nil }, Progress: func(int64) {}}
			if _, err := export.Restore(t.Context(), s.Table, bytes.NewReader(file), o); err != nil {
				t.Fatal(err)
			}
			if again := exported(t, s.Table, time.Now, true, 0); !bytes.Equal(file, again) {
				t.Error("the table is not that of the file")
			}
			if cut >= 40 && paced > 1 {
				t.Errorf("it began from the beginning: %d rounds", paced)
			}
		})
	}
}

func TestAnInterruptedRestoreGoesOnWithItsOwnFileOnly(t *testing.T) {
	s := dynamotest.NewWith(t, engineOptions(), table.Options{MaxAttempts: 1})
	s.Transport.Intercept(cutAfter(8))
	if _, err := export.Restore(t.Context(), s.Table, bytes.NewReader(many(t, 500)), export.RestoreOptions{Now: time.Now}); err == nil {
		t.Fatal("not interrupted")
	}
	s.Transport.Intercept(nil)
	_, err := export.Restore(t.Context(), s.Table, bytes.NewReader(many(t, 501)), export.RestoreOptions{Now: time.Now})
	if !errors.Is(err, export.ErrNotEmpty) {
		t.Errorf("another file went on: %v", err)
	}
}

func TestAnExportStopsWhenItsReaderDoes(t *testing.T) {
	s := dynamotest.New(t)
	stop := errors.New("enough")
	_, err := export.Write(t.Context(), s.Table, os.Stdout, export.Options{Now: time.Now, Pace: func(context.Context, int) error { return stop }})
	if !errors.Is(err, stop) {
		t.Errorf("went on: %v", err)
	}
	w := filled(t)
	if _, err := export.Write(t.Context(), w.Store.Table, full{}, export.Options{Now: time.Now, Secrets: true}); !errors.Is(err, errFull) {
		t.Errorf("a full disk went unseen: %v", err)
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
