package generate

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Inventory is what a deployment has to know of the code: api/operations.json.
// The CDK app reads it, because it is a module of its own and cannot import
// this one.
type Inventory struct {
	Index      string  `json:"index"`
	TTL        string  `json:"ttl"`
	Namespace  string  `json:"metricsNamespace"`
	Authorizer []Use   `json:"authorizer"`
	Mailer     []Use   `json:"mailer"`
	Operations []Entry `json:"operations"`
}

// Entry is one operation of the inventory.
type Entry struct {
	ID       string     `json:"id"`
	Method   string     `json:"method"`
	Path     string     `json:"path"`
	Access   api.Access `json:"access"`
	Hashes   bool       `json:"hashes,omitempty"`
	Secrets  bool       `json:"secrets,omitempty"`
	Sends    bool       `json:"sends,omitempty"`
	Requests int        `json:"requests"`
	Table    []Use      `json:"table"`
}

// Use is an api.Use.
type Use struct {
	Keys    string       `json:"keys"`
	Index   bool         `json:"index,omitempty"`
	Actions []api.Action `json:"actions"`
}

// NewInventory gives the inventory of operations; those of the single machine
// alone are not deployed and not in it.
func NewInventory(ops []api.Operation) Inventory {
	all := []api.Action{api.Query, api.GetItem, api.BatchGetItem, api.PutItem, api.UpdateItem, api.DeleteItem, api.ConditionCheck}
	v := Inventory{
		Index: table.IndexName, TTL: table.TTLAttribute, Namespace: metrics.Namespace,
		Authorizer: []Use{{Keys: "USER#*", Actions: []api.Action{api.GetItem, api.BatchGetItem}}},
	}
	// Tasks finish what requests began (deletions, cascades), so the mailer
	// reaches every kind of item, but never the whole table at once.
	for _, keys := range []string{"OUTBOX#*", "TASK#*", "USER#*", "EMAIL#*", "USERNAME#*", "TOKEN#*", "ORG#*", "ENTITY#*", "DOC#*", "AUDIT#*", "THROTTLE#*", "DEADMAIL", "DELEGATION#*", "META"} {
		v.Mailer = append(v.Mailer, Use{Keys: keys, Actions: all})
	}
	for _, keys := range []string{"USER#*", "ORG#*", "ENTITY#*", "DOC#*"} {
		v.Mailer = append(v.Mailer, Use{Keys: keys, Index: true, Actions: []api.Action{api.Query}})
	}
	for _, op := range ops {
		if op.Local {
			continue
		}
		e := Entry{ID: op.ID, Method: op.Method, Path: op.Path, Access: op.Access, Hashes: op.Hashes, Secrets: op.Secrets,
			Sends: op.Sends, Requests: op.Requests, Table: []Use{}}
		for _, u := range op.Table {
			e.Table = append(e.Table, Use{Keys: u.Keys, Index: u.Index, Actions: u.Actions})
		}
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
