package expr_test

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

func decode[T any](t testing.TB, s string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

// The item and the values of the recorded expressions.
const (
	itemJSON = `{"k":{"S":"a"},"s":{"S":"x"},"n":{"N":"1"},"l":{"L":[{"N":"1"},{"N":"2"}]},
		"m":{"M":{"a":{"N":"1"},"l":{"L":[{"S":"q"}]}}},"ss":{"SS":["a","b"]}}`
	valuesJSON = `{":s":{"S":"x"},":n":{"N":"1"},":b":{"BOOL":true},":z":{"NULL":true},":l":{"L":[{"N":"1"}]},":m":{"M":{}},
		":ss":{"SS":["a"]},":ns":{"NS":["1"]},":bs":{"BS":["YQ=="]},":bin":{"B":"YQ=="},":n2":{"N":"5"},":s2":{"S":"a"},":e":{"S":""}}`
)

func equal(a, b attr.Item) bool {
	return attr.Equal(attr.Value{Kind: attr.KindMap, M: a}, attr.Value{Kind: attr.KindMap, M: b})
}

// run parses and evaluates an expression of any kind.
func run(kind, src string, params *expr.Params, it attr.Item) (matches bool, out attr.Item, err error) {
	switch kind {
	case "filter":
		c, err := expr.ParseFilter(src, params)
		return err == nil && c.Eval(it), nil, err
	case "update":
		u, err := expr.ParseUpdate(src, params)
		if err != nil {
			return false, nil, err
		}
		out, err := u.Apply(it)
		return false, out, err
	case "projection":
		p, err := expr.ParseProjection(src, params)
		if err != nil {
			return false, nil, err
		}
		return false, p.Apply(it), nil
	}
	k, err := expr.ParseKeyCondition(src, params)
	if err == nil {
		_, err = k.Bind(expr.Key{Name: "pk", Kind: attr.KindString}, expr.Key{Name: "sk", Kind: attr.KindString})
	}
	return false, nil, err
}

// TestRecordedExpressions compares with what AWS's DynamoDB Local 2 answered.
// Where the service is known to word it otherwise (the missed key's name, the
// order of type names), the recording has the service's words.
func TestRecordedExpressions(t *testing.T) {
	f, err := os.Open("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	it, values := decode[attr.Item](t, itemJSON), decode[map[string]attr.Value](t, valuesJSON)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		c := decode[struct {
			Kind, Expr, Error string
			Matches           bool
			Item              attr.Item
		}](t, lines.Text())
		matches, out, err := run(c.Kind, c.Expr, &expr.Params{Values: values}, it)
		if got := message(err); got != c.Error {
			t.Errorf("%s %q:\n got %s\nwant %s", c.Kind, c.Expr, got, c.Error)
		} else if matches != c.Matches || c.Item != nil && !equal(out, c.Item) {
			t.Errorf("%s %q: got %v %v, want %v %v", c.Kind, c.Expr, matches, out, c.Matches, c.Item)
		}
		if !equal(it, decode[attr.Item](t, itemJSON)) {
			t.Fatalf("%s %q changed the item it was given", c.Kind, c.Expr)
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestLimits(t *testing.T) {
	repeat := func(s string, n int, sep string) string { return strings.Join(slices.Repeat([]string{s}, n), sep) }
	for _, c := range []struct{ kind, src, want string }{
		{"filter", "a = " + strings.Repeat("b", 4093), "Invalid FilterExpression: Expression size has exceeded the maximum allowed size; expression size: 4097"},
		{"update", "REMOVE " + strings.Repeat("b", 4090), "Invalid UpdateExpression: Expression size has exceeded the maximum allowed size;"},
		{"projection", strings.Repeat("b", 4097), "Invalid ProjectionExpression: Expression size has exceeded the maximum allowed size;"},
		{"filter", repeat("a=:n", 150, " AND "), ""},
		{"filter", repeat("a=:n", 151, " AND "), "Invalid FilterExpression: The expression contains too many operators; operator count: 301"},
		{"filter", repeat("NOT", 400, " ") + " a=:n", "Invalid FilterExpression: The expression contains too many operators; operator count: 301"},
		{"filter", strings.Repeat("(", 2000) + "a=:n" + strings.Repeat(")", 2000), "Invalid FilterExpression: The expression has redundant parentheses;"},
		{"filter", strings.Repeat("(", 4096), `Invalid FilterExpression: Syntax error; token: "<EOF>", near: "("`},
		{"filter", "a in (" + repeat("b", 100, ",") + ")", ""},
		{"filter", "a in (" + repeat("b", 101, ",") + ")", "Invalid FilterExpression: The IN operator is provided with too many operands; number of operands: 101"},
		{"filter", repeat("a", 32, ".") + " = :n", ""},
		{"filter", repeat("a", 33, ".") + " = :n", "Invalid FilterExpression: The document path has too many nesting levels; nesting levels: 33"},
		{"projection", "a" + strings.Repeat("[0]", 32), "Invalid ProjectionExpression: The document path has too many nesting levels; nesting levels: 33"},
		{"update", "REMOVE a[2147483648]", "Invalid UpdateExpression: List index is not within the allowable range; index: [2147483648]"},
		{"update", "SET a = :deep", ""},
		{"update", "SET a.b = :deep", "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"},
		{"update", "ADD n :huge", "Attempting to store more than 38 significant digits in a Number"},
		{"update", "SET n = n - :huge", "Attempting to store more than 38 significant digits in a Number"},
	} {
		deep := decode[attr.Value](t, strings.Repeat(`{"L":[`, 31)+strings.Repeat(`]}`, 31))
		params := &expr.Params{Values: map[string]attr.Value{
			":n": attr.Num(attr.NumberFromInt(1)), ":deep": deep, ":huge": decode[attr.Value](t, `{"N":"1e100"}`)}}
		it := attr.Item{"n": attr.Num(attr.NumberFromInt(1)), "a": {Kind: attr.KindMap, M: map[string]attr.Value{}}}
		if _, _, err := run(c.kind, c.src, params, it); message(err) != c.want {
			t.Errorf("%s %.60s:\n got %v\nwant %s", c.kind, c.src, err, c.want)
		}
	}
}

func TestNamePlaceholders(t *testing.T) {
	it := decode[attr.Item](t, `{"a.b":{"N":"1"},"status":{"M":{"of":{"S":"x"}}}}`)
	for _, c := range []struct {
		src, names, want string
		matches          bool
	}{
		{"#p = :n", `{"#p":"a.b"}`, "", true},
		{"#s.#o = :s", `{"#s":"status","#o":"of"}`, "", true},
		{"x = #x", `{"#x":"x"}`, "Invalid FilterExpression: The first operand must be distinct from the remaining operands " +
			"for this operator or function; operator: =, first operand: [x]", false},
		{"#x = :undef", `{"#y":"x"}`, "Invalid FilterExpression: An expression attribute name used in the document path " +
			"is not defined; attribute name: #x", false},
		{"x = :undef AND contains(x)", `{"#y":"x"}`, "Invalid FilterExpression: An expression attribute value used in expression " +
			"is not defined; attribute value: :undef", false},
		{"contains(x) AND x = :undef", `{"#y":"x"}`, "Invalid FilterExpression: Incorrect number of operands for operator or " +
			"function; operator or function: contains, number of operands: 1", false},
	} {
		params := &expr.Params{Names: decode[map[string]string](t, c.names), Values: decode[map[string]attr.Value](t, valuesJSON)}
		matches, _, err := run("filter", c.src, params, it)
		if message(err) != c.want || matches != c.matches {
			t.Errorf("%q: %v %v", c.src, matches, err)
		}
	}
}

func TestParams(t *testing.T) {
	const names, values = "ExpressionAttributeNames", "ExpressionAttributeValues"
	for _, c := range []struct{ names, values, want string }{
		{`null`, `null`, ""},
		{`{"#a_1":"x"}`, `{":a_1":{"S":""}}`, ""},
		{`{}`, `null`, names + " must not be empty"},
		{`null`, `{}`, values + " must not be empty"},
		{`{"a":"x"}`, `null`, names + ` contains invalid key: Syntax error; key: "a"`},
		{`{"#":"x"}`, `null`, names + ` contains invalid key: Syntax error; key: "#"`},
		{`{"#a-b":"x"}`, `null`, names + ` contains invalid key: Syntax error; key: "#a-b"`},
		{`{"#a":""}`, `null`, names + " contains invalid value: Empty attribute name for key #a"},
		{`{"#a":"` + strings.Repeat("x", 65536) + `"}`, `null`, names + " contains invalid value: Attribute name is too large, must be less than 65536 bytes for key #a"},
		{`null`, `{"a":{"S":"b"}}`, values + ` contains invalid key: Syntax error; key: "a"`},
		{`null`, `{":a":{}}`, values + " contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes for key :a"},
		{`null`, `{":a":{"NS":["1","1"]}}`, values + " contains invalid value: Input collection contains duplicates for key :a"},
	} {
		p := &expr.Params{Names: decode[map[string]string](t, c.names), Values: decode[map[string]attr.Value](t, c.values)}
		if got := message(p.Check()); got != c.want {
			t.Errorf("%.60s %.60s:\n got %s\nwant %s", c.names, c.values, got, c.want)
		}
	}
}

func TestUnusedPlaceholders(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"SET #a = :a, #b = :b", ""},
		{"SET #a = :a", "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"},
		{"SET #a = :a, #b = :a", "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}"},
		{"SET x = :a", "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}"},
	} {
		p := &expr.Params{Names: map[string]string{"#a": "a", "#b": "b"}, Values: map[string]attr.Value{":a": {}, ":b": {}}}
		if _, err := expr.ParseUpdate(c.src, p); err != nil {
			t.Fatal(err)
		}
		if got := message(p.CheckAllUsed()); got != c.want {
			t.Errorf("%q: %s; want %s", c.src, got, c.want)
		}
	}
}

