package mail

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	netmail "net/mail"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/template"
)

//go:embed templates
var builtin embed.FS

// The files of a set: two layouts, and for each language the words that every
// mail shares and one file for each template.
const (
	layoutText = "layout.txt"
	layoutHTML = "layout.html"
	sharedFile = "shared.tmpl"
	wordsEnd   = ".tmpl"
)

// Languages gives the languages that mails are written in.
func Languages() []string { return []string{"en", "de"} }

// TemplateConfig says what mails are made with.
type TemplateConfig struct {
	Product   string // the product's name
	PublicURL string // the origin of every link
	Language  string // for recipients whose language is not there
	Dir       string // files that replace built-in ones of the same path; empty for none
}

// Templates turns messages into words. It is immutable.
type Templates struct {
	TemplateConfig
	words  map[string]map[Template]*template.Template // language, template
	text   *template.Template
	markup *template.Template
}

// View is what the words of a mail may use.
type View struct {
	Product string  // the product's name
	Site    string  // the public URL
	Name    string  // whom to greet; may be empty
	Link    string  // where the button leads; empty for a mail without one
	Life    string  // how long the link works, in words
	At      string  // when it happened, in words
	Data    Message // the message, with its fields
}

// sheet is what the layouts may use: the finished words.
type sheet struct {
	Language, Product, Site    string
	Subject, Greeting, Button  string
	LinkHint, Closing, Footing string
	Link                       template.URL // made of the public URL and a token
	Body, After                []string     // paragraphs
}

