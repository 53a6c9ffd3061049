package localdynamo

import (
	"cmp"
	"errors"
	"fmt"
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
	TableName *string
	IndexName *string

	Key               attr.Item
	Keys              []attr.Item
	Item              attr.Item
	ExclusiveStartKey attr.Item

	ConditionExpression       *string
	FilterExpression          *string
	KeyConditionExpression    *string
	ProjectionExpression      *string
	UpdateExpression          *string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]attr.Value

	ConsistentRead                      bool
	ScanIndexForward                    *bool
	Limit                               *int
	Segment                             *int
	TotalSegments                       *int
	Select                              *string
	ReturnValues                        *string
	ReturnValuesOnConditionCheckFailure *string
	ReturnConsumedCapacity              *string
	ReturnItemCollectionMetrics         *string

	AttributesToGet     []string
	AttributeUpdates    map[string]legacy.Update
	Expected            map[string]legacy.Condition
	KeyConditions       map[string]legacy.Condition
	QueryFilter         map[string]legacy.Condition
	ScanFilter          map[string]legacy.Condition
	ConditionalOperator *string
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

// violations collects the constraints of the API's model that a request does
// not meet; AWS reports them together, before all other errors.
type violations []string

func (v *violations) add(value, at, constraint string, args ...any) {
	*v = append(*v, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: Member must %s", value, at, fmt.Sprintf(constraint, args...)))
}

func (v violations) err() error {
	if len(v) == 0 {
		return nil
	}
	v = v[:min(len(v), 10)]
	plural := map[bool]string{true: "s"}[len(v) > 1]
	return invalid("%d validation error%s detected: %s", len(v), plural, strings.Join(v, "; "))
}

func (v *violations) required(present bool, at string) {
	if !present {
		v.add("null", at, "not be null")
	}
}

func (v *violations) notEmpty(ok bool, at string) {
	if !ok {
		v.add("'[]'", at, "have length greater than or equal to 1")
	}
}

func (v *violations) enum(p *string, at string, set ...string) {
	if p != nil && !slices.Contains(set, *p) {
		v.add("'"+*p+"'", at, "satisfy enum value set: [%s]", strings.Join(set, ", "))
	}
}

func (v *violations) between(p *int, at string, low, high int) {
	switch {
	case p == nil:
	case *p < low:
		v.add(fmt.Sprintf("'%d'", *p), at, "have value greater than or equal to %d", low)
	case *p > high:
		v.add(fmt.Sprintf("'%d'", *p), at, "have value less than or equal to %d", high)
	}
}

func (v *violations) length(p *string, at string, low, high int) {
	switch {
	case p == nil:
	case len(*p) < low:
		v.add("'"+*p+"'", at, "have length greater than or equal to %d", low)
	case len(*p) > high:
		v.add("'"+*p+"'", at, "have length less than or equal to %d", high)
	}
}

// name checks the name of a table or index. Tables named by ARN are not for us.
func (v *violations) name(p *string, at string, low, high int) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
	if p != nil && strings.Trim(*p, allowed) != "" {
		v.add("'"+*p+"'", at, "satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
	}
	v.length(p, at, low, high)
}

// What may be asked for in the parameters that are enumerations.
const allOld, none = "ALL_OLD", "NONE"

func (r *request) check(c *call, v *violations) error {
	r.checkAt(v, c.op, "")
	return nil
}

// checkAt notes what is wrong with the parameters of one operation on items, or
// of an element of that kind; path is where in a batch or transaction it stands.
func (r *request) checkAt(v *violations, kind, path string) {
	v.required(r.TableName != nil, path+"tableName")
	v.name(r.TableName, path+"tableName", 1, 255)
	if path == "" && is(r.TableName, "") {
		return // AWS looks no further
	}
	v.name(r.IndexName, path+"indexName", 3, 255)
	v.enum(r.ReturnConsumedCapacity, path+"returnConsumedCapacity", "INDEXES", "TOTAL", none)
	v.enum(r.ReturnItemCollectionMetrics, path+"returnItemCollectionMetrics", "SIZE", none)
	v.enum(r.ReturnValues, path+"returnValues", "ALL_NEW", "UPDATED_OLD", allOld, none, "UPDATED_NEW")
	v.enum(r.ReturnValuesOnConditionCheckFailure, path+"returnValuesOnConditionCheckFailure", allOld, none)
	v.enum(r.Select, path+"select", "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
	v.enum(r.ConditionalOperator, path+"conditionalOperator", "OR", "AND")
	v.between(r.Segment, path+"segment", 0, 999999)
	v.between(r.TotalSegments, path+"totalSegments", 1, 1000000)
	v.notEmpty(r.AttributesToGet == nil || len(r.AttributesToGet) > 0, path+"attributesToGet")
	for field, conditions := range map[string]map[string]legacy.Condition{
		"expected": r.Expected, "keyConditions": r.KeyConditions, "queryFilter": r.QueryFilter, "scanFilter": r.ScanFilter} {
		for name, c := range conditions {
			at := path + field + "." + name + ".member.comparisonOperator"
			if c.ComparisonOperator != "" {
				v.enum(&c.ComparisonOperator, at, "IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL",
					"NE", "LE", "BEGINS_WITH", "GE", "CONTAINS")
			} else if field != "expected" {
				v.required(false, at)
			}
		}
	}
	for name, u := range r.AttributeUpdates {
		if u.Action != "" {
			v.enum(&u.Action, path+"attributeUpdates."+name+".member.action", "ADD", "PUT", "DELETE")
		}
	}
	switch kind {
	case "Query", "Scan":
		if kind == "Query" && r.Limit != nil && *r.Limit < 1 {
			*v = append(*v, "Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1")
		} else {
			v.between(r.Limit, "limit", 1, 1<<31-1)
		}
	case "PutItem":
		v.required(r.Item != nil, path+"item")
	default:
		v.required(r.Key != nil, path+"key")
		v.required(kind != "ConditionCheckItem" || r.ConditionExpression != nil, path+"conditionExpression")
		v.required(kind != "UpdateItem" || path == "" || r.UpdateExpression != nil, path+"updateExpression")
	}
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

// parse checks and parses the expressions that the operation has, named by
// expressions; old names the parameters they replaced. between runs after
// the parameters were checked and before anything is parsed, as AWS does.
func (r *request) parse(expressions, old []string, between func() error) (p parsed, err error) {
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
