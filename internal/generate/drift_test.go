package generate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"go.yaml.in/yaml/v2"

	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/generate"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// These read the checked-in files as their users do, not through the generator:
// SAM the template, clients the OpenAPI document, the CDK app the inventory.

// deployed are the operations that AWS gets.
func deployed() map[string]api.Operation {
	out := map[string]api.Operation{}
	for _, op := range catalog.Operations(catalog.Services{}, nil) {
		if !op.Local {
			out[op.ID] = op
		}
	}
	return out
}

// workers are the functions without a route.
var workers = []string{"authorizer", "key-rotator", "mailer"}

type samFunction struct {
	Type       string `yaml:"Type"`
	Properties struct {
		CodeURI  string `yaml:"CodeUri"`
		Memory   int    `yaml:"MemorySize"`
		Reserved any    `yaml:"ReservedConcurrentExecutions"`
		Policies []struct {
			Statement []any `yaml:"Statement"`
		} `yaml:"Policies"`
		Events map[string]samEvent `yaml:"Events"`
	} `yaml:"Properties"`
}

type samEvent struct {
	Type       string `yaml:"Type"`
	Properties struct {
		Method  string `yaml:"Method"`
		Path    string `yaml:"Path"`
		Payload string `yaml:"PayloadFormatVersion"`
		Auth    struct {
			Authorizer string `yaml:"Authorizer"`
		} `yaml:"Auth"`
	} `yaml:"Properties"`
}

type samTemplate struct {
	Parameters map[string]any `yaml:"Parameters"`
	Globals    struct {
		Function struct {
			Environment struct {
				Variables map[string]any `yaml:"Variables"`
			} `yaml:"Environment"`
		} `yaml:"Function"`
	} `yaml:"Globals"`
	Resources map[string]samFunction `yaml:"Resources"`
}

func readTemplate(t *testing.T) (template samTemplate, raw []byte) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &template); err != nil {
		t.Fatal(err)
	}
	return template, raw
}

// functionsOf gives the template's functions by the directory of their code.
func functionsOf(template samTemplate) map[string]samFunction {
	out := map[string]samFunction{}
	for _, r := range template.Resources {
		if r.Type == "AWS::Serverless::Function" {
			out[strings.TrimSuffix(strings.TrimPrefix(r.Properties.CodeURI, "dist/"), "/")] = r
		}
	}
	return out
}

func TestEverythingDeployedIsAnOperationAndEveryOperationIsDeployed(t *testing.T) {
	ops := deployed()
	ids := slices.Sorted(maps.Keys(ops))
	named := func(pattern, end string, but ...string) []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, path := range found {
			if name := strings.TrimSuffix(filepath.Base(path), end); !slices.Contains(but, name) {
				out = append(out, name)
			}
		}
		return out
	}
	template, _ := readTemplate(t)
	inTemplate := slices.DeleteFunc(slices.Sorted(maps.Keys(functionsOf(template))), func(name string) bool { return slices.Contains(workers, name) })
	for what, got := range map[string][]string{
		"functions/": named("functions/*", "", workers...), "events/": named("events/*.json", ".json", "authorizer"), "template.yaml": inTemplate,
	} {
		if slices.Sort(got); !slices.Equal(got, ids) {
			t.Errorf("%s has %d, the catalog %d: %v", what, len(got), len(ids), difference(got, ids))
		}
	}
}

// difference gives what only one of two lists has.
func difference(a, b []string) []string {
	var out []string
	for _, pair := range [][2][]string{{a, b}, {b, a}} {
		for _, s := range pair[0] {
			if !slices.Contains(pair[1], s) {
				out = append(out, s)
			}
		}
	}
	return out
}

