package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	openapi "github.com/lanyard-auth/lanyard/api"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
)

// naughtyStrings is the Big List of Naughty Strings, and some that it lacks
// because it is a file of lines.
func naughtyStrings(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(npm(t, "blns"), "resources", "blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) < 400 {
		t.Fatalf("only %d strings", len(list))
	}
	return append(list, "\x00", "a\x00b", "a\nb", "a\r\nSet-Cookie: x=y", "\x1b[31mred", "\u2028", "\u202eltr", "\ufeff", "\ufffe", "\U0010ffff",
		`","level":"ERROR","msg":"forged`, "a\n{\"level\":\"ERROR\",\"msg\":\"forged\"}", strings.Repeat("🏴", 40))
}

// root makes a super admin and signs them in.
func root(t *testing.T, w *lanyardtest.World) *lanyardtest.Client {
	t.Helper()
	if _, err := w.Services.Operators.Bootstrap(t.Context(), "root@example.com", lanyardtest.Password); err != nil {
		t.Fatal(err)
	}
	c := w.Client()
	c.Login(map[string]any{"email": "root@example.com", "password": lanyardtest.Password})
	return c
}

// sound holds an answer to: taken, or refused as a problem; never an error of
// the server's own. (That it is as the API's document says, lanyardtest checks.)
func sound(t *testing.T, what, s string, a *lanyardtest.Answer) bool {
	t.Helper()
	switch {
	case a.Status >= 200 && a.Status < 300:
		return true
	case a.Status >= 400 && a.Status < 500 && a.Text("code") != "" && strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json"):
		return false
	}
	t.Errorf("%s with %q: %d %s", what, s, a.Status, a.Raw)
	return false
}

// logged starts Lanyard with the log line a request that the functions write on
// AWS. Its second value holds the log, once all is sent, to: each line one JSON
// object without a control character, nothing forged, and exactly one request
// line for each request that came in.
func logged(t *testing.T) (*lanyardtest.World, func()) {
	t.Helper()
	w := lanyardtest.Start(t)
	auth, _, err := w.Assembly.Authorizer()
	if err != nil {
		t.Fatal(err)
	}
	observe := metrics.Observer(w.Logs, w.Assembly.Deps.Log, "test", w.Clock.Now)
	h, err := w.Assembly.Server(catalog.Operations(w.Services, openapi.Document), auth, observe)
	if err != nil {
		t.Fatal(err)
	}
	var came atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		came.Add(1)
		h.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w, func() {
		t.Helper()
		requests, seen := int64(0), map[string]string{}
		for line := range strings.SplitSeq(strings.TrimSuffix(w.Logs.String(), "\n"), "\n") {
			var entry struct {
				EMF       *json.RawMessage `json:"_aws"`
				RequestID string           `json:"requestId"`
				Level     string           `json:"level"`
				Msg       string           `json:"msg"`
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "ERROR" || entry.Msg == "forged" ||
				!utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("log line %q: %v", line, err)
			}
			if entry.EMF != nil && entry.RequestID != "" {
				requests++
				if first, twice := seen[entry.RequestID]; twice {
					t.Errorf("two lines for one request: %s and %s", first, line)
				}
				seen[entry.RequestID] = line
			}
		}
		if requests != came.Load() || requests == 0 {
			t.Errorf("%d request lines for %d requests", requests, came.Load())
		}
	}
}

