package localdynamo

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Mode is how a client of the engine is treated: what it may do, what goes
// wrong, who is told. The zero value is a client that may do everything.
type Mode struct {
	// Policy refuses calls as IAM would; nil allows all.
	Policy *Policy
	// Permitted is told of every permission that the policy gave, before the
	// call is carried out.
	Permitted func(Permission)
	// Fault says what goes wrong with the n-th call, from 1, of an operation.
	Fault func(operation string, n int) Fault
	// Observe is told of every call after it was answered.
	Observe func(Call)
}

// Call is a finished call.
type Call struct {
	Operation string
	Tables    []string
	// Capacity is what the call consumed of all tables and indexes, whether or
	// not the client asked to be told.
	Capacity float64
	// Error is the code of the exception it was answered with, or empty.
	Error string
}

// Permission is an action on the items of one partition of a table, or of an
// index.
type Permission struct{ Action, Index, LeadingKey string }

// Policy lists what a client may do.
type Policy struct{ Statements []Statement }

// Statement allows actions on items whose partition key (of the index, if one
// is queried) matches one of the patterns, as the condition
// "ForAllValues:StringLike" on dynamodb:LeadingKeys does. Transactions need the
// actions of their items, as in IAM: GetItem, PutItem, ConditionCheckItem …
type Statement struct {
	// Actions are names without "dynamodb:"; * stands for anything.
	Actions []string
	// LeadingKeys are patterns with * and ?; empty means any key. A call
	// without a key, like Scan, is refused when there are any: IAM would let it
	// pass, which is not what one writes leading keys for.
	LeadingKeys []string
	// Index is the index whose ARN the statement names as its resource; empty
	// means the table's, which includes no index.
	Index string
}

// Allows reports whether the statement alone permits it.
func (s Statement) Allows(p Permission) bool { return s.allows(p, true) }

func (s Statement) allows(p Permission, keyed bool) bool {
	like := func(patterns []string, text string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			// path.Match stops * at a slash, and knows classes that IAM does not.
			clean := strings.NewReplacer("/", "\x00", `\`, `\\`, "[", `\[`)
			ok, _ := path.Match(clean.Replace(p), strings.ReplaceAll(text, "/", "\x00"))
			return ok
		})
	}
	return s.Index == p.Index && like(s.Actions, p.Action) && (len(s.LeadingKeys) == 0 || keyed && like(s.LeadingKeys, p.LeadingKey))
}

// allow refuses what the policy does not allow. Every operation calls it, as
// soon as the key is known, before it reads anything.
func (c *call) allow(action string, t *table, ix *index, leading attr.Value) error {
	p := c.mode.Policy
	if p == nil {
		return nil
	}
	asked := Permission{Action: action, LeadingKey: leading.S}
	if leading.Kind == attr.KindNumber {
		asked.LeadingKey = leading.N.String()
	}
	if ix != nil {
		asked.Index = ix.name
	}
	if slices.ContainsFunc(p.Statements, func(s Statement) bool { return s.allows(asked, leading.Kind != attr.KindNone) }) {
		if c.mode.Permitted != nil {
			c.mode.Permitted(asked)
		}
		return nil
	}
	resource := "*"
	if t != nil {
		resource = fmt.Sprintf("arn:aws:dynamodb:%s:000000000000:table/%s", c.engine.opts.Region, t.name)
	}
	if ix != nil {
		resource += "/index/" + ix.name
	}
	return refuse("AccessDeniedException", "User: arn:aws:iam::000000000000:user/local is not authorized to perform: "+
		"dynamodb:%[1]s on resource: %[2]s because no identity-based policy allows the dynamodb:%[1]s action", action, resource)
}

// Fault is something that goes wrong with a call.
type Fault struct {
	Kind FaultKind
	// Latency is added before the call is looked at, whatever the kind.
	Latency time.Duration
}

// FaultKind says what goes wrong.
type FaultKind uint8

// The faults.
const (
	NoFault      FaultKind = iota
	Throttled              // refused for want of capacity
	InternalFail           // refused with an internal error, nothing done
	Conflict               // refused because of another transaction on the item
	LostReply              // done, but the connection breaks before the reply
	Dropped                // the connection breaks before anything is done
)

// error returns what the client is answered with, or nil.
func (k FaultKind) error(operation string) error {
	switch k {
	case Throttled:
		return refuse("ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded. "+
			"Consider increasing your provisioning level with the UpdateTable API.")
	case InternalFail:
		return &apiError{status: http.StatusInternalServerError, code: "InternalServerError", message: "Internal server error"}
	case Conflict:
		const message = "Transaction is ongoing for the item"
		if strings.HasPrefix(operation, "Transact") {
			return cancelled([]reason{{Code: "TransactionConflict", Message: message}}, []string{"TransactionConflict"})
		}
		return refuse("TransactionConflictException", message)
	}
	return nil
}

// faults counts the calls of a client.
type faults struct {
	mu     sync.Mutex
	counts map[string]int
}

// next asks the mode what goes wrong with this call and waits its latency.
func (f *faults) next(ctx context.Context, m Mode, operation string) (FaultKind, error) {
	if m.Fault == nil {
		return NoFault, nil
	}
	f.mu.Lock()
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[operation]++
	n := f.counts[operation]
	f.mu.Unlock()
	fault := m.Fault(operation, n)
	if fault.Latency > 0 {
		wait := time.NewTimer(fault.Latency)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return NoFault, ctx.Err()
		}
	}
	return fault.Kind, nil
}
