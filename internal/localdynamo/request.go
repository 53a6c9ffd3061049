package localdynamo

import (
	"cmp"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/legacy"
)

// request has the parameters of every operation on items, and of every element
// of a batch or transaction; an operation looks at those it has. A nil pointer
// is a parameter that is absent or null.
type request struct {
	TableName *string `api:"required name min=1 max=255"`
	IndexName *string `api:"name min=3 max=255"`

	ReturnConsumedCapacity              *string `api:"enum=INDEXES|TOTAL|NONE"`
	ReturnItemCollectionMetrics         *string `api:"enum=SIZE|NONE"`
	ReturnValues                        *string `api:"enum=ALL_NEW|UPDATED_OLD|ALL_OLD|NONE|UPDATED_NEW"`
	ReturnValuesOnConditionCheckFailure *string `api:"enum=ALL_OLD|NONE"`
	Select                              *string `api:"enum=SPECIFIC_ATTRIBUTES|COUNT|ALL_ATTRIBUTES|ALL_PROJECTED_ATTRIBUTES"`
	ConditionalOperator                 *string `api:"enum=OR|AND"`
	ConsistentRead                      bool
	ScanIndexForward                    *bool
	Segment                             *int                        `api:"min=0 max=999999"`
	TotalSegments                       *int                        `api:"min=1 max=1000000"`
	AttributesToGet                     []string                    `api:"min=1"`
	Expected                            map[string]legacy.Condition `api:""`
	KeyConditions                       map[string]legacy.Condition `api:""`
	QueryFilter                         map[string]legacy.Condition `api:""`
	ScanFilter                          map[string]legacy.Condition `api:""`
	AttributeUpdates                    map[string]legacy.Update    `api:""`
	Limit                               *int                        `api:"of=Query|Scan min=1 max=2147483647"`

	Item              attr.Item `api:"required=PutItem|Put|PutRequest"`
	Key               attr.Item `api:"required=GetItem|UpdateItem|DeleteItem|Get|Update|Delete|ConditionCheck|DeleteRequest"`
	Keys              []attr.Item
	ExclusiveStartKey attr.Item

	ConditionExpression       *string `api:"required=ConditionCheck"`
	UpdateExpression          *string `api:"required=Update"`
	FilterExpression          *string
	KeyConditionExpression    *string
	ProjectionExpression      *string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]attr.Value
}

// decode reads a request's JSON. Wrong JSON is a SerializationException;
// unknown members are ignored, as AWS does.
func decode[T any](body []byte) (*T, error) {
	r := new(T)
	err := json.Unmarshal(body, r, jsontext.AllowDuplicateNames(true))
	if err == nil {
		return r, nil
	}
	var shape *attr.SerializationError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &shape):
		return nil, shape
	case errors.As(err, &semantic) && semantic.GoType != nil:
		class, scalar := javaClass(semantic.GoType)
		return nil, attr.WrongShape(semantic.JSONKind, string(semantic.JSONValue), "class "+class, scalar)
	}
	return nil, &apiError{status: 400, code: "SerializationException"}
}

// javaClass names the class of AWS's code that stands for a type, and what AWS
// says of a scalar in its place, if that does not depend on the scalar.
func javaClass(t reflect.Type) (class, scalar string) {
	switch t.Kind() {
	case reflect.Pointer:
		return javaClass(t.Elem())
	case reflect.String:
		return "java.lang.String", ""
	case reflect.Bool:
		return "java.lang.Boolean", ""
	case reflect.Int:
		return "java.lang.Integer", ""
	case reflect.Map:
		return "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>", "Unexpected field type"
	}
	return "com.amazonaws.dynamodb.v20120810." + t.Name(), "Unexpected field type"
}

// What may be asked for in the parameters that are enumerations.
const allOld, none = "ALL_OLD", "NONE"

// check notes what the model does not say.
func (r *request) check(c *call, v *violations) error {
	switch {
	case is(r.TableName, ""):
		*v = (*v)[:1] // AWS looks no further
	case c.op == "Query" && r.Limit != nil && *r.Limit < 1:
		for i, text := range *v {
			if strings.Contains(text, "at 'limit'") {
				(*v)[i] = "Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1"
			}
		}
	}
	return nil
}

// is reports whether an enumeration parameter has a value.
func is(p *string, value string) bool { return p != nil && *p == value }

// parsed are the expressions of a request, nil where it has none. Legacy
// parameters are translated into expressions, so nothing after this knows of them.
type parsed struct {
	condition *expr.Condition // or filter
	key       *expr.KeyCondition
	update    *expr.Update
	paths     expr.Projection
}

// optional parses a parameter if the request has it and nothing failed before.
func optional[T any](failed *error, src *string, params *expr.Params, parse func(string, *expr.Params) (T, error)) (t T) {
	if src != nil && *failed == nil {
		t, *failed = parse(*src, params)
	}
	return t
}

