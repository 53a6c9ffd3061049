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
	maxTransactSize = 4 << 20
	tokenLifetime   = 10 * time.Minute
)

const twiceInTransaction = "Transaction request cannot include multiple operations on one item"

func errTransactSize() error { return invalid("Transaction size exceeds 4 MB limit") }

func (c *call) transaction() bool { return strings.HasPrefix(c.op, "Transact") }

// transactGetRequest and transactRequest are lists of objects with one member,
// named after what is to be done.
type transactGetRequest struct {
	TransactItems []struct {
		Get *request `api:"required"`
	} `api:"required min=1 max=100"`
	asked
	ops []*itemOp
}

type transactRequest struct {
	TransactItems []struct {
		ConditionCheck, Put, Update, Delete *request `api:""`
	} `api:"required min=1 max=100"`
	ClientRequestToken *string `api:"min=1 max=36"`
	asked
	ops []*itemOp
}

func (r *transactGetRequest) check(*call, *violations) error {
	for _, one := range r.TransactItems {
		r.ops = append(r.ops, &itemOp{kind: "GetItem", req: one.Get})
	}
	return nil
}

func (r *transactRequest) check(*call, *violations) (err error) {
	for _, one := range r.TransactItems {
		before := len(r.ops)
		for kind, req := range map[string]*request{"ConditionCheckItem": one.ConditionCheck, "PutItem": one.Put,
			"UpdateItem": one.Update, "DeleteItem": one.Delete} {
			if req != nil {
				r.ops = append(r.ops, &itemOp{kind: kind, req: req})
			}
		}
		switch len(r.ops) - before {
		case 0:
			err = invalid("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
		case 1:
		default:
			err = invalid("TransactItems can only contain one of Check, Put, Update or Delete")
		}
	}
	return err
}

// cancel turns the failures of a transaction's items, nil for none, into the
// exception that names them by position. An error that is not the item's own
// fault is returned as it is.
func cancel(failures []error) error {
	failed := false
	reasons, codes := make([]reason, len(failures)), make([]string, len(failures))
	for i, err := range failures {
		reasons[i].Code = "None"
		if err != nil {
			failed = true
			api := asAPI(err)
			switch {
			case strings.HasPrefix(api.message, emptyKeyMessage):
				return err
			case api.code == "ConditionalCheckFailedException":
				reasons[i] = reason{"ConditionalCheckFailed", api.message, item(api.item)}
			case api.code == "ValidationException":
				reasons[i] = reason{"ValidationError", api.message, nil}
			default:
				return err
			}
		}
		codes[i] = reasons[i].Code
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

func transactWrite(ctx context.Context, c *call, r *transactRequest) (any, error) {
	if err := c.ready(r.ops, twiceInTransaction); err != nil {
		return nil, err
	}
	token, err := r.fingerprint(c.body)
	if err != nil {
		return nil, err
	}
	err = c.engine.update(ctx, func(tx *writeTx) error {
		if token == nil {
			return c.writeAll(tx, r.ops)
		}
		if err := c.engine.redeem(tx, *r.ClientRequestToken, token); err != nil {
			return err
		}
		if err := c.writeAll(tx, r.ops); err != nil {
			return err
		}
		return c.engine.remember(tx, *r.ClientRequestToken, token)
	})
	repeated := errors.Is(err, errRepeated)
	if err != nil && !repeated {
		return nil, err
	}
	kind := "Write"
	for _, op := range r.ops {
		if repeated {
			// Nothing was written: AWS bills the read that finds it out.
			kind = "Read"
			op.cost.table = readUnits(attr.ItemSize(op.req.Item), true, 1)
		}
		op.cost.scale(2)
	}
	c.spendAll(r.ops)
	answer := writesAnswer{ConsumedCapacity: c.capacities(r.ReturnConsumedCapacity, kind)}
	if !repeated {
		answer.ItemCollectionMetrics = r.collections(r.ops)
	}
	return answer, nil
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

func transactGet(ctx context.Context, c *call, r *transactGetRequest) (any, error) {
	if err := c.ready(r.ops, twiceInTransaction); err != nil {
		return nil, err
	}
	size := 0
	if err := c.engine.view(ctx, func(tx *bbolt.Tx) error {
		for _, op := range r.ops {
			if err := op.read(tx); err != nil {
				return err
			}
			size += attr.ItemSize(op.old)
			c.spend(op.t).table += 2 * readUnits(attr.ItemSize(op.old), true, 1)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if size > maxTransactSize {
		return nil, errTransactSize()
	}
	found := make([]itemAnswer, len(r.ops))
	for i, op := range r.ops {
		found[i].Item = item(op.paths.Apply(op.old))
	}
	return struct {
		Responses        []itemAnswer
		ConsumedCapacity []capacity `json:",omitzero"`
	}{found, c.capacities(r.ReturnConsumedCapacity, "Read")}, nil
}
