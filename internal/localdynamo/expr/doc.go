// Package expr is DynamoDB's expression language: condition, filter,
// key-condition, update and projection expressions. It parses them, checks them
// in the order and in the words of AWS, and evaluates them on one item.
//
// It knows nothing of tables, storage or requests; what depends on a table's
// key schema takes the schema as an argument (KeyCondition.Bind). Every error
// is an *attr.ValidationError, ready to be answered as a ValidationException.
//
// Source: the AWS pages "Using expressions in DynamoDB" and "Service, account,
// and table quotas in Amazon DynamoDB" for the limits; the messages are those
// AWS answers with.
package expr