func TestRoutesAndAccessAreThoseOfTheOpenAPIDocument(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, "api/openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string           `json:"operationId"`
			Access      string           `json:"x-lanyard-access"`
			Security    []map[string]any `json:"security"`
		}
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	template, _ := readTemplate(t)
	functions := functionsOf(template)
	for id, op := range deployed() {
		in, ok := document.Paths[op.Path][strings.ToLower(op.Method)]
		if !ok || in.OperationID != id || in.Access != string(op.Access) {
			t.Errorf("%s: the document has %+v", id, in)
		}
		if op.Access == api.Public && len(in.Security) > 0 {
			t.Errorf("%s is public, and the document asks for %v", id, in.Security)
		}
		route := functions[id].Properties.Events["Route"]
		if p := route.Properties; route.Type != "HttpApi" || p.Method != op.Method || p.Path != op.Path || p.Payload != "2.0" || (p.Auth.Authorizer == "Lanyard") != (op.Access != api.Public) {
			t.Errorf("%s: the template has %+v", id, route)
		}
		var e events.APIGatewayV2HTTPRequest
		sample, err := os.ReadFile(filepath.Join(root, "events", id+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(sample, &e); err != nil {
			t.Fatal(err)
		}
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(op.Path), "[^/]+") + "$")
		if e.Version != "2.0" || e.RouteKey != op.RouteKey() || !pattern.MatchString(e.RawPath) || (e.RequestContext.Authorizer != nil) != (op.Access != api.Public) {
			t.Errorf("%s: the event has %s %s", id, e.RouteKey, e.RawPath)
		}
	}
}

// statements gives what a function of the template may do to the store, in the
// inventory's form, and whether it may read the key ring.
func statements(t *testing.T, f samFunction) (grants []string, ring bool) {
	t.Helper()
	for _, p := range f.Properties.Policies {
		for _, statement := range p.Statement {
			st, ok := statement.(map[any]any)
			if !ok {
				continue // conditional: TestTemplateLetsFunctionsUseKeysAsDeclared
			}
			actions := fmt.Sprint(st["Action"])
			if strings.Contains(actions, "*") || strings.Contains(actions, "Scan") || strings.HasSuffix(fmt.Sprint(st["Resource"]), "*") {
				t.Errorf("a statement allows too much: %v", st)
			}
			ring = ring || strings.Contains(actions, "ssm:GetParameter")
			if !strings.Contains(actions, "dynamodb:") {
				continue
			}
			condition, _ := st["Condition"].(map[any]any)
			like, _ := condition["ForAllValues:StringLike"].(map[any]any)
			null, _ := condition["Null"].(map[any]any)
			if null["dynamodb:LeadingKeys"] != "false" {
				t.Errorf("a request without a key is allowed: %v", st)
			}
			index := strings.Contains(fmt.Sprint(st["Resource"]), "/index/"+table.IndexName)
			grants = append(grants, fmt.Sprintf("%s %v %v", strings.ReplaceAll(actions, "dynamodb:", ""), like["dynamodb:LeadingKeys"], index))
		}
	}
	slices.Sort(grants)
	return grants, ring
}

func TestTemplateAllowsWhatOperationsDeclare(t *testing.T) {
	template, _ := readTemplate(t)
	functions := functionsOf(template)
	want := func(grants []generate.Grant) (out []string) {
		for _, g := range grants {
			out = append(out, fmt.Sprintf("%v %v %v", g.Actions, g.Keys, g.Index))
		}
		slices.Sort(out)
		return out
	}
	for id, op := range deployed() {
		f := functions[id]
		grants, ring := statements(t, f)
		if w := want(generate.Grants(op.Table)); !slices.Equal(grants, w) {
			t.Errorf("%s:\n got %q\nwant %q", id, grants, w)
		}
		if ring != op.Secrets {
			t.Errorf("%s may read the key ring: %v, needs it: %v", id, ring, op.Secrets)
		}
		if (f.Properties.Memory == 1769) != op.Hashes || (f.Properties.Reserved != nil) != op.Hashes {
			t.Errorf("%s hashes: %v, memory %d, reserved %v", id, op.Hashes, f.Properties.Memory, f.Properties.Reserved)
		}
	}
	inventory := generate.NewInventory(catalog.Operations(catalog.Services{}, nil))
	for name, g := range map[string][]generate.Grant{"authorizer": inventory.Authorizer, "mailer": inventory.Mailer, "key-rotator": nil} {
		if grants, ring := statements(t, functions[name]); !slices.Equal(grants, want(g)) || !ring {
			t.Errorf("%s: %q, ring %v", name, grants, ring)
		}
	}
}

