package localdynamo

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Limits of transactions, and how long a token makes a repeated one harmless.
const (
	maxTransactItems = 100
	maxTransactSize  = 4 << 20
	tokenLifetime    = 10 * time.Minute
)

type transactRequest struct {
	TransactItems               []transactItem
	ClientRequestToken          *string
	ReturnConsumedCapacity      *string
	ReturnItemCollectionMetrics *string
}

// transactItem has one member, named after what is to be done.
type transactItem struct {
	Put, Update, Delete, ConditionCheck, Get *request
}

// check notes what is wrong with the list of a transaction.
func (r *transactRequest) check(v *violations) {
	v.required(r.TransactItems != nil, "transactItems")
	v.enum(r.ReturnConsumedCapacity, "returnConsumedCapacity", "INDEXES", "TOTAL", none)
	v.enum(r.ReturnItemCollectionMetrics, "returnItemCollectionMetrics", "SIZE", none)
	v.length(r.ClientRequestToken, "clientRequestToken", 1, 36)
	if n := len(r.TransactItems); r.TransactItems != nil && n == 0 {
		v.add("'[]'", "transactItems", "have length greater than or equal to 1")
	} else if n > maxTransactItems {
		v.add(fmt.Sprintf("'%s'", javaList(n)), "transactItems", "have length less than or equal to 100")
	}
}

// cancel turns the failures of a transaction's items, nil for none, into the
// exception that names them by position. An error that is not the item's own
// fault is returned as it is.
func cancel(failures []error) error {
	failed := false
	reasons, codes := make([]reason, len(failures)), make([]string, len(failures))
	for i, err := range failures {
		reasons[i].code = "None"
		if err != nil {
			failed = true
			api := asAPI(err)
			if strings.HasPrefix(api.message, emptyKeyMessage) {
				return err
			}
			switch api.code {
			case "ConditionalCheckFailedException":
				reasons[i] = reason{"ConditionalCheckFailed", api.message, api.item}
			case "ValidationException":
				reasons[i] = reason{"ValidationError", api.message, nil}
			default:
				return err
			}
		}
		codes[i] = reasons[i].code
	}
	if !failed {
		return nil
	}
	return cancelled(reasons, codes)
}

