package mail_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/lanyard-auth/lanyard/pkg/mail"
)

func messages() []mail.Message {
	return []mail.Message{
		mail.VerifyEmail{Token: secret}, mail.AlreadyRegistered{}, mail.ResetPassword{Token: secret}, mail.PasswordChanged{},
		mail.SetPassword{Token: secret}, mail.ConfirmNewEmail{Token: secret}, mail.EmailChanging{NewAddress: "new@example.net"},
		mail.EmailChanged{NewAddress: "new@example.net"},
		mail.Invitation{Token: secret, Organization: "Coastal Marine Services", Role: "manager", InvitedBy: "Alice", ExpiresAt: start.AddDate(0, 0, 7)},
		mail.SignInBlocked{SourceIP: "192.0.2.7"}, mail.SecondFactorFailed{SourceIP: "192.0.2.7"}, mail.MFAEnabled{}, mail.MFADisabled{},
		mail.RecoveryCodesRenewed{}, mail.AccountSuspended{},
	}
}

// walk visits every element of a document.
func walk(t *testing.T, doc string, visit func(n *html.Node, attr map[string]string)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	var down func(*html.Node)
	down = func(n *html.Node) {
		if n.Type == html.ElementNode {
			attr := map[string]string{}
			for _, a := range n.Attr {
				attr[a.Key] = a.Val
			}
			visit(n, attr)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			down(c)
		}
	}
	down(root)
}

func TestEveryMailInEveryLanguage(t *testing.T) {
	p := newPost(t)
	words := map[string]string{}
	for _, lang := range mail.Languages() {
		for _, msg := range messages() {
			t.Run(lang+"/"+string(msg.Template()), func(t *testing.T) {
				m := p.one(t, mail.Recipient{Address: "ann@example.org", Name: "Ann Lee", Language: lang + "-XX"}, msg)
				if m.Language != lang || m.Subject == "" || strings.ContainsAny(m.Subject, "\r\n") {
					t.Errorf("language %q, subject %q", m.Language, m.Subject)
				}
				if other, taken := words[m.Text]; taken {
					t.Errorf("the same words as %s", other)
				}
				words[m.Text] = t.Name()
				if !strings.Contains(m.Text, "Ann Lee") || !strings.Contains(m.HTML, "Ann Lee") || !strings.Contains(m.Text, publicURL) {
					t.Errorf("no greeting, or no word of where it comes from:\n%s", m.Text)
				}
				for _, left := range []string{"<no value>", "{{", "%!", "\n\n\n", "  "} {
					if strings.Contains(m.Text, left) {
						t.Errorf("text holds %q:\n%s", left, m.Text)
					}
				}
				checkMarkup(t, m, lang)
				if len(m.Links) == 1 {
					if strings.Count(m.Text, m.Links[0]) != 1 || !strings.HasPrefix(m.Links[0], publicURL+"/api/") || !strings.HasSuffix(m.Links[0], "/"+secret) {
						t.Errorf("link %q in:\n%s", m.Links[0], m.Text)
					}
				} else if strings.Contains(m.HTML, "<a ") {
					t.Error("a notice without a link has a link")
				}
			})
		}
	}
	if len(words) != len(messages())*len(mail.Languages()) {
		t.Errorf("%d mails", len(words))
	}
}

// checkMarkup holds the HTML form to what a careful mail has: a language, a
// title, one heading, nothing from elsewhere, nothing that runs, links with
// words, and the same paragraphs as the text.
func checkMarkup(t *testing.T, m *mail.Mail, lang string) {
	t.Helper()
	headings := 0
	walk(t, m.HTML, func(n *html.Node, attr map[string]string) {
		switch n.Data {
		case "html":
			if attr["lang"] != lang {
				t.Errorf("lang %q", attr["lang"])
			}
		case "title":
			if n.FirstChild == nil || n.FirstChild.Data != m.Subject {
				t.Error("title is not the subject")
			}
		case "h1":
			headings++
		case "script", "img", "link", "iframe", "form", "object", "embed", "style":
			t.Errorf("<%s> in a mail", n.Data)
		case "a":
			if attr["href"] != m.Links[0] || n.FirstChild == nil {
				t.Errorf("link to %q", attr["href"])
			}
		case "p":
			if n.FirstChild != nil && n.FirstChild.Type == html.TextNode && n.FirstChild.NextSibling == nil && !strings.Contains(m.Text, n.FirstChild.Data) {
				t.Errorf("paragraph is not in the text: %q", n.FirstChild.Data)
			}
		}
		for name, value := range attr {
			if strings.HasPrefix(name, "on") || name == "src" || strings.Contains(value, "url(") {
				t.Errorf("attribute %s=%q", name, value)
			}
		}
	})
	if headings != 1 {
		t.Errorf("%d headings", headings)
	}
}

