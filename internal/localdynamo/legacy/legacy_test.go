package legacy_test

import (
	"encoding/json"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/legacy"
)

func decode[T any](t *testing.T, s string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

const bad = "One or more parameter values were invalid: "

func TestConditions(t *testing.T) {
	it := decode[attr.Item](t, `{"n":{"N":"5"},"s":{"S":"hello"},"ss":{"SS":["a","b"]}}`)
	for _, c := range []struct {
		src, operator, want string
		holds               bool
	}{
		{`{"n":{"ComparisonOperator":"EQ","AttributeValueList":[{"N":"5.0"}]}}`, "", "", true},
		{`{"n":{"ComparisonOperator":"NE","AttributeValueList":[{"N":"5"}]}}`, "", "", false},
		{`{"n":{"ComparisonOperator":"LE","AttributeValueList":[{"N":"5"}]}}`, "", "", true},
		{`{"n":{"ComparisonOperator":"LT","AttributeValueList":[{"N":"5"}]}}`, "", "", false},
		{`{"n":{"ComparisonOperator":"GE","AttributeValueList":[{"N":"5"}]}}`, "", "", true},
		{`{"n":{"ComparisonOperator":"GT","AttributeValueList":[{"N":"5"}]}}`, "", "", false},
		{`{"n":{"ComparisonOperator":"IN","AttributeValueList":[{"N":"4"},{"N":"5"}]}}`, "", "", true},
		{`{"n":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"N":"4"},{"N":"6"}]}}`, "", "", true},
		{`{"s":{"ComparisonOperator":"BEGINS_WITH","AttributeValueList":[{"S":"he"}]}}`, "", "", true},
		{`{"ss":{"ComparisonOperator":"CONTAINS","AttributeValueList":[{"S":"a"}]}}`, "", "", true},
		{`{"ss":{"ComparisonOperator":"NOT_CONTAINS","AttributeValueList":[{"S":"a"}]}}`, "", "", false},
		{`{"x":{"ComparisonOperator":"NULL"}}`, "", "", true},
		{`{"x":{"ComparisonOperator":"NOT_NULL"}}`, "", "", false},
		{`{"x":{"ComparisonOperator":"NOT_NULL"},"n":{"ComparisonOperator":"NOT_NULL"}}`, "OR", "", true},
		{`{"x":{"ComparisonOperator":"NOT_NULL"},"n":{"ComparisonOperator":"NOT_NULL"}}`, "AND", "", false},
		{`{"n":{"ComparisonOperator":"EQ","AttributeValueList":[]}}`, "", bad + "Invalid number of argument(s) for the EQ ComparisonOperator", false},
		{`{"n":{"ComparisonOperator":"IN","AttributeValueList":[]}}`, "", bad + "Invalid number of argument(s) for the IN ComparisonOperator", false},
		{`{"n":{"ComparisonOperator":"IN","AttributeValueList":[{"N":"1"},{"S":"a"}]}}`, "", bad + "AttributeValues inside AttributeValueList must be of same type", false},
		{`{"n":{"ComparisonOperator":"LT","AttributeValueList":[{"BOOL":true}]}}`, "", bad + "ComparisonOperator LT is not valid for BOOL AttributeValue type", false},
		{`{"n":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"N":"6"},{"N":"4"}]}}`, "",
			"The BETWEEN condition was provided a range where the lower bound is greater than the upper bound", false},
		{`{"n":{"ComparisonOperator":"EQ","AttributeValueList":[{"N":"x"}]}}`, "", "The parameter cannot be converted to a numeric value: x", false},
	} {
		f, err := legacy.Conditions(decode[map[string]legacy.Condition](t, c.src), c.operator, false)
		if message(err) != c.want || err == nil && f.Eval(it) != c.holds {
			t.Errorf("%s: %v", c.src, err)
		}
	}
}

func TestExpected(t *testing.T) {
	it := decode[attr.Item](t, `{"n":{"N":"5"}}`)
	for _, c := range []struct {
		src, want string
		holds     bool
	}{
		{`{"n":{"Value":{"N":"5"}}}`, "", true},
		{`{"n":{"Exists":true,"Value":{"N":"6"}}}`, "", false},
		{`{"x":{"Exists":false}}`, "", true},
		{`{"n":{"Exists":false}}`, "", false},
		{`{"n":{"ComparisonOperator":"GT","Value":{"N":"4"}}}`, "", true},
		{`{"n":{"ComparisonOperator":"NOT_NULL"}}`, "", true},
		{`{"n":{"Value":{"N":"5"},"AttributeValueList":[{"N":"5"}]}}`, bad + "Value and AttributeValueList cannot be used together for Attribute: n", false},
		{`{"n":{"Exists":true,"ComparisonOperator":"EQ","Value":{"N":"5"}}}`, bad + "Exists and ComparisonOperator cannot be used together for Attribute: n", false},
		{`{"n":{"ComparisonOperator":"EQ"}}`, bad + "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: n", false},
		{`{"n":{"AttributeValueList":[{"N":"5"}]}}`, bad + "AttributeValueList can only be used with a ComparisonOperator for Attribute: n", false},
		{`{"n":{}}`, bad + "Value must be provided when Exists is null for Attribute: n", false},
		{`{"n":{"Exists":true}}`, bad + "Value must be provided when Exists is true for Attribute: n", false},
		{`{"n":{"Exists":false,"Value":{"N":"5"}}}`, bad + "Value cannot be used when Exists is false for Attribute: n", false},
	} {
		f, err := legacy.Conditions(decode[map[string]legacy.Condition](t, c.src), "", true)
		if message(err) != c.want || err == nil && f.Eval(it) != c.holds {
			t.Errorf("%s: %v", c.src, err)
		}
	}
}

func TestKeyConditions(t *testing.T) {
	hash, rng := expr.Key{Name: "pk", Kind: attr.KindString}, expr.Key{Name: "sk", Kind: attr.KindNumber}
	for src, want := range map[string]string{
		`{"pk":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"a"}]}}`:                                                                                  "",
		`{"pk":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"a"}]},"sk":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"N":"1"},{"N":"2"}]}}`: "BETWEEN",
		`{"pk":{"ComparisonOperator":"NE","AttributeValueList":[{"S":"a"}]}}`:                                                                                  "!Attempted conditional constraint is not an indexable operation",
		`{}`: "!Conditions can be of length 1 or 2 only",
		`{"pk":{"ComparisonOperator":"GT","AttributeValueList":[{"S":"a"}]}}`: "!Query key condition not supported",
		`{"pk":{"ComparisonOperator":"EQ","AttributeValueList":[]}}`:          "!" + bad + "Invalid number of argument(s) for the EQ ComparisonOperator",
	} {
		k, err := legacy.KeyConditions(decode[map[string]legacy.Condition](t, src))
		var q expr.KeyQuery
		if err == nil {
			q, err = k.Bind(hash, rng)
		}
		if err == nil && q.Op != want || err != nil && "!"+message(err) != want {
			t.Errorf("%s: %+v, %v", src, q, err)
		}
	}
}

func TestUpdates(t *testing.T) {
	it := decode[attr.Item](t, `{"n":{"N":"5"},"ss":{"SS":["a","b"]},"l":{"L":[{"N":"1"}]},"gone":{"S":"x"}}`)
	u, err := legacy.Updates(decode[map[string]legacy.Update](t, `{"n":{"Action":"ADD","Value":{"N":"2"}},"ss":{"Action":"DELETE","Value":{"SS":["a"]}},
		"l":{"Action":"ADD","Value":{"L":[{"N":"2"}]}},"gone":{"Action":"DELETE"},"put":{"Value":{"S":"p"}},"new":{"Action":"PUT","Value":{"BOOL":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := u.Apply(it)
	want := decode[attr.Item](t, `{"n":{"N":"7"},"ss":{"SS":["b"]},"l":{"L":[{"N":"1"},{"N":"2"}]},"put":{"S":"p"},"new":{"BOOL":true}}`)
	if err != nil || !attr.Equal(attr.Value{Kind: attr.KindMap, M: got}, attr.Value{Kind: attr.KindMap, M: want}) {
		t.Errorf("%v, %v", got, err)
	}
	for src, want := range map[string]string{
		`{}`:       "",
		`{"a":{}}`: bad + "Only DELETE action is allowed when no attribute value is specified",
		`{"a":{"Action":"DELETE","Value":{"S":"x"}}}`: bad + "DELETE action with value is not supported for the type S",
		`{"a":{"Action":"ADD","Value":{"S":"x"}}}`:    bad + "ADD action is not supported for the type S",
		`{"a":{"Value":{"N":"x"}}}`:                   "The parameter cannot be converted to a numeric value: x",
	} {
		if _, err := legacy.Updates(decode[map[string]legacy.Update](t, src)); message(err) != want {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestAttributes(t *testing.T) {
	p, err := legacy.Attributes([]string{"a.b", "n"})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Apply(decode[attr.Item](t, `{"a.b":{"S":"x"},"n":{"N":"1"},"o":{"N":"2"}}`)); len(got) != 2 {
		t.Error(got)
	}
	if _, err := legacy.Attributes([]string{"a", "b", "a"}); message(err) != bad+"Duplicate value in attribute name: a" {
		t.Error(err)
	}
}
