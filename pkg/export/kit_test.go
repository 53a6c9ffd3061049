package export_test

import (
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
)

func engineOptions() localdynamo.Options { return localdynamo.Options{TTLEvery: -1} }

var errCut = errors.New("the line was cut")

// cutAfter lets so many requests through and none after them.
func cutAfter(n int) dynamotest.Interceptor {
	var seen atomic.Int64
	return func(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
		if seen.Add(1) > int64(n) {
			return nil, errCut
		}
		return next.RoundTrip(r)
	}
}