func TestLanguageFollowsTheProfile(t *testing.T) {
	p := newPost(t)
	for profile, want := range map[string]string{"de": "de", "de-AT": "de", "DE_ch": "de", "en-GB": "en", "fr": "en", "": "en", "../../etc": "en"} {
		m := p.one(t, mail.Recipient{Address: "ann@example.org", Language: profile}, mail.VerifyEmail{Token: secret})
		if m.Language != want {
			t.Errorf("profile %q: %q, want %q", profile, m.Language, want)
		}
	}
	german, err := mail.NewTemplates(mail.TemplateConfig{Product: "P", PublicURL: publicURL, Language: "de"})
	if err != nil {
		t.Fatal(err)
	}
	p = newPostWith(t, german)
	if m := p.one(t, mail.Recipient{Address: "ann@example.org"}, mail.PasswordChanged{}); m.Language != "de" || !strings.Contains(m.Text, "1. März 2026, 12:00 Uhr (UTC)") {
		t.Errorf("default language:\n%s", m.Text)
	}
}

func TestLifeOfTheLinkIsSpelledOut(t *testing.T) {
	p := newPost(t)
	invite := func(d time.Duration) mail.Message {
		return mail.Invitation{Token: secret, Organization: "O", Role: "viewer", ExpiresAt: start.Add(d)}
	}
	for _, c := range []struct {
		lang string
		m    mail.Message
		want string
	}{
		{"en", mail.VerifyEmail{Token: secret}, "works for 24 hours, once"},
		{"en", mail.ResetPassword{Token: secret}, "works for 1 hour, once"},
		{"de", mail.ResetPassword{Token: secret}, "gilt 1 Stunde und"},
		{"en", invite(7 * 24 * time.Hour), "holds for 7 days"},
		{"de", invite(7 * 24 * time.Hour), "gilt 7 Tage"},
		{"en", invite(30 * time.Minute), "holds for 30 minutes"},
		{"en", invite(20 * time.Second), "holds for a short time"},
		{"de", invite(20 * time.Second), "gilt kurze Zeit"},
	} {
		if m := p.one(t, mail.Recipient{Address: "ann@example.org", Language: c.lang}, c.m); !strings.Contains(m.Text, c.want) {
			t.Errorf("want %q in:\n%s", c.want, m.Text)
		}
	}
}