func cancelled(reasons []reason, codes []string) error {
	return &apiError{status: 400, code: "TransactionCanceledException", reasons: reasons,
		message: fmt.Sprintf("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))}
}

func errSameItem() error {
	return invalid("Transaction request cannot include multiple operations on one item")
}

// writes checks a write transaction and lists its items.
func (r *transactRequest) writes() ([]*itemWrite, error) {
	var v violations
	r.check(&v)
	writes := make([]*itemWrite, len(r.TransactItems))
	var odd error
	for i, one := range r.TransactItems {
		given := 0
		take := func(kind, field string, req *request) {
			if req == nil {
				return
			}
			given++
			writes[i] = &itemWrite{kind: kind, req: req}
			path := fmt.Sprintf("transactItems.%d.member.%s.", i+1, field)
			writes[i].require(&v, path)
			if kind == "ConditionCheckItem" {
				v.required(req.ConditionExpression != nil, path+"conditionExpression")
			}
			if kind == "UpdateItem" {
				v.required(req.UpdateExpression != nil, path+"updateExpression")
			}
		}
		take("ConditionCheckItem", "conditionCheck", one.ConditionCheck)
		take("PutItem", "put", one.Put)
		take("UpdateItem", "update", one.Update)
		take("DeleteItem", "delete", one.Delete)
		if given == 0 {
			odd = invalid("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
		} else if given > 1 {
			odd = invalid("TransactItems can only contain one of Check, Put, Update or Delete")
		}
	}
	if err := v.err(); err != nil || odd != nil {
		return nil, errors.Join(err, odd)
	}
	for _, w := range writes {
		if err := w.prepare(); err != nil {
			return nil, err
		}
	}
	return writes, nil
}

func transactWrite(ctx context.Context, c *call, body []byte) ([]byte, error) {
	r, err := decode[transactRequest](body)
	if err != nil {
		return nil, err
	}
	writes, err := r.writes()
	if err != nil {
		return nil, err
	}
	failures, seen := make([]error, len(writes)), itemSet{}
	for i, w := range writes {
		t, err := c.table(*w.req.TableName)
		if err != nil {
			return nil, err
		}
		if failures[i] = w.bind(t); failures[i] != nil {
			continue
		}
		if !seen.add(t, w.key) {
			return nil, errSameItem()
		}
		if err := c.allow(w.kind, t, nil, w.hash()); err != nil {
			return nil, err
		}
	}
	if err := cancel(failures); err != nil {
		return nil, err
	}
	token, err := r.fingerprint(body)
	if err != nil {
		return nil, err
	}
	costs := make([]consumed, len(writes))
	err = c.engine.update(ctx, func(tx *writeTx) error {
		if token != nil {
			if err := c.engine.redeem(tx, *r.ClientRequestToken, token); err != nil {
				return err
			}
		}
		if err := c.engine.transact(tx, writes, costs); err != nil || token == nil {
			return err
		}
		return c.engine.remember(tx, *r.ClientRequestToken, token)
	})
	repeated := errors.Is(err, errRepeated)
	if err != nil && !repeated {
		return nil, err
	}
	kind := "Write"
	for i, w := range writes {
		if repeated {
			// Nothing was written: AWS bills the read that finds it out.
			kind = "Read"
			costs[i].table = readUnits(attr.ItemSize(w.req.Item), true, 1)
		}
		costs[i].scale(2)
		c.spend(w.t).add(&costs[i])
	}
	o := newObject()
	c.capacity(o, r.ReturnConsumedCapacity, true, kind)
	if is(r.ReturnItemCollectionMetrics, "SIZE") && !repeated {
		collections(o, writes)
	}
	return o.done(), nil
}

// transact evaluates all writes on the items as they are, and applies all or,
// when one fails, none.
func (e *Engine) transact(tx *writeTx, writes []*itemWrite, costs []consumed) error {
	failures, size := make([]error, len(writes)), 0
	for i, w := range writes {
		if err := w.rebind(e); err != nil {
			return err
		}
		failures[i] = w.evaluate(tx.Tx)
		size += attr.ItemSize(w.next)
	}
	if err := cancel(failures); err != nil {
		return err
	}
	if size > maxTransactSize {
		return invalid("Transaction size exceeds 4 MB limit")
	}
	for i, w := range writes {
		if err := w.apply(tx, &costs[i]); err != nil {
			return err
		}
	}
	return nil
}

// errRepeated ends a transaction that was done before under the same token.
var errRepeated = errors.New("localdynamo: transaction repeated")

// fingerprint is a digest of what a transaction does: of its items in a form
// that does not depend on the order in which a client writes members.
func (r *transactRequest) fingerprint(body []byte) ([]byte, error) {
	if r.ClientRequestToken == nil {
		return nil, nil
	}
	raw, err := decode[struct{ TransactItems jsontext.Value }](body)
	if err != nil {
		return nil, err
	}
	if err := raw.TransactItems.Canonicalize(jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw.TransactItems)
	return sum[:], nil
}

// redeem fails with errRepeated if the token was used for the same transaction
// in the last ten minutes, and with AWS's error if it was for another.
func (e *Engine) redeem(tx *writeTx, token string, fingerprint []byte) error {
	used := tx.Bucket(bucketTokens).Get([]byte(token))
	switch {
	case used == nil || !e.opts.Now().Before(tokenExpiry(used)):
		return nil
	case string(used[8:]) != string(fingerprint):
		return refuse("IdempotentParameterMismatchException",
			"The request uses the same client token as a previous, but non-identical request.")
	}
	return errRepeated
}

// remember notes with a transaction the token under which it is done.
func (e *Engine) remember(tx *writeTx, token string, fingerprint []byte) error {
	expiry := binary.BigEndian.AppendUint64(nil, uint64(e.opts.Now().Add(tokenLifetime).UnixNano()))
	tx.dirty = true
	return tx.Bucket(bucketTokens).Put([]byte(token), append(expiry, fingerprint...))
}

func tokenExpiry(used []byte) time.Time {
	return time.Unix(0, int64(binary.BigEndian.Uint64(used)))
}

func transactGet(ctx context.Context, c *call, body []byte) ([]byte, error) {
	r, err := decode[transactRequest](body)
	if err != nil {
		return nil, err
	}
	var v violations
	r.check(&v)
	for i, one := range r.TransactItems {
		path := fmt.Sprintf("transactItems.%d.member.get", i+1)
		v.required(one.Get != nil, path)
		if one.Get != nil {
			one.Get.check(&v, path+".")
			v.required(one.Get.Key != nil, path+".key")
		}
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	reads := make([]*itemRead, len(r.TransactItems))
	for i, one := range r.TransactItems {
		reads[i] = &itemRead{req: one.Get}
		if err := reads[i].prepare(); err != nil {
			return nil, err
		}
	}
	failures, seen := make([]error, len(reads)), itemSet{}
	for i, read := range reads {
		t, err := c.table(*read.req.TableName)
		if err != nil {
			return nil, err
		}
		if failures[i] = read.bind(t); failures[i] != nil {
			continue
		}
		if !seen.add(t, read.key) {
			return nil, errSameItem()
		}
		if err := c.allow("GetItem", t, nil, read.req.Key[t.keys.hash.Name]); err != nil {
			return nil, err
		}
	}
	if err := cancel(failures); err != nil {
		return nil, err
	}
	found := make([]attr.Item, len(reads))
	size := 0
	if err := c.engine.view(ctx, func(tx *bbolt.Tx) error {
		for i, read := range reads {
			if found[i], err = get(tx, read.t, read.key); err != nil {
				return err
			}
			size += attr.ItemSize(found[i])
			c.spend(read.t).table += 2 * readUnits(attr.ItemSize(found[i]), true, 1)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if size > maxTransactSize {
		return nil, invalid("Transaction size exceeds 4 MB limit")
	}
	o := newObject()
	c.capacity(o, r.ReturnConsumedCapacity, true, "Read")
	o.list("Responses", len(found), func(i int) {
		one := newObject()
		if found[i] != nil {
			one.item("Item", reads[i].project(found[i]))
		}
		o.append(one)
	})
	return o.done(), nil
}
