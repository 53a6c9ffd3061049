package localdynamo

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// object writes a JSON object member by member into one buffer: answers are
// mostly items, which are written where they belong and not copied again.
type object struct{ b []byte }

func newObject() *object { return &object{b: append(make([]byte, 0, 512), '{')} }

func (o *object) key(name string) {
	if last := o.b[len(o.b)-1]; last != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

func (o *object) string(name, value string) {
	o.key(name)
	// The only error is invalid UTF-8, which is written as U+FFFD.
	o.b, _ = jsontext.AppendQuote(o.b, value)
}

func (o *object) int(name string, n int) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, int64(n), 10)
}

func (o *object) float(name string, f float64) {
	o.key(name)
	o.b = strconv.AppendFloat(o.b, f, 'f', 1, 64)
}

func (o *object) item(name string, it attr.Item) {
	o.key(name)
	o.b = attr.AppendItemJSON(o.b, it)
}

func (o *object) items(name string, items []attr.Item) {
	o.list(name, len(items), func(i int) { o.b = attr.AppendItemJSON(o.b, items[i]) })
}

// raw writes a member whose value is JSON already.
func (o *object) raw(name, value string) {
	o.key(name)
	o.b = append(o.b, value...)
}

// object writes an object where a value belongs.
func (o *object) object(fill func()) {
	o.b = append(o.b, '{')
	fill()
	o.b = append(o.b, '}')
}

// nest writes a member that is an object itself.
func (o *object) nest(name string, fill func()) {
	o.key(name)
	o.object(fill)
}

// list writes an array of n elements, each written by one.
func (o *object) list(name string, n int, one func(i int)) {
	o.key(name)
	o.b = append(o.b, '[')
	for i := range n {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		one(i)
	}
	o.b = append(o.b, ']')
}

func (o *object) done() []byte { return append(o.b, '}') }
