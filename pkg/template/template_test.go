package template_test

import (
	htmltemplate "html/template"
	"strings"
	"testing"
	texttemplate "text/template"

	"golang.org/x/net/html"

	"github.com/lanyard-auth/lanyard/pkg/template"
)

type item struct{ Name string }

type data struct {
	Name, Empty string
	Link        template.URL
	Count       int
	Yes         bool
	List        []string
	Items       []*item
	Inner       any
	Map         map[string]any
}

func sample() data {
	return data{
		Name: `Ann <b>"O'Neil"</b> & Co`, Link: "https://auth.example.com/a?b=c&d=e", Count: 12, Yes: true,
		List: []string{"one", "t<o"}, Items: []*item{{"boat"}, {"dock"}}, Inner: item{"inner"}, Map: map[string]any{"Key": "value"},
	}
}

// TestTextIsThatOfTheStandardLibrary compares with text/template.
func TestTextIsThatOfTheStandardLibrary(t *testing.T) {
	for name, src := range map[string]string{
		"fields":         `{{.Name}} {{.Count}} {{.Inner.Name}} {{.Map.Key}} {{$.Name}}`,
		"if":             `{{if .Yes}}yes{{else}}no{{end}}{{if .Empty}}yes{{else}}no{{end}}{{if .List}}list{{end}}{{if .Count}}count{{end}}`,
		"else if":        `{{if .Empty}}a{{else if .Yes}}b{{else}}c{{end}}`,
		"with":           `{{with .Inner}}{{.Name}}{{$.Count}}{{end}}{{with .Empty}}x{{else}}{{.Name}}{{end}}`,
		"range":          `{{range .List}}[{{.}}]{{else}}none{{end}}{{range .Items}}{{.Name}} {{end}}`,
		"space":          "a {{- .Count -}} \n b{{/* comment */}}",
		"literal":        `{{"{{"}}`,
		"blocks":         `{{define "a"}}<{{.}}>{{end}}{{template "a" .Name}}{{template "a" .Count}}`,
		"dollar in them": `{{define "a"}}{{$.Name}}{{end}}{{with .Inner}}{{template "a" .}}{{end}}`,
	} {
		t.Run(name, func(t *testing.T) {
			var want strings.Builder
			if err := texttemplate.Must(texttemplate.New(name).Parse(src)).Execute(&want, sample()); err != nil {
				t.Fatal(err)
			}
			tpl, err := template.Text(name, src)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tpl.Execute(sample())
			if err != nil || got != want.String() {
				t.Errorf("%q (%v), want %q", got, err, want.String())
			}
		})
	}
}

// TestPagesSayWhatThoseOfTheStandardLibrarySay compares the trees that a
// browser makes of both.
func TestPagesSayWhatThoseOfTheStandardLibrarySay(t *testing.T) {
	for name, src := range map[string]string{
		"text":      `<p>{{.Name}}</p>{{range .List}}<li>{{.}}</li>{{end}}`,
		"attribute": `<input value="{{.Name}}" minlength="{{.Count}}"{{if .Yes}} title="{{.Name}}"{{end}}>`,
		"title":     `<title>{{.Name}} – x</title><style>p { margin: 0 }</style><p>{{.Count}}</p>`,
		"link":      `<a href="{{.Link}}">{{.Link}}</a>`,
		"branches":  `<a class="{{if .Yes}}on{{else}}off{{end}}" {{with .Inner}}id="{{.Name}}"{{end}}>{{.Count}}</a>`,
	} {
		t.Run(name, func(t *testing.T) {
			var want strings.Builder
			if err := htmltemplate.Must(htmltemplate.New(name).Parse(src)).Execute(&want, sample()); err != nil {
				t.Fatal(err)
			}
			tpl, err := template.HTML(name, src)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tpl.Execute(sample())
			if err != nil || tree(t, got) != tree(t, want.String()) {
				t.Errorf("%s (%v), want %s", got, err, want.String())
			}
		})
	}
}

