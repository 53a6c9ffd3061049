// Package cost holds every operation to what it may cost: requests to the
// store and capacity units, cold and warm, against the budget in the operation
// list. docs/costs.md is written from the same measurement, with prices.
//
// It knows operations by their requests only, never how they are carried out.
package cost