func TestWhatPeopleChoseStaysHarmless(t *testing.T) {
	const markup = `<script>alert(1)</script><img src=x onerror=alert(1)>`
	for name, c := range map[string]struct {
		to     mail.Recipient
		m      mail.Message
		absent []string
	}{
		"markup in names":           {mail.Recipient{Name: markup}, mail.Invitation{Organization: markup, InvitedBy: markup, Role: markup}, []string{"<script>alert", "<img"}},
		"template language":         {mail.Recipient{Name: "{{.Site}}"}, mail.Invitation{Organization: "{{.Link}}", InvitedBy: `{{template "x"}}`}, []string{publicURL + "/api/invitations/accept/" + secret + "”"}},
		"line breaks":               {mail.Recipient{Name: "Ann\r\nBcc: b@example.org"}, mail.Invitation{Organization: "O\r\n\r\nDear customer, pay", InvitedBy: "I\u2028\u2029\x85x"}, []string{"\nDear customer", "\nBcc:", "\u2028", "\u2029"}},
		"advertising in a greeting": {mail.Recipient{Name: "win at evil.example now"}, mail.VerifyEmail{}, []string{"evil"}},
		"link in a greeting":        {mail.Recipient{Name: "https://evil.example/x"}, mail.VerifyEmail{}, []string{"evil"}},
		"links in names":            {mail.Recipient{}, mail.Invitation{Organization: "https://evil.example/x", InvitedBy: "www.evil.example"}, []string{"https://evil", "evil.example"}},
		"direction and control":     {mail.Recipient{Name: "A\u202enn\x1b[31m\x00"}, mail.Invitation{Organization: "O\u202e\u2066x\x00"}, []string{"\u202e", "\u2066", "\x1b", "\x00"}},
		"broken UTF-8":              {mail.Recipient{Name: "A\xff\xfe"}, mail.Invitation{Organization: "O\xff"}, []string{"\xff", "\ufffd"}},
		"endless names":             {mail.Recipient{Name: strings.Repeat("Ann", 1000)}, mail.Invitation{Organization: strings.Repeat("O", 5000)}, []string{strings.Repeat("O", 101), "AnnAnn"}},
		"line break in an address":  {mail.Recipient{}, mail.EmailChanging{NewAddress: "x@example.net\r\nX: y"}, []string{"\nX: y"}},
		"line break in an IP":       {mail.Recipient{}, mail.SignInBlocked{SourceIP: "192.0.2.1\r\n\r\nX"}, []string{"\nX"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPost(t)
			c.to.Address = "ann@example.org"
			if inv, ok := c.m.(mail.Invitation); ok {
				inv.Token, inv.ExpiresAt = secret, start.Add(time.Hour)
				c.m = inv
			}
			if _, ok := c.m.(mail.VerifyEmail); ok {
				c.m = mail.VerifyEmail{Token: secret}
			}
			m := p.one(t, c.to, c.m)
			raw, err := m.MIME()
			if err != nil {
				t.Fatal(err)
			}
			header, _, _ := strings.Cut(string(raw), "\r\n\r\n")
			for _, s := range c.absent {
				for part, text := range map[string]string{"subject": m.Subject, "text": m.Text, "html": m.HTML, "to": m.To.Name, "header": header} {
					if strings.HasPrefix(s, "<") && part != "html" {
						continue // plain text there
					}
					if strings.Contains(s, "evil.") && part != "html" && part != "text" {
						continue // nothing becomes a link there
					}
					if strings.Contains(text, s) {
						t.Errorf("%s holds %q:\n%s", part, s, text)
					}
				}
			}
			if n := strings.Count(header, "\r\n") - strings.Count(header, "\r\n "); n != 8 {
				t.Errorf("%d headers, want 9:\n%s", n+1, header)
			}
			walk(t, m.HTML, func(n *html.Node, _ map[string]string) {
				if n.Data == "script" || n.Data == "img" {
					t.Errorf("<%s> got in", n.Data)
				}
			})
		})
	}
}

func TestNamesThatAreNamesGreet(t *testing.T) {
	p := newPost(t)
	for _, name := range []string{"Ann", "Anne-Marie O'Neil", "Dr. Łukasz Żak", "王小明", "Åse J."} {
		if m := p.one(t, mail.Recipient{Address: "ann@example.org", Name: name}, mail.PasswordChanged{}); !strings.HasPrefix(m.Text, "Hello "+name+",") || m.To.Name != name {
			t.Errorf("%q greeted by %q", name, m.Text[:20])
		}
	}
}