// tree gives the document that a browser would make, written in one way.
func tree(t *testing.T, page string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := html.Render(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNothingIsFilledInWhereItCouldDoHarm(t *testing.T) {
	for name, src := range map[string]string{
		"script":               `<script>var x = "{{.Name}}"</script>`,
		"style":                `<style>{{.Name}}</style>`,
		"comment":              `<!-- {{.Name}} -->`,
		"event handler":        `<p onclick="{{.Name}}">`,
		"style attribute":      `<p style="color:{{.Name}}">`,
		"document in a frame":  `<iframe srcdoc="{{.Name}}"></iframe>`,
		"refresh":              `<meta http-equiv="refresh" content="{{.Name}}">`,
		"unquoted":             `<p title={{.Name}}>`,
		"single quotes":        `<p title='{{.Name}}'>`,
		"attribute name":       `<p {{.Name}}="x">`,
		"attribute name, else": `<p data-{{.Name}}="x">`,
		"element name":         `<{{.Name}}>`,
		"closing element":      `</{{.Name}}>`,
		"part of a name":       `<h{{.Count}}>x</h1>`,
		"branches differ":      `<a {{if .Yes}}href="{{else}}title="{{end}}{{.Name}}">x</a>`,
		"range leaves a quote": `<a {{range .List}}title="{{.}}{{end}}">x</a>`,
		"block in a tag":       `{{define "a"}}x{{end}}<p title="{{template "a"}}">`,
		"inside a block":       `{{define "a"}}<script>{{.Name}}</script>{{end}}{{template "a" .}}`,
		"inside a branch":      `{{if .Yes}}<script>{{.Name}}{{end}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := template.HTML(name, src); err == nil {
				t.Errorf("accepted %s", src)
			}
		})
	}
	for name, src := range map[string]string{"link": `<a href="{{.Name}}">x</a>`, "form": `<form action="{{.Name}}">`, "image": `<img src="/a/{{.Name}}">`} {
		t.Run(name, func(t *testing.T) {
			tpl, err := template.HTML(name, src)
			if err != nil {
				t.Fatal(err)
			}
			d := sample()
			d.Name = "javascript:alert(1)"
			if out, err := tpl.Execute(d); err == nil {
				t.Errorf("text as an address: %s", out)
			}
		})
	}
}

func TestTemplatesCanCallNothing(t *testing.T) {
	for name, src := range map[string]string{
		"function": `{{len .Name}}`, "method with an argument": `{{.Name.X 1}}`, "pipeline": `{{.Name | print}}`, "variable": `{{$x := .Name}}{{$x}}`,
		"range with variables": `{{range $i, $v := .List}}{{$v}}{{end}}`, "number": `{{1}}`, "unknown block": `{{template "nowhere"}}`,
		"break": `{{range .List}}{{break}}{{end}}`, "syntax": `{{if}}`, "unclosed": `{{if .Yes}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := template.Text(name, src); err == nil {
				t.Errorf("accepted %s", src)
			}
		})
	}
}

func TestWhatIsNotThereIsAnError(t *testing.T) {
	for name, src := range map[string]string{
		"field": `{{.Nope}}`, "key": `{{.Map.Nope}}`, "of text": `{{.Name.Nope}}`, "of nothing": `{{if .Nope}}x{{end}}`, "with": `{{with .Nope}}x{{end}}`,
		"range": `{{range .Nope}}x{{end}}`, "range over text": `{{range .Name}}x{{end}}`, "list as text": `{{.List}}`, "truth as text": `{{.Yes}}`,
		"argument": `{{define "a"}}{{end}}{{template "a" .Nope}}`, "block without data": `{{define "a"}}{{.Name}}{{end}}{{template "a"}}`,
		"in a list": `{{range .Items}}{{.Nope}}{{end}}`, "method": `{{.String}}`, "without end": `{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}`,
	} {
		t.Run(name, func(t *testing.T) {
			tpl, err := template.Text(name, src)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := tpl.Execute(sample()); err == nil {
				t.Errorf("gave %q", out)
			}
		})
	}
}

// String is a method that no template reaches.
func (data) String() string { return "method" }

func TestLaterSourcesReplaceBlocks(t *testing.T) {
	tpl, err := template.Text("words", `{{define "a"}}1{{end}}{{define "b"}}2{{end}}`, `{{define "a"}}3{{template "b"}}{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tpl.ExecuteBlock("a", nil); err != nil || got != "32" {
		t.Errorf("%q (%v)", got, err)
	}
	if !tpl.Has("b") || tpl.Has("c") {
		t.Error("blocks are not those defined")
	}
	if _, err := tpl.ExecuteBlock("c", nil); err == nil {
		t.Error("a block that is not there was filled in")
	}
}