func TestKeyQuery(t *testing.T) {
	text, number := expr.Key{Name: "pk", Kind: attr.KindString}, expr.Key{Name: "n", Kind: attr.KindNumber}
	values := decode[map[string]attr.Value](t, valuesJSON)
	for _, c := range []struct {
		src       string
		hash, rng expr.Key
		op, want  string
		args      int
	}{
		{"pk = :s", text, number, "", "", 0},
		{":s = pk AND :n < n", text, number, ">", "", 1},
		{"n >= :n AND pk = :s", text, number, ">=", "", 1},
		{":n >= n AND pk = :s", text, number, "<=", "", 1},
		{"pk = :s AND n BETWEEN :n AND :n2", text, number, "BETWEEN", "", 2},
		{"n = :n AND begins_with(pk, :s)", number, text, "begins_with", "", 1},
		{"n = :n AND pk = :s", number, expr.Key{}, "", "Query key condition not supported", 0},
		{"pk = :bin", expr.Key{Name: "pk", Kind: attr.KindBinary}, expr.Key{}, "", "", 0},
		{"pk = :s", expr.Key{Name: "pk", Kind: attr.KindBinary}, expr.Key{}, "",
			"One or more parameter values were invalid: Condition parameter type does not match schema type", 0},
	} {
		k, err := expr.ParseKeyCondition(c.src, &expr.Params{Values: values})
		if err != nil {
			t.Fatalf("%q: %v", c.src, err)
		}
		q, err := k.Bind(c.hash, c.rng)
		if message(err) != c.want || err == nil && (q.Op != c.op || len(q.Args) != c.args || q.Hash.Kind != c.hash.Kind) {
			t.Errorf("%q: %+v, %v", c.src, q, err)
		}
	}
}

