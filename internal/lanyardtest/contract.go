package lanyardtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	openapi "github.com/lanyard-auth/lanyard/api"
)

// contract is the checked-in OpenAPI document, ready to hold answers to it.
// OpenAPI 3.1 schemas are JSON Schema 2020-12, so a validator of that is the
// judge; formats are asserted, not only annotated.
type contract struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	routes   *http.ServeMux // only to find which path template a request meets
	paths    map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"content"`
		} `json:"responses"`
	}
}

// theContract reads the document once for all tests of a binary.
var theContract = sync.OnceValues(newContract)

func newContract() (*contract, error) {
	const name = "https://lanyard.invalid/openapi.json"
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.Document))
	if err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	c := &contract{compiler: jsonschema.NewCompiler(), routes: http.NewServeMux()}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource(name, parsed); err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	var doc struct {
		Paths json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(openapi.Document, &doc); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(doc.Paths, &c.paths); err != nil {
		return nil, err
	}
	for path, methods := range c.paths {
		for method := range methods {
			c.routes.HandleFunc(strings.ToUpper(method)+" "+path, func(http.ResponseWriter, *http.Request) {})
		}
	}
	return c, nil
}

// check gives what is wrong with an answer, nil when it is as documented: a
// status and media type that the operation declares, and a body that its
// schema accepts. What meets no operation must be a problem.
func (c *contract) check(r *http.Request, status int, header http.Header, body []byte) error {
	// API Gateway refuses a forged token itself, in its own words.
	if status == http.StatusForbidden && string(body) == `{"message":"Forbidden"}` {
		return nil
	}
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil && len(body) > 0 {
		return fmt.Errorf("content type %q: %w", header.Get("Content-Type"), err)
	}
	if r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return nil
	}
	_, pattern := c.routes.Handler(r)
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		if status < 400 || strings.HasPrefix(r.URL.Path, "/dev/") {
			return nil
		}
		return c.accepts("/components/schemas/Problem", body)
	}
	method = strings.ToLower(method)
	op := c.paths[path][method]
	code := strconv.Itoa(status)
	response, declared := op.Responses[code]
	if !declared {
		if code = "default"; op.Responses[code].Content == nil {
			return fmt.Errorf("status %d is not declared", status)
		}
		response = op.Responses[code]
	}
	if len(response.Content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("a body where none is declared: %s", body)
		}
		return nil
	}
	content, declared := response.Content[media]
	if !declared {
		return fmt.Errorf("media type %q is not declared for status %s", media, code)
	}
	if content.Schema == nil || !strings.HasSuffix(media, "json") {
		return nil
	}
	return c.accepts("/paths/"+pointer(path)+"/"+method+"/responses/"+code+"/content/"+pointer(media)+"/schema", body)
}

// accepts holds a body to the schema at a JSON pointer of the document.
func (c *contract) accepts(at string, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	c.mu.Lock()
	schema, err := c.compiler.Compile("https://lanyard.invalid/openapi.json#" + at)
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("schema %s: %w", at, err)
	}
	return schema.Validate(value)
}

// pointer escapes one reference token (RFC 6901 §4, in a URI fragment).
func pointer(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(token)
}
