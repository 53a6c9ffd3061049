package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Inventory is what a deployment has to know of the code: api/operations.json.
// The CDK app reads it, because it is a module of its own and cannot import
// this one.
type Inventory struct {
	Index      string        `json:"index"`
	TTL        string        `json:"ttl"`
	Namespace  string        `json:"metricsNamespace"`
	Metrics    []metrics.Set `json:"metrics"`
	CORS       api.CORS      `json:"cors"`
	Authorizer []Grant       `json:"authorizer"`
	Mailer     []Grant       `json:"mailer"`
	// MailerFilter is the event filter of the mailer's stream: new work, and
	// work that was put off.
	MailerFilter string  `json:"mailerFilter"`
	Operations   []Entry `json:"operations"`
}

// Entry is one operation of the inventory.
type Entry struct {
	ID       string     `json:"id"`
	Method   string     `json:"method"`
	Path     string     `json:"path"`
	Access   api.Access `json:"access"`
	Hashes   bool       `json:"hashes,omitempty"`
	Secrets  bool       `json:"secrets,omitempty"`
	Seals    bool       `json:"seals,omitempty"`
	Opens    bool       `json:"opens,omitempty"`
	Sends    bool       `json:"sends,omitempty"`
	Requests int        `json:"requests"`
	Policy   []Grant    `json:"policy"`
}

// Grant is one statement of a function's policy: actions on items whose leading
// keys match one of the patterns.
type Grant struct {
	Actions []api.Action `json:"actions"`
	Keys    []string     `json:"keys"`
	Index   bool         `json:"index,omitempty"`
}

// Grants gives the statements that uses come to. All patterns of an action are
// in one statement: a request on several items carries all their keys, and
// ForAllValues wants every one of them matched by the same statement.
func Grants(uses []api.Use) []Grant {
	out := []Grant{}
	for _, index := range []bool{false, true} {
		keys := map[api.Action][]string{}
		for _, u := range uses {
			for _, a := range u.Actions {
				if u.Index == index && !slices.Contains(keys[a], u.Keys) {
					keys[a] = append(keys[a], u.Keys)
				}
			}
		}
		first := len(out)
		for _, a := range slices.Sorted(maps.Keys(keys)) {
			slices.Sort(keys[a])
			same := slices.IndexFunc(out[first:], func(g Grant) bool { return slices.Equal(g.Keys, keys[a]) })
			if same >= 0 {
				out[first+same].Actions = append(out[first+same].Actions, a)
				continue
			}
			out = append(out, Grant{Actions: []api.Action{a}, Keys: keys[a], Index: index})
		}
	}
	return out
}

// mailer is what the mailer does to the table: it sends what is in the outbox
// and finishes what requests began (deletions and their cascades, mails whose
// being sent must not show in how long a request takes).
var mailer = []api.Use{
	api.On("OUTBOX#*", api.Query, api.PutItem, api.UpdateItem, api.DeleteItem),
	api.On("TASK#*", api.Query, api.PutItem, api.UpdateItem, api.DeleteItem),
	api.On("DEADMAIL", api.PutItem),
	api.On("EMAIL#*", api.GetItem),
	api.On("USER#*", api.Query, api.UpdateItem, api.DeleteItem),
	api.On("ORG#*", api.Query, api.DeleteItem),
	api.On("ENTITY#*", api.DeleteItem),
	api.On("DOC#*", api.DeleteItem),
	api.On("AUDIT#*", api.PutItem),
	api.On("THROTTLE#*", api.PutItem, api.UpdateItem),
	api.OnIndex("ORG#*", api.Query),
	api.OnIndex("ENTITY#*", api.Query),
	api.OnIndex("DOC#*", api.Query),
}

// NewInventory gives the inventory of operations; those of the single machine
// alone are not deployed and not in it.
func NewInventory(ops []api.Operation) Inventory {
	v := Inventory{
		Index: table.IndexName, TTL: table.TTLAttribute, Namespace: metrics.Namespace, Metrics: metrics.Sets(), CORS: api.CrossOrigin(),
		Authorizer:   Grants([]api.Use{api.On("USER#*", api.BatchGetItem)}),
		Mailer:       Grants(mailer),
		MailerFilter: `{"eventName":["INSERT","MODIFY"],"dynamodb":{"Keys":{"PK":{"S":[{"prefix":"OUTBOX#"},{"prefix":"TASK#"}]}}}}`,
	}
	for _, op := range ops {
		if op.Local {
			continue
		}
		e := Entry{ID: op.ID, Method: op.Method, Path: op.Path, Access: op.Access, Hashes: op.Hashes, Secrets: op.Secrets,
			Seals: op.Seals, Opens: op.Opens, Sends: op.Sends, Requests: op.Requests, Policy: Grants(op.Table)}
		v.Operations = append(v.Operations, e)
	}
	return v
}

// indented gives v as JSON that people can read and diffs can show.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return b.Bytes(), nil
}
