// Package attr holds DynamoDB attribute values: their wire JSON, their
// 38-digit numbers, the arithmetic of item sizes, equality and order, the
// order-preserving encoding of keys and the compact encoding of stored items.
//
// Values are immutable once built: code that changes an item copies the maps
// and lists on the way to the change. The package knows nothing of tables,
// expressions or requests.
//
// Source: the AWS pages "Supported data types and naming rules in Amazon
// DynamoDB" and "DynamoDB item sizes and formats".
package attr
