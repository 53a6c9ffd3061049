package attr_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"pgregory.net/rapid"
)

func decode(t testing.TB, s string) attr.Value {
	t.Helper()
	var v attr.Value
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

func TestWireRoundTrip(t *testing.T) {
	for _, s := range []string{
		`{"S":"héé\u0000\"<"}`, `{"S":""}`, `{"N":"-1.5"}`, `{"B":"AAEC"}`, `{"B":""}`, `{"BOOL":true}`, `{"BOOL":false}`,
		`{"NULL":true}`, `{"SS":["a","b"]}`, `{"NS":["1","2.5"]}`, `{"BS":["AA==","AQ=="]}`,
		`{"L":[{"S":"a"},{"L":[]},{"M":{}}]}`, `{"M":{"a":{"N":"1"},"":{"NULL":true}}}`,
	} {
		v := decode(t, s)
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if w := decode(t, string(b)); !attr.Equal(v, w) {
			t.Errorf("%s came back as %s", s, b)
		}
		stored, err := attr.DecodeItem(attr.AppendItem(nil, attr.Item{"x": v}))
		if err != nil || !attr.Equal(stored["x"], v) {
			t.Errorf("%s was stored as %v, %v", s, stored, err)
		}
	}
	if v := decode(t, `{"N":"1","S":null,"Other":{"x":[1]}}`); v.Kind != attr.KindNumber || v.Validate() != nil {
		t.Errorf("null and unknown members are to be ignored: %v, %v", v, v.Validate())
	}
}

func TestValidateSaysWhatAWSSays(t *testing.T) {
	const (
		empty = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
		bad   = "One or more parameter values were invalid: "
	)
	deep := strings.Repeat(`{"L":[`, 32) + strings.Repeat(`]}`, 32)
	for s, want := range map[string]string{
		`{}`: empty, `null`: empty, `{"X":"a"}`: empty, `{"S":null}`: empty, `{"L":[{}]}`: empty, `{"M":{"a":null}}`: empty,
		`{"S":"a","N":"1"}`:         "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
		`{"NULL":false}`:            bad + "Null attribute value types must have the value of true",
		`{"SS":[]}`:                 bad + "An string set  may not be empty",
		`{"NS":[]}`:                 bad + "An number set  may not be empty",
		`{"BS":[]}`:                 bad + "Binary sets should not be empty",
		`{"SS":["a","b","a"]}`:      bad + "Input collection [a, b, a] contains duplicates.",
		`{"NS":["1","2","1.0"]}`:    "Input collection contains duplicates",
		`{"BS":["YQ==","YQ=="]}`:    bad + "Input collection [YQ==, YQ==]of type BS contains duplicates.",
		`{"NS":["1","x"]}`:          "The parameter cannot be converted to a numeric value: x",
		`{"L":[{"L":[{"N":"y"}]}]}`: "The parameter cannot be converted to a numeric value: y",
		deep:                        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
	} {
		err := decode(t, s).Validate()
		var problem *attr.ValidationError
		if !errors.As(err, &problem) || problem.Error() != want {
			t.Errorf("%s: %v; want %s", s, err, want)
		}
	}
	if err := decode(t, strings.Repeat(`{"L":[`, 31)+strings.Repeat(`]}`, 31)).Validate(); err != nil {
		t.Errorf("31 levels: %v", err)
	}
}

func TestWrongShapesAreSerializationErrors(t *testing.T) {
	for s, want := range map[string]string{
		`5`: "Unexpected value type in payload", `"x"`: "Unexpected value type in payload",
		`[]`:              "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
		`{"S":1}`:         "NUMBER_VALUE cannot be converted to String",
		`{"S":1.5}`:       "DECIMAL_VALUE cannot be converted to String",
		`{"N":true}`:      "TRUE_VALUE cannot be converted to String",
		`{"S":[]}`:        "Unrecognized collection type class java.lang.String",
		`{"S":{}}`:        "Start of structure or map found where not expected",
		`{"SS":[null]}`:   "NULL_VALUE cannot be converted to String",
		`{"BOOL":1}`:      "NUMBER_VALUE cannot be converted to Boolean",
		`{"BOOL":"si"}`:   "Unexpected token received from parser",
		`{"BOOL":[]}`:     "Unrecognized collection type class java.lang.Boolean",
		`{"BOOL":{}}`:     "Start of structure or map found where not expected",
		`{"B":"YQ"}`:      "Base64 encoded length is expected a multiple of 4 bytes but found: 2",
		`{"B":"YR=="}`:    "Invalid last non-pad Base64 character dectected",
		`{"B":5}`:         "only base-64-encoded strings are convertible to bytes",
		`{"B":[]}`:        "Unrecognized collection type class java.nio.ByteBuffer",
		`{"B":{}}`:        "Start of structure or map found where not expected",
		`{"SS":"a"}`:      "Unexpected field type",
		`{"SS":{}}`:       "Start of structure or map found where not expected",
		`{"M":[]}`:        "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>",
		`{"M":1}`:         "Unexpected field type",
		`{"L":[{"S":1}]}`: "NUMBER_VALUE cannot be converted to String",
	} {
		var v attr.Value
		err := json.Unmarshal([]byte(s), &v)
		var wrong *attr.SerializationError
		if !errors.As(err, &wrong) || wrong.Error() != want {
			t.Errorf("%s: %v; want %s", s, err, want)
		}
	}
}

func TestSizeIsAWSs(t *testing.T) {
	for s, want := range map[string]int{
		`{"S":"héé"}`: 5, `{"B":"AAEC"}`: 3, `{"BOOL":false}`: 1, `{"NULL":true}`: 1,
		`{"N":"0"}`: 1, `{"N":"1"}`: 2, `{"N":"12"}`: 2, `{"N":"123"}`: 3, `{"N":"-123"}`: 4, `{"N":"1.2"}`: 3,
		`{"N":"100"}`: 2, `{"N":"12345678901234567890123456789012345678"}`: 20,
		// Digits are counted in pairs on each side of the point, and zeros at
		// either end of the number are not counted.
		`{"N":"0.15"}`: 2, `{"N":"0.0000001"}`: 2, `{"N":"1.234"}`: 4, `{"N":"3.14159"}`: 5, `{"N":"100.5"}`: 4, `{"N":"1010"}`: 3,
		`{"N":"123456"}`: 4, `{"N":"1E125"}`: 2, `{"N":"1E-100"}`: 2, `{"N":"-0"}`: 1,
		`{"SS":["a","bc"]}`: 3, `{"NS":["1","12"]}`: 4, `{"BS":["AAEC","AA=="]}`: 4,
		`{"L":[]}`: 3, `{"L":[{"S":"abc"},{"NULL":true}]}`: 9, `{"M":{}}`: 3, `{"M":{"ab":{"S":"c"}}}`: 7,
	} {
		if got := decode(t, s).Size(); got != want {
			t.Errorf("%s has size %d, want %d", s, got, want)
		}
	}
	if got := attr.ItemSize(attr.Item{"pk": attr.String("abc"), "n": attr.Num(attr.NumberFromInt(7))}); got != 8 {
		t.Errorf("item size %d", got)
	}
}

func TestEqual(t *testing.T) {
	equal := [][2]string{
		{`{"SS":["a","b"]}`, `{"SS":["b","a"]}`}, {`{"NS":["1","2"]}`, `{"NS":["2.0","1"]}`},
		{`{"BS":["AA==","AQ=="]}`, `{"BS":["AQ==","AA=="]}`}, {`{"N":"1.0"}`, `{"N":"1"}`},
		{`{"M":{"a":{"L":[{"S":"x"}]}}}`, `{"M":{"a":{"L":[{"S":"x"}]}}}`}, {`{"NULL":true}`, `{"NULL":true}`},
	}
	different := [][2]string{
		{`{"SS":["a","b"]}`, `{"SS":["a","c"]}`}, {`{"S":"1"}`, `{"N":"1"}`}, {`{"BOOL":true}`, `{"BOOL":false}`},
		{`{"L":[{"S":"x"}]}`, `{"L":[{"S":"y"}]}`}, {`{"M":{"a":{"S":"x"}}}`, `{"M":{"b":{"S":"x"}}}`}, {`{"L":[]}`, `{"L":[{"S":"x"}]}`},
	}
	for _, p := range equal {
		if !attr.Equal(decode(t, p[0]), decode(t, p[1])) {
			t.Errorf("%s != %s", p[0], p[1])
		}
	}
	for _, p := range different {
		if attr.Equal(decode(t, p[0]), decode(t, p[1])) {
			t.Errorf("%s == %s", p[0], p[1])
		}
	}
}

func TestKeysOrderAsValues(t *testing.T) {
	key := rapid.OneOf(
		rapid.Map(rapid.StringOf(rapid.SampledFrom([]rune{0, 1, 'a', 'b', 'é', 0xffff, 0x10000})), attr.String),
		rapid.Map(rapid.SliceOf(rapid.SampledFrom([]byte{0, 1, 254, 255})), func(b []byte) attr.Value {
			return attr.Value{Kind: attr.KindBinary, B: b}
		}),
		rapid.Custom(func(t *rapid.T) attr.Value {
			n, _ := parse(t, drawNumber().Draw(t, "n"))
			return attr.Num(n)
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		want, ok := attr.Compare(a, b)
		if !ok {
			return
		}
		ka, kb := attr.AppendKey(nil, a), attr.AppendKey(nil, b)
		if bytes.Compare(ka, kb) != want {
			t.Fatalf("%x and %x do not order as %v and %v (%d)", ka, kb, a, b, want)
		}
		if want != 0 && bytes.HasPrefix(kb, ka) {
			t.Fatalf("%x is a prefix of %x", ka, kb)
		}
		if a.Kind == attr.KindString && strings.HasPrefix(b.S, a.S) != bytes.HasPrefix(kb, attr.AppendKeyPrefix(nil, a)) {
			t.Fatalf("prefix of %q and %q", a.S, b.S)
		}
	})
	if attr.AppendKey(nil, decode(t, `{"BOOL":true}`)) != nil {
		t.Error("a boolean is no key")
	}
}

func drawValue(depth int) *rapid.Generator[attr.Value] {
	return rapid.Custom(func(t *rapid.T) attr.Value {
		n, _ := parse(t, drawNumber().Draw(t, "n"))
		s := rapid.String().Draw(t, "s")
		leaves := []attr.Value{
			attr.String(s), attr.Num(n), {Kind: attr.KindBinary, B: []byte(s)}, {Kind: attr.KindBool, Bool: s == ""}, {Kind: attr.KindNull},
			{Kind: attr.KindStringSet, Set: []string{s, s + "x"}}, {Kind: attr.KindNumberSet, Set: []string{n.String()}},
			{Kind: attr.KindBinarySet, Set: []string{s}},
		}
		if depth > 0 {
			leaves = append(leaves,
				attr.Value{Kind: attr.KindList, L: rapid.SliceOfN(drawValue(depth-1), 0, 3).Draw(t, "l")},
				attr.Value{Kind: attr.KindMap, M: rapid.MapOfN(rapid.String(), drawValue(depth-1), 0, 3).Draw(t, "m")})
		}
		return rapid.SampledFrom(leaves).Draw(t, "v")
	})
}

func TestItemsSurviveStorageAndWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		it := rapid.MapOfN(rapid.String(), drawValue(2), 0, 4).Draw(t, "item")
		want := attr.Value{Kind: attr.KindMap, M: it}
		stored := attr.AppendItem(nil, it)
		got, err := attr.DecodeItem(stored)
		if err != nil || !attr.Equal(attr.Value{Kind: attr.KindMap, M: got}, want) || attr.ItemSize(got) != attr.ItemSize(it) {
			t.Fatalf("stored %v, got %v, %v", it, got, err)
		}
		for i := range stored {
			if _, err := attr.DecodeItem(stored[:i]); err == nil {
				t.Fatalf("decoded %d of %d bytes", i, len(stored))
			}
		}
		var wire attr.Value
		if err := json.Unmarshal(want.AppendJSON(nil), &wire); err != nil || !attr.Equal(wire, want) {
			t.Fatalf("wire %s: %v", want.AppendJSON(nil), err)
		}
	})
}

