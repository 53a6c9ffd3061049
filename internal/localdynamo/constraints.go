package localdynamo

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// member is what the API's model says of a member of a structure. It is read
// from the field's tag, a list of words:
//
//	required        must not be null; required=A|B: only inside those
//	of=A|B          is a member only inside those
//	min=1 max=255   of a number, or of the length of a string or list
//	name            has the characters of a table's or index's name
//	enum=A|B        is one of these
//	blank           an empty string is none
//
// A structure is inside the operation or the member that holds it. A field
// without the tag is not looked at.
type member struct {
	index []int
	field string
	name  string // of the field, as messages spell it
	words []word
	part  bool     // of some structures only
	holds []member // of the structure, or of a list's or map's elements
}

// word is a word of a tag, with what follows "=" as a list and as a number.
type word struct {
	text  string
	list  []string
	bound int
}

// modelOf reads the tags of a structure, or of those that a pointer, list or
// map leads to.
func modelOf(t reflect.Type) (model []member) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		tag, ok := f.Tag.Lookup("api")
		if !ok {
			continue
		}
		m := member{index: f.Index, field: f.Name, name: strings.ToLower(f.Name[:1]) + f.Name[1:],
			part: strings.Contains(tag, "of="), holds: modelOf(f.Type)}
		for _, text := range strings.Fields(tag) {
			text, list, _ := strings.Cut(text, "=")
			bound, _ := strconv.Atoi(list) // 0 where it is none
			m.words = append(m.words, word{text, strings.Split(list, "|"), bound})
		}
		model = append(model, m)
	}
	return model
}

// has reports whether the tag has a word that holds inside something.
func (m *member) has(text, inside string) bool {
	return slices.ContainsFunc(m.words, func(w word) bool {
		return w.text == text && (w.list[0] == "" || slices.Contains(w.list, inside))
	})
}

// violations collects the constraints of the API's model that a request does
// not meet; AWS reports them together, before all other errors.
type violations []string

func (v *violations) add(value, at, constraint string) {
	*v = append(*v, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: Member must %s", value, at, constraint))
}

func (v violations) err() error {
	if len(v) == 0 {
		return nil
	}
	v = v[:min(len(v), 10)]
	plural := map[bool]string{true: "s"}[len(v) > 1]
	return invalid("%d validation error%s detected: %s", len(v), plural, strings.Join(v, "; "))
}

// check notes what is wrong with a value inside something: a structure, or a
// list or map of them. path is where it stands, followed by what separates it
// from its members.
func (v *violations) check(model []member, s reflect.Value, inside, path string) {
	switch s.Kind() {
	case reflect.Pointer:
		if !s.IsNil() {
			v.check(model, s.Elem(), inside, path)
		}
	case reflect.Slice:
		for i := range s.Len() {
			v.check(model, s.Index(i), inside, fmt.Sprintf("%s%d.member.", path, i+1))
		}
	case reflect.Map:
		for _, key := range s.MapKeys() {
			v.check(model, s.MapIndex(key), inside, path+key.String()+".member.")
		}
	case reflect.Struct:
		for _, m := range model {
			f := s.FieldByIndex(m.index)
			if m.part && !m.has("of", inside) {
				continue
			}
			if k := f.Kind(); (k == reflect.Pointer || k == reflect.Slice || k == reflect.Map) && f.IsNil() || m.has("blank", inside) && f.IsZero() {
				if m.has("required", inside) {
					v.add("null", path+m.name, "not be null")
				}
				continue
			}
			v.member(&m, reflect.Indirect(f), path+m.name)
			if m.holds != nil {
				v.check(m.holds, f, m.field, path+m.name+".")
			}
		}
	}
}

// member notes what is wrong with the value of a member.
func (v *violations) member(m *member, f reflect.Value, at string) {
	text, size, what := "", 0, "length"
	switch f.Kind() {
	case reflect.String:
		text, size = f.String(), f.Len()
	case reflect.Int:
		text, size, what = strconv.FormatInt(f.Int(), 10), int(f.Int()), "value"
	case reflect.Slice:
		text, size = "["+elements(f)+"]", f.Len()
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
	for _, w := range m.words {
		var constraint string
		switch {
		case w.text == "name" && strings.Trim(text, allowed) != "":
			constraint = "satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
		case w.text == "min" && size < w.bound:
			constraint = fmt.Sprintf("have %s greater than or equal to %d", what, w.bound)
		case w.text == "max" && size > w.bound:
			constraint = fmt.Sprintf("have %s less than or equal to %d", what, w.bound)
		case w.text == "enum" && !slices.Contains(w.list, text):
			constraint = fmt.Sprintf("satisfy enum value set: [%s]", strings.Join(w.list, ", "))
		default:
			continue
		}
		v.add("'"+text+"'", at, constraint)
	}
}

// elements stands for those of a list that AWS prints in full, as its language
// does.
func elements(list reflect.Value) string {
	if list.Len() == 0 {
		return ""
	}
	if _, ok := list.Index(0).Interface().(fmt.Stringer); !ok {
		return fmt.Sprintf("%d elements", list.Len())
	}
	texts := make([]string, list.Len())
	for i := range texts {
		texts[i] = fmt.Sprint(list.Index(i))
	}
	return strings.Join(texts, ", ")
}
