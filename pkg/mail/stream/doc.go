// Package stream reads the table's change stream as a Lambda event source and
// hands the keys of new work to whoever does it: mails to the relay, tasks to
// their runner.
//
// It must not know what the work is. An item that cannot be understood is
// passed over; one whose handler fails is reported by itself
// (ReportBatchItemFailures), so that the batch does not come back whole.
package stream