// TestTemplateLetsFunctionsUseKeysAsDeclared looks at the statements that are
// there where KMS seals: as declared, on the deployment's keys, with the
// encryption context.
func TestTemplateLetsFunctionsUseKeysAsDeclared(t *testing.T) {
	template, _ := readTemplate(t)
	ops, users := deployed(), 0
	for name, f := range functionsOf(template) {
		var got []string
		for _, p := range f.Properties.Policies {
			for _, statement := range p.Statement {
				if _, ok := statement.(map[any]any); !ok {
					got = append(got, fmt.Sprint(statement))
				}
			}
		}
		op, actions := ops[name], []string{}
		if op.Seals {
			actions = append(actions, "kms:Encrypt")
		}
		if op.Opens {
			actions = append(actions, "kms:Decrypt")
		}
		var want []string
		if len(actions) > 0 {
			users++
			want = []string{fmt.Sprintf("[SealsWithKms map[Action:%v Condition:map[ForAllValues:StringEquals:map[kms:EncryptionContextKeys:[lanyard:purpose lanyard:user]] StringEquals:map[kms:EncryptionContext:lanyard:purpose:totp]] Effect:Allow Resource:MfaKmsKeys] AWS::NoValue]", actions)}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
	if users != 5 {
		t.Errorf("%d functions use keys", users)
	}
}

func TestTemplateSetsSettingsThatExist(t *testing.T) {
	template, _ := readTemplate(t)
	variables := template.Globals.Function.Environment.Variables
	if len(variables) < 5 {
		t.Fatalf("only %d variables", len(variables))
	}
	for name, value := range variables {
		if !slices.ContainsFunc(config.Fields(), func(f config.Field) bool { return f.Variable == name }) {
			t.Errorf("%s is no setting", name)
		}
		if ref, ok := value.(string); ok && template.Parameters[ref] == nil && ref != "Table" && ref != "ses" {
			t.Errorf("%s is %q, which is no parameter", name, ref)
		}
	}
}

// TestTableIsThatOfTheCode compares the template's table with the one that the
// code makes for itself on a local store.
func TestTableIsThatOfTheCode(t *testing.T) {
	store := dynamotest.New(t)
	if store.Engine == nil {
		t.Skip("asks the embedded engine")
	}
	describe := func(operation string) (out map[string]any) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(`{"TableName":"`+store.Name()+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
		res, err := store.Engine.RoundTripper().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", operation, res.StatusCode, err)
		}
		return out
	}
	var resources struct {
		Resources map[string]struct {
			Properties map[string]any `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	_, raw := readTemplate(t)
	if err := yaml.Unmarshal(raw, &resources); err != nil {
		t.Fatal(err)
	}
	ours := resources.Resources["Table"].Properties
	theirs, ok := describe("DescribeTable")["Table"].(map[string]any)
	if !ok {
		t.Fatal("no table")
	}
	gsi := func(of any) map[string]any {
		t.Helper()
		list, ok := of.([]any)
		if !ok || len(list) != 1 {
			t.Fatalf("indexes %v", of)
		}
		return object(list[0])
	}
	for what, pair := range map[string][2]any{
		"attributes":         {ours["AttributeDefinitions"], theirs["AttributeDefinitions"]},
		"key":                {ours["KeySchema"], theirs["KeySchema"]},
		"name of the index":  {gsi(ours["GlobalSecondaryIndexes"])["IndexName"], gsi(theirs["GlobalSecondaryIndexes"])["IndexName"]},
		"key of the index":   {gsi(ours["GlobalSecondaryIndexes"])["KeySchema"], gsi(theirs["GlobalSecondaryIndexes"])["KeySchema"]},
		"projection":         {gsi(ours["GlobalSecondaryIndexes"])["Projection"], gsi(theirs["GlobalSecondaryIndexes"])["Projection"]},
		"time-to-live field": {object(ours["TimeToLiveSpecification"])["AttributeName"], table.TTLAttribute},
	} {
		if a, b := written(pair[0]), written(pair[1]); a != b {
			t.Errorf("%s: the template has %s, the code %s", what, a, b)
		}
	}
}

// object gives a map of any kind of key as one with strings.
func object(v any) map[string]any {
	out := map[string]any{}
	switch m := v.(type) {
	case map[string]any:
		return m
	case map[any]any:
		for k, x := range m {
			out[fmt.Sprint(k)] = x
		}
	}
	return out
}

// written gives a value in one way, lists in order of their elements.
func written(v any) string {
	switch x := v.(type) {
	case map[string]any, map[any]any:
		var b bytes.Buffer
		m := object(x)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(&b, "%s=%s,", k, written(m[k]))
		}
		return "{" + b.String() + "}"
	case []any:
		parts := make([]string, len(x))
		for i, e := range x {
			parts[i] = written(e)
		}
		slices.Sort(parts)
		return fmt.Sprint(parts)
	}
	return fmt.Sprint(v)
}
