package localdynamo

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Limits of transactions.
const (
	maxTransactItems = 100
	maxTransactBytes = 4 << 20
	tokenLife        = 10 * time.Minute
)

type transactWriteRequest struct {
	TransactItems          []transactWriteItem
	ClientRequestToken     string
	ReturnConsumedCapacity string

	body []byte // as received, to tell a repeated request from another one
}

type transactWriteItem struct {
	ConditionCheck, Put, Delete, Update *writeParams
}

func (i transactWriteItem) one() (string, *writeParams, error) {
	var kind string
	var p *writeParams
	for k, v := range map[string]*writeParams{"ConditionCheck": i.ConditionCheck, "Put": i.Put, "Delete": i.Delete, "Update": i.Update} {
		if v == nil {
			continue
		}
		if p != nil {
			return "", nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
		}
		kind, p = k, v
	}
	if p == nil {
		return "", nil, invalid("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
	}
	return kind, p, nil
}

// tokenMemory remembers the requests of the last ten minutes by their token.
type tokenMemory struct {
	mu   sync.Mutex
	now  func() time.Time
	seen map[string]rememberedToken
}

type rememberedToken struct {
	digest [sha256.Size]byte
	at     time.Time
	spent  map[string]*capacity
}

var errTokenMismatch = fail("IdempotentParameterMismatchException", "The provided client token is already in use with different parameters")

// find gives what a token did earlier; ok is false for a new one.
func (m *tokenMemory) find(token string, digest [sha256.Size]byte) (spent map[string]*capacity, ok bool, err error) {
	if token == "" {
		return nil, false, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.seen[token]
	if !ok || m.now().Sub(r.at) >= tokenLife {
		return nil, false, nil
	}
	if r.digest != digest {
		return nil, false, errTokenMismatch
	}
	return r.spent, true, nil
}

func (m *tokenMemory) keep(token string, digest [sha256.Size]byte, spent map[string]*capacity) {
	if token == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if m.seen == nil {
		m.seen = map[string]rememberedToken{}
	}
	if len(m.seen) > 10_000 {
		for k, r := range m.seen {
			if now.Sub(r.at) >= tokenLife {
				delete(m.seen, k)
			}
		}
	}
	m.seen[token] = rememberedToken{digest, now, spent}
}

type transactWriteAnswer struct {
	Consumed []*wireCapacity `json:"ConsumedCapacity,omitempty"`
}

func (e *call) transactWriteItems(r *transactWriteRequest) (any, error) {
	if r.TransactItems == nil {
		return nil, missing("transactItems")
	}
	if len(r.TransactItems) == 0 || len(r.TransactItems) > maxTransactItems {
		return nil, transactSize(len(r.TransactItems))
	}
	if len(r.ClientRequestToken) > 36 {
		return nil, invalid("1 validation error detected: Value '%s' at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to 36", r.ClientRequestToken)
	}
	writes := make([]*itemWrite, len(r.TransactItems))
	seen := map[string]bool{}
	size := 0
	for i, item := range r.TransactItems {
		kind, p, err := item.one()
		if err != nil {
			return nil, err
		}
		if err := checkTableName(p.TableName); err != nil {
			return nil, err
		}
		if kind == "ConditionCheck" && p.ConditionExpression == nil {
			return nil, invalid("1 validation error detected: Value null at 'transactItems.%d.member.conditionCheck.conditionExpression' failed to satisfy constraint: Member must not be null", i+1)
		}
		if writes[i], err = e.parseWrite(kind, p); err != nil {
			return nil, err
		}
		id := p.TableName + "\x00" + string(writes[i].key)
		if seen[id] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[id] = true
		size += itemSize(p.Item)
	}
	if size > maxTransactBytes {
		return nil, invalid("Collection size exceeded: transaction items are larger than 4 MB")
	}
	digest := sha256.Sum256(r.body)
	spent := map[string]*capacity{}
	replayed := false
	err := e.update(func(tx *bbolt.Tx, tables map[string]*tableMeta) (map[string]*tableMeta, error) {
		// Asked here, in the one writer, so that two requests with one token
		// cannot both be the first.
		was, ok, err := e.tokens.find(r.ClientRequestToken, digest)
		if err != nil {
			return nil, err
		}
		if ok {
			spent, replayed = was, true
			return nil, nil
		}
		outcomes := make([]outcome, len(writes))
		reasons := make([]cancellation, len(writes))
		failed := false
		total := 0
		for i, w := range writes {
			reasons[i].code = "None"
			t, ok := tables[w.table]
			if !ok {
				return nil, errNoTable
			}
			o, err := w.decide(tx, t)
			var api *apiError
			switch {
			case err == nil:
			case errors.As(err, new(*storeFailure)):
				return nil, err
			default:
				api = asAPIError(err)
				failed = true
				reasons[i] = cancellation{code: reasonCode(api), message: api.message, item: api.item}
			}
			outcomes[i] = o
			total += itemSize(o.after)
		}
		if failed {
			return nil, cancelled(reasons)
		}
		if total > maxTransactBytes {
			return nil, invalid("Collection size exceeded: transaction items are larger than 4 MB")
		}
		for i, w := range writes {
			t, o := tables[w.table], outcomes[i]
			c := spent[w.table]
			if c == nil {
				c = &capacity{}
				spent[w.table] = c
			}
			t.countWrite(c, o.before, o.after, 2)
			if w.kind != "ConditionCheck" {
				if err := t.put(tx, w.key, o.before, o.after); err != nil {
					return nil, err
				}
			}
		}
		e.tokens.keep(r.ClientRequestToken, digest, spent)
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	var out transactWriteAnswer
	for _, name := range sortedNames(spent) {
		c := *spent[name]
		if replayed { // a repeated request is charged as reads
			c = capacity{table: c.table, read: c.table}
		} else {
			c.write = c.total()
		}
		e.spent(&c)
		if w := c.wire(name, r.ReturnConsumedCapacity); w != nil {
			out.Consumed = append(out.Consumed, w)
		}
	}
	return out, nil
}

func transactSize(n int) error {
	bound := "greater than or equal to 1"
	if n > 0 {
		bound = "less than or equal to 100"
	}
	return invalid("1 validation error detected: Value '[%s]' at 'transactItems' failed to satisfy constraint: Member must have length %s",
		strings.TrimSuffix(strings.Repeat("com.amazonaws.dynamodb.v20120810.TransactWriteItem, ", min(n, 3)), ", "), bound)
}

func reasonCode(e *apiError) string {
	switch e.code {
	case "ConditionalCheckFailedException":
		return "ConditionalCheckFailed"
	case "ValidationException":
		return "ValidationError"
	}
	return e.code
}

// cancelled is the answer to a transaction that could not happen, with a
// reason for each of its items, in their order.
func cancelled(reasons []cancellation) *apiError {
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.code
	}
	e := fail("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
	e.reasons = reasons
	return e
}

type transactGetRequest struct {
	TransactItems []struct {
		Get *struct {
			TableName                string
			Key                      map[string]attr.Value
			ProjectionExpression     *string
			ExpressionAttributeNames map[string]string
		}
	}
	ReturnConsumedCapacity string
}

type transactGetAnswer struct {
	Responses []itemAnswer
	Consumed  []*wireCapacity `json:"ConsumedCapacity,omitempty"`
}

func (e *call) transactGetItems(r *transactGetRequest) (any, error) {
	if r.TransactItems == nil {
		return nil, missing("transactItems")
	}
	if n := len(r.TransactItems); n == 0 || n > maxTransactItems {
		return nil, transactSize(n)
	}
	type ask struct {
		table   *tableMeta
		key     []byte
		project func(attr.Item) attr.Item
	}
	asks := make([]ask, len(r.TransactItems))
	seen := map[string]bool{}
	for i, item := range r.TransactItems {
		g := item.Get
		if g == nil {
			return nil, invalid("1 validation error detected: Value null at 'transactItems.%d.member.get' failed to satisfy constraint: Member must not be null", i+1)
		}
		if err := checkTableName(g.TableName); err != nil {
			return nil, err
		}
		var err error
		if asks[i].project, err = parseProjection(g.ProjectionExpression, nil, g.ExpressionAttributeNames); err != nil {
			return nil, err
		}
		if err := checkValues(g.Key); err != nil {
			return nil, err
		}
		if asks[i].table, err = e.table(g.TableName); err != nil {
			return nil, err
		}
		if asks[i].key, err = asks[i].table.keyGiven(g.Key); err != nil {
			return nil, err
		}
		id := fmt.Sprintf("%s\x00%s", g.TableName, asks[i].key)
		if seen[id] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[id] = true
	}
	out := transactGetAnswer{Responses: make([]itemAnswer, len(asks))}
	spent := map[string]*capacity{}
	total := 0
	err := e.view(func(tx *bbolt.Tx) error {
		for i, a := range asks {
			it, err := a.table.get(tx, a.key)
			if err != nil {
				return err
			}
			total += itemSize(it)
			c := spent[a.table.Name]
			if c == nil {
				c = &capacity{}
				spent[a.table.Name] = c
			}
			c.table += 2 * readUnits(itemSize(it), true)
			out.Responses[i].Item = wireItem(a.project(it))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if total > maxTransactBytes {
		return nil, invalid("Collection size exceeded: transaction items are larger than 4 MB")
	}
	for _, name := range sortedNames(spent) {
		c := spent[name]
		c.read = c.table
		e.spent(c)
		if w := c.wire(name, r.ReturnConsumedCapacity); w != nil {
			out.Consumed = append(out.Consumed, w)
		}
	}
	return out, nil
}
