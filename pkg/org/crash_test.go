package org_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/org"
)

// The types of answers, named so that lists of them can be paged through.
type (
	orgMember       = org.Member
	orgOrganization = org.Organization
	orgInvitation   = org.Invitation
)

var errCrash = errors.New("the process is gone")

// crashing carries out the tasks in processes that die again and again: every
// so many requests one more than before, until a whole run goes through.
func (w *world) crashing() {
	w.t.Helper()
	defer w.store.Transport.Intercept(nil)
	for life := 3; life < 3000; life = life*3/2 + 1 {
		var n atomic.Int64
		w.store.Transport.Intercept(func(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
			if n.Add(1) > int64(life) {
				return nil, errCrash
			}
			return next.RoundTrip(r)
		})
		for range 500 {
			met, err := w.tasks.Drain(w.t.Context())
			if err != nil || met == 0 {
				break
			}
		}
		w.pass(15 * time.Minute) // longer than any lease or pause
	}
}
