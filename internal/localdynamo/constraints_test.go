package localdynamo

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestTagsSayOnlyWhatTheWalkerReads(t *testing.T) {
	var check func(reflect.Type, []member)
	fields := map[string]bool{}
	var inside []string // what required= and of= name
	check = func(in reflect.Type, model []member) {
		for _, m := range model {
			fields[m.field] = true
			for _, w := range m.words {
				arg := strings.Join(w.list, "|")
				ok := false
				switch w.text {
				case "name", "blank":
					ok = arg == ""
				case "min", "max":
					ok = arg == strconv.Itoa(w.bound)
				case "enum":
					ok = arg != "" && !slices.Contains(w.list, "")
				case "required", "of":
					ok = true
					inside = append(inside, w.list...)
				}
				if !ok {
					t.Errorf("%s.%s: %s=%s", in, m.field, w.text, arg)
				}
			}
			check(in, m.holds)
		}
	}
	for _, in := range []reflect.Type{reflect.TypeFor[request](), reflect.TypeFor[batchGetRequest](), reflect.TypeFor[batchWriteRequest](),
		reflect.TypeFor[transactGetRequest](), reflect.TypeFor[transactRequest](), reflect.TypeFor[tableDefinition](), reflect.TypeFor[updateRequest](),
		reflect.TypeFor[tableRequest](), reflect.TypeFor[listRequest](), reflect.TypeFor[ttlRequest]()} {
		model := modelOf(in)
		if len(model) == 0 {
			t.Errorf("%s has no tags", in)
		}
		check(in, model)
	}
	for _, name := range inside {
		if name != "" && !fields[name] && operations[name] == nil {
			t.Errorf("no operation and no member is named %s", name)
		}
	}
}