// TestNaughtyStringsComeBackAsTheyAre sends every string through every field
// whose text is given back, and reads it again by another request: it is the
// same, byte for byte, or it was refused.
func TestNaughtyStringsComeBackAsTheyAre(t *testing.T) {
	t.Parallel()
	list := naughtyStrings(t)
	w, check := logged(t)
	c := w.Registered("nina@example.com")
	admin := root(t, w)
	org := c.Post("/api/organizations", map[string]any{"name": "Naughty"}).Want(201).Text("id")
	entity := c.Post("/api/organizations/"+org+"/entities", map[string]any{"type": "boat", "name": "one"}).Want(201).Text("id")
	document := c.Post("/api/entities/"+entity+"/documents", map[string]any{"title": "one"}).Want(201).Text("id")
	type obj = map[string]any
	patch := func(path string, body func(string) obj, field string) func(string) (*lanyardtest.Answer, string, string) {
		return func(s string) (*lanyardtest.Answer, string, string) { return c.Patch(path, body(s)), path, field }
	}
	post := func(path, under string, body func(string) obj, field string) func(string) (*lanyardtest.Answer, string, string) {
		return func(s string) (*lanyardtest.Answer, string, string) {
			a := c.Post(path, body(s))
			return a, under + a.Text("id"), field
		}
	}
	in := func(path string) func(string) obj {
		parts := strings.Split(path, ".")
		return func(s string) obj {
			var v any = s
			for i := len(parts) - 1; i >= 0; i-- {
				v = obj{parts[i]: v}
			}
			return v.(obj)
		}
	}
	with := func(fixed obj, field string) func(string) obj {
		return func(s string) obj {
			out := obj{field: s}
			for k, v := range fixed {
				out[k] = v
			}
			return out
		}
	}
	fields := map[string]func(string) (*lanyardtest.Answer, string, string){
		"organization name":     patch("/api/organizations/"+org, in("name"), "name"),
		"new entity name":       post("/api/organizations/"+org+"/entities", "/api/entities/", with(obj{"type": "boat"}, "name"), "name"),
		"new entity type":       post("/api/organizations/"+org+"/entities", "/api/entities/", with(obj{"name": "x"}, "type"), "type"),
		"entity name":           patch("/api/entities/"+entity, in("name"), "name"),
		"entity attribute":      patch("/api/entities/"+entity, in("attributes.colour"), "attributes.colour"),
		"new document title":    post("/api/entities/"+entity+"/documents", "/api/documents/", in("title"), "title"),
		"document title":        patch("/api/documents/"+document, in("title"), "title"),
		"document content":      patch("/api/documents/"+document, in("content"), "content"),
		"document content type": patch("/api/documents/"+document, in("contentType"), "contentType"),
		"username":              patch("/api/auth/me", in("username"), "username"),
		"profile set by an operator": func(s string) (*lanyardtest.Answer, string, string) {
			return admin.Patch("/api/users/"+c.UserID, obj{"profile": obj{"lastName": s}}), "/api/auth/me", "profile.lastName"
		},
	}
	for _, f := range []string{
		"firstName", "lastName", "phone", "language", "currency",
		"address.street", "address.street2", "address.city", "address.region", "address.postalCode", "address.country",
	} {
		fields["profile."+f] = patch("/api/auth/me", in("profile."+f), "profile."+f)
	}
	for name, send := range fields {
		taken := 0
		for _, s := range list {
			a, path, field := send(s)
			if !sound(t, name, s, a) {
				continue
			}
			taken++
			if got, _ := c.Get(path).Want(200).Value(field).(string); got != s {
				t.Errorf("%s: %q came back as %q", name, s, got)
			}
		}
		t.Logf("%s: %d of %d taken", name, taken, len(list))
		if taken == 0 {
			t.Errorf("%s: everything was refused", name)
		}
	}
	// A key of an attribute is free text as well.
	for _, s := range list {
		if sound(t, "attribute key", s, c.Patch("/api/entities/"+entity, obj{"attributes": obj{s: "v"}})) {
			attributes, _ := c.Get("/api/entities/" + entity).Want(200).Value("attributes").(map[string]any)
			if len(attributes) != 1 || attributes[s] != "v" {
				t.Errorf("attribute key: %q came back as %v", s, attributes)
			}
		}
	}
	check()
}

