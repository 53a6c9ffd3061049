package localdynamo

import (
	"encoding/json"
	"path"
	"slices"
	"time"
)

// Observation is what is known of a request after it was answered.
type Observation struct {
	Operation string
	Status    int
	Units     float64 // capacity units consumed
	Took      time.Duration
	Request   []byte // the body; not to be kept or changed
}

// FaultKind is what goes wrong with a request.
type FaultKind int

// The faults. A dropped request is not carried out; a dropped reply is.
const (
	NoFault FaultKind = iota
	Throttle
	InternalError
	Conflict
	DropRequest
	DropReply
)

// Fault is what goes wrong with one request, and how long it takes before.
type Fault struct {
	Kind  FaultKind
	Delay time.Duration
}

// conflicted is the answer to a transaction that met another one.
func conflicted(body []byte) *apiError {
	var r struct{ TransactItems []json.RawMessage }
	_ = json.Unmarshal(body, &r) // a malformed body has no items
	reasons := make([]cancellation, max(1, len(r.TransactItems)))
	for i := range reasons {
		reasons[i].code = "None"
	}
	reasons[0] = cancellation{code: "TransactionConflict", message: "Transaction is ongoing for the item"}
	return cancelled(reasons)
}

// Policy is what a caller may do, as an IAM policy with dynamodb:LeadingKeys
// would say it. nil allows everything.
type Policy []Statement

// Statement allows actions on partition keys of a pattern (with * for any
// run of characters), in the table or in an index.
type Statement struct {
	Actions []string
	Keys    string
	Index   bool
}

// SetPolicy replaces the policy; nil allows everything again.
func (e *Engine) SetPolicy(p Policy) { e.policy.Store(&p) }

// permit refuses a request that the policy does not allow, as IAM would.
func (e *Engine) permit(operation string, body []byte) error {
	p := *e.policy.Load()
	if p == nil {
		return nil
	}
	accesses, err := e.accessesOf(operation, body)
	if err != nil {
		return err
	}
	for _, a := range accesses {
		if !slices.ContainsFunc(p, func(s Statement) bool { return s.allows(a) }) {
			return fail("AccessDeniedException", "User is not authorized to perform: dynamodb:%s on leading key %q", a.action, a.key)
		}
	}
	return nil
}

type access struct {
	action string
	key    string
	index  bool
}

func (s Statement) allows(a access) bool {
	if !slices.Contains(s.Actions, a.action) || s.Index != a.index {
		return false
	}
	ok, err := path.Match(s.Keys, a.key)
	return err == nil && ok
}