// language returns the names of the expressions that a kind of operation has, and
// of the older parameters that they replaced.
func language(kind string) (expressions, old []string) {
	switch kind {
	case "GetItem":
		return []string{"ProjectionExpression"}, []string{"AttributesToGet"}
	case "UpdateItem":
		return []string{"UpdateExpression", "ConditionExpression"}, []string{"AttributeUpdates", "Expected", "ConditionalOperator"}
	case "Query":
		return []string{"ProjectionExpression", "FilterExpression", "KeyConditionExpression"},
			[]string{"AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"}
	case "Scan":
		return []string{"ProjectionExpression", "FilterExpression"}, []string{"AttributesToGet", "ScanFilter", "ConditionalOperator"}
	}
	return []string{"ConditionExpression"}, []string{"Expected", "ConditionalOperator"}
}

// parse checks and parses the expressions of a kind of operation. between runs
// after the parameters were checked and before anything is parsed, as AWS does.
func (r *request) parse(kind string, between func() error) (p parsed, err error) {
	expressions, old := language(kind)
	params := &expr.Params{Names: r.ExpressionAttributeNames, Values: r.ExpressionAttributeValues}
	if err := r.checkParams(params, expressions, old); err != nil {
		return p, err
	}
	if err := between(); err != nil {
		return p, err
	}
	p.update = optional(&err, r.UpdateExpression, params, expr.ParseUpdate)
	p.condition = optional(&err, r.ConditionExpression, params, expr.ParseCondition)
	p.key = optional(&err, r.KeyConditionExpression, params, expr.ParseKeyCondition)
	if filter := optional(&err, r.FilterExpression, params, expr.ParseFilter); filter != nil {
		p.condition = filter
	}
	p.paths = optional(&err, r.ProjectionExpression, params, expr.ParseProjection)
	if err == nil {
		err = params.CheckAllUsed()
	}
	if err == nil && slices.ContainsFunc(old, r.has) {
		err = r.parseLegacy(&p)
	}
	return p, err
}

// parseLegacy adds to p what the request says in legacy parameters.
func (r *request) parseLegacy(p *parsed) error {
	operator := ""
	if r.ConditionalOperator != nil {
		operator = *r.ConditionalOperator
	}
	var errs [6]error
	if r.AttributesToGet != nil {
		p.paths, errs[0] = legacy.Attributes(r.AttributesToGet)
	}
	if r.AttributeUpdates != nil {
		p.update, errs[1] = legacy.Updates(r.AttributeUpdates)
	}
	for i, conditions := range []map[string]legacy.Condition{r.Expected, r.QueryFilter, r.ScanFilter} {
		if len(conditions) > 0 {
			p.condition, errs[2+i] = legacy.Conditions(conditions, operator, i == 0)
		}
	}
	if r.KeyConditions != nil {
		p.key, errs[5] = legacy.KeyConditions(r.KeyConditions)
	}
	return cmp.Or(errs[:]...)
}

func (r *request) has(name string) bool { return !reflect.ValueOf(r).Elem().FieldByName(name).IsNil() }

// given lists which of the named parameters the request has.
func (r *request) given(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !r.has(name) })
}

func errMixed(old, expressions []string) error {
	return invalid("Can not use both expression and non-expression parameters in the same request: "+
		"Non-expression parameters: {%s} Expression parameters: {%s}", strings.Join(old, ", "), strings.Join(expressions, ", "))
}

func (r *request) checkParams(params *expr.Params, expressions, old []string) error {
	if !slices.ContainsFunc(expressions, r.has) && r.ExpressionAttributeNames == nil && r.ExpressionAttributeValues == nil {
		return nil
	}
	used := r.given(expressions)
	if len(used) > 0 {
		// The old key conditions go with new filters and projections.
		if r.KeyConditions != nil && r.KeyConditionExpression == nil {
			old = slices.DeleteFunc(slices.Clone(old), func(s string) bool { return s == "KeyConditions" })
		}
		if old := r.given(old); len(old) > 0 {
			return errMixed(old, used)
		}
	}
	if r.ExpressionAttributeNames != nil && len(used) == 0 {
		return invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	if r.ExpressionAttributeValues != nil {
		taking := slices.DeleteFunc(slices.Clone(expressions), func(s string) bool { return s == "ProjectionExpression" })
		if len(r.given(taking)) == 0 {
			verb := map[bool]string{true: "are", false: "is"}[len(taking) > 1]
			return invalid("ExpressionAttributeValues can only be specified when using expressions: %s %s null", strings.Join(taking, " and "), verb)
		}
	}
	return params.Check()
}

// checkValues returns what is wrong with the values of an item or key.
func checkValues(it attr.Item) error {
	var failed error
	for name, v := range it {
		if err := v.Validate(); err != nil {
			// Of several, always the same one: the alphabetically first.
			failed = nil
			for _, name := range slices.Sorted(maps.Keys(it)) {
				if failed = it[name].Validate(); failed != nil {
					break
				}
			}
			return failed
		}
		if name == "" {
			failed = invalidParam("An AttributeValue may not contain an empty attribute name")
		}
	}
	return failed
}