func TestSetAlgebra(t *testing.T) {
	for _, c := range []struct{ a, b, union, difference string }{
		{`{"SS":["a","b"]}`, `{"SS":["b","c"]}`, `{"SS":["a","b","c"]}`, `{"SS":["a"]}`},
		{`{"NS":["1","2"]}`, `{"NS":["2.0","3"]}`, `{"NS":["1","2","3"]}`, `{"NS":["1"]}`},
		{`{"BS":["AA=="]}`, `{"BS":["AA==","AQ=="]}`, `{"BS":["AA==","AQ=="]}`, `{"BS":[]}`},
	} {
		a, b := decode(t, c.a), decode(t, c.b)
		if u := attr.Union(a, b); !attr.Equal(u, decode(t, c.union)) {
			t.Errorf("%s ∪ %s = %v", c.a, c.b, u)
		}
		if d := attr.Difference(a, b); !attr.Equal(d, decode(t, c.difference)) {
			t.Errorf("%s \\ %s = %v", c.a, c.b, d)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"M":{"a":{"L":[{"NS":["1e5"]}]}}}`))
	f.Add(attr.AppendItem(nil, attr.Item{"a": attr.String("b")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v attr.Value
		if json.Unmarshal(b, &v) == nil && v.Validate() == nil {
			var w attr.Value
			if err := json.Unmarshal(v.AppendJSON(nil), &w); err != nil || !attr.Equal(v, w) {
				t.Fatalf("%s became %s: %v", b, v.AppendJSON(nil), err)
			}
		}
		if it, err := attr.DecodeItem(b); err == nil {
			attr.ItemSize(it)
		}
	})
}