// TestNaughtyStringsAsPasswords: what is taken as a password signs in, and
// nothing near it does.
func TestNaughtyStringsAsPasswords(t *testing.T) {
	t.Parallel()
	list := naughtyStrings(t)
	w := lanyardtest.Start(t)
	taken := 0
	for i, s := range list {
		name := fmt.Sprintf("naughty%d", i)
		if !sound(t, "register", s, w.Client().Post("/api/auth/register", map[string]any{"username": name, "password": s})) {
			continue
		}
		taken++
		w.Client().Login(map[string]any{"username": name, "password": s})
		for _, near := range []string{s + "x", s + "\x00", s + " ", s[:len(s)-1] + "\x7f"} {
			if !utf8.ValidString(near) {
				continue
			}
			w.Client().Post("/api/auth/login", map[string]any{"username": name, "password": near}).Problem(401, "invalid_credentials")
		}
	}
	if taken < 100 {
		t.Errorf("only %d of %d were long enough", taken, len(list))
	}
}

// schema is as much of JSON Schema as the API's document uses in requests.
type schema struct {
	Ref        string            `json:"$ref"`
	Type       json.RawMessage   `json:"type"`
	Format     string            `json:"format"`
	Enum       []any             `json:"enum"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
	Items      *schema           `json:"items"`
}

type parameter struct {
	Name, In string
	Required bool
}

type operation struct {
	ID          string      `json:"operationId"`
	Parameters  []parameter `json:"parameters"`
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	} `json:"requestBody"`
}

// document is the API's own description, from which the fields are taken, so
// that a field added tomorrow is among them.
type document struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

func (d document) resolve(s schema) schema {
	if s.Ref != "" {
		return d.Components.Schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
	}
	return s
}

// leaves gives the path of every string in a body of that schema.
func (d document) leaves(s schema, at []string) [][]string {
	s = d.resolve(s)
	var out [][]string
	if strings.Contains(string(s.Type), `"string"`) {
		out = append(out, append([]string{}, at...))
	}
	for name, p := range s.Properties {
		if name != "$schema" {
			out = append(out, d.leaves(p, append(at, name))...)
		}
	}
	if s.Items != nil {
		out = append(out, d.leaves(*s.Items, append(at, "[]"))...)
	}
	return out
}

// body makes one that fits the schema, with s at a path: only what is required
// or on the way there.
func (d document) body(of schema, way []string, s string, known map[string]any, name string) any {
	of = d.resolve(of)
	switch {
	case of.Properties != nil:
		out := map[string]any{}
		for _, r := range of.Required {
			out[r] = d.body(of.Properties[r], nil, s, known, r)
		}
		if len(way) > 0 {
			next := way[0]
			if len(way) == 1 {
				out[next] = s
			} else {
				out[next] = d.body(of.Properties[next], way[1:], s, known, next)
			}
		}
		return out
	case of.Items != nil:
		if len(way) == 1 {
			return []any{s}
		}
		if len(way) > 1 {
			return []any{d.body(*of.Items, way[1:], s, known, name)}
		}
		return []any{d.body(*of.Items, nil, s, known, name)}
	case len(of.Enum) > 0:
		return of.Enum[0]
	}
	if v, ok := known[name]; ok {
		return v
	}
	switch {
	case of.Format == "date-time":
		return known["expiresAt"]
	case strings.Contains(string(of.Type), `"string"`):
		return "plain"
	case strings.Contains(string(of.Type), `"integer"`), strings.Contains(string(of.Type), `"number"`):
		return 1
	case strings.Contains(string(of.Type), `"boolean"`):
		return true
	}
	return map[string]any{}
}

// TestNaughtyStringsNowhereBreakAnything sends strings in every string of every
// body, in every query parameter and in every part of a path that the API's
// document names: identifiers, tokens, codes, addresses, reasons, AuthZEN's
// subjects. Each place gets every eighth string, each time others.
func TestNaughtyStringsNowhereBreakAnything(t *testing.T) {
	t.Parallel()
	list := naughtyStrings(t)
	var doc document
	if err := json.Unmarshal(openapi.Document, &doc); err != nil {
		t.Fatal(err)
	}
	w, check := logged(t)
	c := root(t, w)
	other := w.Registered("otto@example.com")
	org := c.Post("/api/organizations", map[string]any{"name": "Naughty"}).Want(201).Text("id")
	entity := c.Post("/api/organizations/"+org+"/entities", map[string]any{"type": "boat", "name": "one"}).Want(201).Text("id")
	documentID := c.Post("/api/entities/"+entity+"/documents", map[string]any{"title": "one"}).Want(201).Text("id")
	known := map[string]any{
		"password": lanyardtest.Password, "currentPassword": lanyardtest.Password, "newPassword": lanyardtest.Password + "!",
		"email": "new@example.com", "newEmail": "newer@example.com", "userId": other.UserID, "orgId": org, "organizationId": org,
		"entityId": entity, "documentId": documentID, "expiresAt": w.Clock.Now().Add(time.Hour).Format(time.RFC3339), "reason": "asked",
		"scope": "platform", "id": entity, "type": "entity",
	}
	path := func(template, part, s string) string {
		for name, v := range known {
			if text, ok := v.(string); ok && name != part {
				template = strings.ReplaceAll(template, "{"+name+"}", text)
			}
		}
		template = strings.ReplaceAll(template, "{"+part+"}", url.PathEscape(s))
		for strings.Contains(template, "{") {
			before, rest, _ := strings.Cut(template, "{")
			_, after, _ := strings.Cut(rest, "}")
			template = before + other.UserID + after
		}
		return template
	}
	places, sent, taken := 0, 0, 0
	try := func(what string, send func(s string) *lanyardtest.Answer) {
		for i := places % 8; i < len(list); i += 8 {
			sent++
			a := send(list[i])
			if (a.Status == http.StatusMovedPermanently || a.Status == http.StatusTemporaryRedirect) && strings.HasPrefix(a.Header.Get("Location"), "/") {
				continue // a path of dots, put right
			}
			if a.Status == http.StatusUnauthorized && c.Get("/api/auth/me").Status != http.StatusOK {
				t.Fatalf("%s with %q signed the caller out", what, list[i])
			}
			if sound(t, what, list[i], a) {
				taken++
			}
		}
		places++
	}
	for template, methods := range doc.Paths {
		for method, op := range methods {
			switch op.ID {
			case "auth-logout", "auth-logout-all", "auth-sessions-end": // end the caller's session
				continue
			}
			method = strings.ToUpper(method)
			content := op.RequestBody.Content["application/json"].Schema
			for _, leaf := range doc.leaves(content, nil) {
				if leaf[len(leaf)-1] == "newPassword" {
					continue // TestNaughtyStringsAsPasswords; a change would end the session
				}
				try(op.ID+" body."+strings.Join(leaf, "."), func(s string) *lanyardtest.Answer {
					return c.Do(method, path(template, "", ""), doc.body(content, leaf, s, known, ""))
				})
			}
			if method == http.MethodDelete {
				continue // of paths: the things that the rest needs
			}
			var body any
			if op.RequestBody.Content != nil {
				body = doc.body(content, nil, "", known, "")
			}
			for _, p := range op.Parameters {
				switch p.In {
				case "query":
					try(op.ID+" ?"+p.Name, func(s string) *lanyardtest.Answer {
						return c.Do(method, path(template, "", "")+"?"+url.Values{p.Name: {s}}.Encode(), body)
					})
				case "path":
					try(op.ID+" /{"+p.Name+"}", func(s string) *lanyardtest.Answer { return c.Do(method, path(template, p.Name, s), body) })
				}
			}
		}
	}
	t.Logf("%d requests in %d places, %d taken", sent, places, taken)
	if places < 150 || taken < 1000 {
		t.Errorf("%d requests in %d places, %d taken", sent, places, taken)
	}
	check()
}