// NewTemplates reads the built-in files and those in Dir that replace them, and
// tries every template in every language on a sample, so that a mistake shows
// at start and not when the mail is due.
func NewTemplates(c TemplateConfig) (*Templates, error) {
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("mail templates: public URL %q is not an origin", c.PublicURL)
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	c.Product = oneLine(c.Product, maxName)
	if !slices.Contains(Languages(), c.Language) {
		c.Language = Languages()[0]
	}
	files, err := readFiles(c.Dir)
	if err != nil {
		return nil, err
	}
	t := &Templates{TemplateConfig: c, words: map[string]map[Template]*template.Template{}}
	if t.text, err = template.Text(layoutText, files[layoutText]); err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	if t.markup, err = template.HTML(layoutHTML, files[layoutHTML]); err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	for _, lang := range Languages() {
		t.words[lang] = map[Template]*template.Template{}
		for _, m := range samples() {
			name := lang + "/" + string(m.Template()) + wordsEnd
			w, err := template.Text(name, files[lang+"/"+sharedFile], files[name])
			if err != nil {
				return nil, fmt.Errorf("mail templates: %w", err)
			}
			t.words[lang][m.Template()] = w
			it := &item{ID: "sample", Template: m.Template(), CreatedAt: 1}
			if _, err := t.compose(it, Recipient{Address: "sample@example.com", Name: "Sample", Language: lang}, m); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// readFiles gives the text of every file, those in dir before the built-in
// ones. A file in dir that replaces nothing is a mistake in its name.
func readFiles(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := fs.WalkDir(builtin, "templates", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := builtin.ReadFile(name)
		files[strings.TrimPrefix(name, "templates/")] = string(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	if dir == "" {
		return files, nil
	}
	replacing := os.DirFS(dir)
	err = fs.WalkDir(replacing, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != "." && strings.HasPrefix(path.Base(name), ".") { // an editor's leavings
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if _, known := files[name]; !known {
			return fmt.Errorf("%s replaces no template", name)
		}
		b, err := fs.ReadFile(replacing, name)
		files[name] = string(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mail templates (LANYARD_MAIL_TEMPLATES): %w", err)
	}
	return files, nil
}

// language gives the language to write in for what a profile names: "de-AT" is "de".
func (t *Templates) language(profile string) string {
	primary, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(profile), "_", "-"), "-")
	if slices.Contains(Languages(), primary) {
		return primary
	}
	return t.Language
}

// compose writes the mail of an item. Sender and date are the relay's to add.
func (t *Templates) compose(it *item, to Recipient, m Message) (*Mail, error) {
	address, err := bareAddress(to.Address)
	if err != nil {
		return nil, &SendError{Reason: err.Error(), Permanent: true}
	}
	m = m.plain()
	lang := t.language(to.Language)
	v := View{
		Product: t.Product, Site: t.PublicURL, Name: personName(to.Name), Data: m,
		At: moment(it.CreatedAt.Time(), lang),
	}
	var links []string
	if where, token := m.link(); token != "" {
		v.Link = t.PublicURL + where + url.PathEscape(token)
		links = []string{v.Link}
		v.Life = span(it.EndsAt.Time().Sub(it.CreatedAt.Time()), lang)
	}
	s, err := t.fill(lang, m.Template(), v)
	if err != nil {
		return nil, fmt.Errorf("write %s mail: %w", m.Template(), err)
	}
	text, err := t.text.Execute(s)
	if err != nil {
		return nil, fmt.Errorf("write %s mail: %w", m.Template(), err)
	}
	markup, err := t.markup.Execute(s)
	if err != nil {
		return nil, fmt.Errorf("write %s mail: %w", m.Template(), err)
	}
	return &Mail{
		ID: it.ID, Template: m.Template(), Purpose: m.purpose(), To: netmail.Address{Name: v.Name, Address: address},
		Language: lang, Subject: strings.ReplaceAll(s.Subject, string(wordJoiner), ""), Text: text, HTML: markup, Links: links,
	}, nil
}

// errNoWords says that a template leaves out a part that every mail has.
var errNoWords = errors.New("subject and body must not be empty")

// fill carries out the word blocks of a template. They give plain text; only
// the layouts know of markup, and what they show is escaped there.
func (t *Templates) fill(lang string, name Template, v View) (sheet, error) {
	w := t.words[lang][name]
	var failed error
	block := func(name string) string {
		if failed != nil || !w.Has(name) {
			return ""
		}
		var s string
		s, failed = w.ExecuteBlock(name, v)
		return strings.TrimSpace(s)
	}
	s := sheet{
		Language: lang, Product: v.Product, Site: v.Site, Link: template.URL(v.Link),
		Subject: oneLine(block("subject"), 150), Greeting: oneLine(block("greeting"), 150),
		Body: paragraphs(block("body")), After: paragraphs(block("after")),
		Closing: oneLine(block("closing"), 150), Footing: oneLine(block("footing"), 500),
	}
	if v.Link != "" {
		s.Button, s.LinkHint = oneLine(block("button"), 60), oneLine(block("link-hint"), 200)
	}
	if failed == nil && (s.Subject == "" || len(s.Body) == 0 || (v.Link != "" && s.Button == "")) {
		failed = errNoWords
	}
	return s, failed
}

// paragraphs splits text at blank lines and joins the lines within.
func paragraphs(s string) []string {
	var out []string
	for p := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// span gives a length of time in words, in the largest unit that fits.
func span(d time.Duration, lang string) string {
	type unit struct {
		size time.Duration
		en   [2]string
		de   [2]string
	}
	for _, u := range []unit{
		{24 * time.Hour, [2]string{"day", "days"}, [2]string{"Tag", "Tage"}},
		{time.Hour, [2]string{"hour", "hours"}, [2]string{"Stunde", "Stunden"}},
		{time.Minute, [2]string{"minute", "minutes"}, [2]string{"Minute", "Minuten"}},
	} {
		n := int(d / u.size)
		// "24 hours" says more than "1 day".
		if n < 1 || (u.size == 24*time.Hour && n < 2) {
			continue
		}
		names := u.en
		if lang == "de" {
			names = u.de
		}
		if n == 1 {
			return "1 " + names[0]
		}
		return fmt.Sprintf("%d %s", n, names[1])
	}
	if lang == "de" {
		return "kurze Zeit"
	}
	return "a short time"
}

// moment gives a time in words, in UTC: where the reader is, we do not know.
func moment(t time.Time, lang string) string {
	t = t.UTC()
	if lang != "de" {
		return t.Format("2 January 2006, 15:04 UTC")
	}
	months := [...]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"}
	return fmt.Sprintf("%d. %s %d, %s Uhr (UTC)", t.Day(), months[t.Month()-1], t.Year(), t.Format("15:04"))
}
