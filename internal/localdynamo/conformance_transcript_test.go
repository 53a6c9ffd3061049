package localdynamo_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// TestTranscripts replays testdata/conformance: requests with the answers AWS
// gives. They were recorded from AWS's DynamoDB Local and from dynalite, whose
// validation was recorded from the service; where the two disagree, the answer
// is the one the service is documented or known to give.
//
// A line "> Operation {…}" is a request, "< …" its answer: JSON, or an error
// as "!Type: message {other members}". ">~" compares lists without regard to
// order, "<*" only the members it lists; a message ending in * is a prefix. A
// request may have parts for expand.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/conformance/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		if name == "fixture" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			db := newEndpoint(t)
			replay(t, db, "testdata/conformance/fixture.txt")
			replay(t, db, file)
		})
	}
}

func replay(t *testing.T, db endpoint, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	var title, request, got string
	unordered := false
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "=="):
			title = strings.Trim(line, "= ")
		case strings.HasPrefix(line, ">"):
			unordered = strings.HasPrefix(line, ">~")
			request = strings.TrimLeft(line, ">~ ")
			op, body, _ := strings.Cut(request, " ")
			got = db.send(t, op, expand(body))
		case strings.HasPrefix(line, "<"):
			subset := strings.HasPrefix(line, "<*")
			want := strings.TrimLeft(line, "<* ")
			if !sameAnswer(want, got, unordered, subset) {
				t.Errorf("%s:%d: %s\n %s\n got %s\nwant %s", file, n, title, request, got, want)
			}
		}
	}
}

// expand replaces %x*3% by xxx and %[3]{"k$"}% by {"k0"},{"k1"},{"k2"}.
func expand(body string) string {
	body = regexp.MustCompile(`%(.)\*(\d+)%`).ReplaceAllStringFunc(body, func(s string) string {
		n, _ := strconv.Atoi(s[3 : len(s)-1])
		return strings.Repeat(s[1:2], n)
	})
	list := regexp.MustCompile(`%\[(\d+)\](.*?)%`)
	return list.ReplaceAllStringFunc(body, func(s string) string {
		m := list.FindStringSubmatch(s)
		n, _ := strconv.Atoi(m[1])
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(m[2], "$", strconv.Itoa(i))
		}
		return strings.Join(parts, ",")
	})
}

// sameAnswer compares answers in the form that endpoint.send returns.
func sameAnswer(want, got string, unordered, subset bool) bool {
	if strings.HasPrefix(want, "!") || strings.HasPrefix(got, "!") {
		want, wantRest := splitError(want)
		got, gotRest := splitError(got)
		if prefix, ok := strings.CutSuffix(want, "*"); ok {
			return strings.HasPrefix(got, prefix)
		}
		return want == got && sameAnswer(wantRest, gotRest, false, false)
	}
	var w, g any
	if json.Unmarshal([]byte(want), &w) != nil || json.Unmarshal([]byte(got), &g) != nil {
		return want == got
	}
	w, g = normalize(w, unordered), normalize(g, unordered)
	if subset {
		return contains(w, g)
	}
	return reflect.DeepEqual(w, g)
}

// splitError cuts an error's other members off its message.
func splitError(s string) (message, rest string) {
	if i := strings.Index(s, ` {"`); i >= 0 && strings.HasPrefix(s, "!") && json.Valid([]byte(s[i:])) {
		return s[:i], s[i+1:]
	}
	return s, "{}"
}

func contains(want, got any) bool {
	w, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(want, got)
	}
	g, ok := got.(map[string]any)
	for k, v := range w {
		if !ok || !contains(v, g[k]) {
			return false
		}
	}
	return ok
}

// normalize sorts the members of sets, and of every list if unordered.
func normalize(v any, unordered bool) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = normalize(e, unordered)
			if text, ok := e.(string); ok && k == "N" && len(v) == 1 {
				// DynamoDB Local returns some numbers as they were written.
				if n, err := attr.ParseNumber(text); err == nil {
					v[k] = n.String()
				}
			}
			if list, ok := v[k].([]any); ok && len(v) == 1 && (k == "SS" || k == "NS" || k == "BS") {
				sortJSON(list)
			}
		}
	case []any:
		for i, e := range v {
			v[i] = normalize(e, unordered)
		}
		if unordered {
			sortJSON(v)
		}
	}
	return v
}

func sortJSON(list []any) {
	text := func(i int) string {
		b, _ := json.Marshal(list[i]) // decoded JSON always encodes
		return string(b)
	}
	sort.Slice(list, func(i, j int) bool { return text(i) < text(j) })
}