func TestPathsAreReported(t *testing.T) {
	values := decode[map[string]attr.Value](t, valuesJSON)
	c, err := expr.ParseFilter("a.b[1] = :s OR NOT contains(c, d)", &expr.Params{Values: values})
	if err != nil || len(c.Paths()) != 3 || c.Paths()[0].String() != "[a, b, [1]]" {
		t.Errorf("%v, %v", c.Paths(), err)
	}
	u, err := expr.ParseUpdate("SET a.b = c REMOVE d[0]", &expr.Params{})
	if err != nil || len(u.Paths()) != 2 || u.Paths()[1].String() != "[d, [0]]" {
		t.Errorf("%v, %v", u.Paths(), err)
	}
	p, err := expr.ParseProjection("a, b.c", &expr.Params{})
	if err != nil || len(p) != 2 {
		t.Errorf("%v, %v", p, err)
	}
}

func TestUpdateOfNoItem(t *testing.T) {
	u, err := expr.ParseUpdate("SET a = if_not_exists(b, :n) ADD c :n DELETE d :ss REMOVE e",
		&expr.Params{Values: decode[map[string]attr.Value](t, valuesJSON)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := u.Apply(nil)
	if err != nil || !equal(got, decode[attr.Item](t, `{"a":{"N":"1"},"c":{"N":"1"}}`)) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestSizeCountsUTF16(t *testing.T) {
	it := decode[attr.Item](t, `{"s":{"S":"hé😀"},"b":{"B":"YWJj"},"ss":{"SS":["a","bb"]},"n":{"N":"1"}}`)
	for src, want := range map[string]bool{
		"size(s) = :four": true, "size(b) = :three": true, "size(ss) = :two": true,
		"size(n) = :two": false, "size(n) <> :two": true, "NOT size(absent) = :two": true,
	} {
		params := &expr.Params{Values: decode[map[string]attr.Value](t, `{":two":{"N":"2"},":three":{"N":"3"},":four":{"N":"4"}}`)}
		if got, _, err := run("filter", src, params, it); err != nil || got != want {
			t.Errorf("%s: %v, %v", src, got, err)
		}
	}
}

func FuzzExpressions(f *testing.F) {
	for _, s := range []string{
		"a = :s AND NOT (b.c[1] < :n OR contains(#n, :s))", "size(a) BETWEEN :n AND :n2", "a IN (:s, b)",
		"SET a.b = if_not_exists(m.a, :n) + :n, l[5] = list_append(l, :l) REMOVE l[0] ADD ss :ss DELETE q :ss",
		"a, m.l[0], #n.x", "pk = :s AND begins_with(sk, :s)", "((", "é #", "a[99999999999]",
	} {
		f.Add(s)
	}
	values, it := decode[map[string]attr.Value](f, valuesJSON), decode[attr.Item](f, itemJSON)
	f.Fuzz(func(t *testing.T, src string) {
		for _, kind := range []string{"filter", "update", "projection", "key"} {
			params := &expr.Params{Names: map[string]string{"#n": "l"}, Values: values}
			_, out, err := run(kind, src, params, it)
			if err == nil && attr.ItemSize(out) < 0 {
				t.Fatal("size")
			}
		}
		if !equal(it, decode[attr.Item](t, itemJSON)) {
			t.Fatalf("%q changed the item it was given", src)
		}
	})
}