func TestLinksComeFromTheConfiguredOriginAlone(t *testing.T) {
	for _, origin := range []string{"https://auth.example.com", "https://auth.example.com/", "http://127.0.0.1:8080"} {
		tpl, err := mail.NewTemplates(mail.TemplateConfig{Product: "P", PublicURL: origin, Language: "en"})
		if err != nil {
			t.Fatal(err)
		}
		m := newPostWith(t, tpl).one(t, ann(), mail.ResetPassword{Token: secret})
		u, err := url.Parse(m.Links[0])
		if err != nil || u.Scheme+"://"+u.Host != strings.TrimSuffix(origin, "/") || u.Path != "/api/auth/reset-password/"+secret {
			t.Errorf("%s: link %s", origin, m.Links[0])
		}
	}
	for _, bad := range []string{"", "auth.example.com", "ftp://auth.example.com", "://"} {
		if _, err := mail.NewTemplates(mail.TemplateConfig{PublicURL: bad}); err == nil {
			t.Errorf("origin %q accepted", bad)
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	full := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOwnTemplatesReplaceBuiltInOnes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "en/verify-email.tmpl", `{{define "subject"}}Ahoy {{.Name}}{{end}}{{define "body"}}Welcome aboard {{.Product}} <3

Second paragraph.{{end}}{{define "button"}}Aye{{end}}`)
	write(t, dir, "layout.txt", "{{range .Body}}{{.}}\n{{end}}{{.Link}}\n")
	write(t, dir, ".cache/x", "not a template")
	write(t, dir, ".DS_Store", "not a template")
	p := newPostWith(t, templates(t, dir))
	m := p.one(t, ann(), mail.VerifyEmail{Token: secret})
	want := "Welcome aboard Lanyard <3\nSecond paragraph.\n" + m.Links[0] + "\n"
	if m.Subject != "Ahoy Ann" || m.Text != want || !strings.Contains(m.HTML, "<p>Welcome aboard Lanyard &lt;3</p>\n<p>Second paragraph.</p>") {
		t.Errorf("subject %q, text %q, html %s", m.Subject, m.Text, m.HTML)
	}
	if m := p.one(t, mail.Recipient{Address: "ann@example.org", Language: "de"}, mail.VerifyEmail{Token: secret}); !strings.Contains(m.Subject, "bestätigen") {
		t.Errorf("German is replaced, too: %q", m.Subject)
	}
}

func TestMistakesInOwnTemplatesStopTheStart(t *testing.T) {
	for name, file := range map[string][2]string{
		"unknown file":   {"en/verify-mail.tmpl", "x"},
		"unknown field":  {"en/verify-email.tmpl", `{{define "subject"}}{{.Surname}}{{end}}`},
		"unknown data":   {"de/invitation.tmpl", `{{define "subject"}}{{.Data.Org}}{{end}}`},
		"syntax":         {"en/verify-email.tmpl", `{{define "subject"}}`},
		"no subject":     {"en/mfa-enabled.tmpl", `{{define "body"}}x{{end}}`},
		"no body":        {"en/mfa-enabled.tmpl", `{{define "subject"}}x{{end}}`},
		"no button":      {"en/verify-email.tmpl", `{{define "subject"}}x{{end}}{{define "body"}}x{{end}}`},
		"text layout":    {"layout.txt", "{{.Nope}}"},
		"text syntax":    {"layout.txt", "{{"},
		"html layout":    {"layout.html", "{{.Nope}}"},
		"html syntax":    {"layout.html", "{{if}}"},
		"shared words":   {"de/shared.tmpl", "{{end}}"},
		"missing shared": {"de/shared.tmpl", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, file[0], file[1])
			_, err := mail.NewTemplates(mail.TemplateConfig{Product: "P", PublicURL: publicURL, Language: "en", Dir: dir})
			if err == nil {
				t.Fatal("accepted")
			}
			if !regexp.MustCompile(`tmpl|layout|template|mail`).MatchString(err.Error()) {
				t.Errorf("does not name the file: %v", err)
			}
		})
	}
	if _, err := mail.NewTemplates(mail.TemplateConfig{PublicURL: publicURL, Dir: filepath.Join(t.TempDir(), "nowhere")}); !os.IsNotExist(err) && err == nil {
		t.Error("a missing directory is accepted")
	} else if !strings.Contains(err.Error(), "LANYARD_MAIL_TEMPLATES") {
		t.Errorf("does not name the variable: %v", err)
	}
}

func TestLanguagesHaveTheSameFiles(t *testing.T) {
	seen := map[string]int{}
	err := filepath.WalkDir("templates", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".tmpl" {
			seen[filepath.Base(path)]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range seen {
		if n != len(mail.Languages()) {
			t.Errorf("%s is there in %d languages", name, n)
		}
	}
	if len(seen) != len(messages())+1 {
		t.Errorf("%d files for %d messages and the shared words", len(seen), len(messages()))
	}
}
