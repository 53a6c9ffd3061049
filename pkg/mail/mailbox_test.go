package mail_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// local is a post whose mails end in the mailbox.
type local struct {
	*post
	box     *mail.Mailbox
	handler http.Handler
}

func newLocal(t testing.TB) *local {
	t.Helper()
	p := newPost(t)
	l := &local{post: p, box: mail.NewMailbox(p.deps, p.codec, rand.Reader)}
	var err error
	if p.relay, err = mail.NewRelay(p.deps, mail.RelayParts{
		Seal: p.codec, Sender: l.box, Templates: templates(t, ""), Jitter: func() float64 { return 0.5 },
	}); err != nil {
		t.Fatal(err)
	}
	if l.handler, err = l.box.Handler("Lanyard", "http://127.0.0.1:8080", nil); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *local) get(path, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080"+path, nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	return w
}

type receivedJSON struct {
	Items []struct {
		At      time.Time `json:"at"`
		To      string    `json:"to"`
		Subject string    `json:"subject"`
		Text    string    `json:"text"`
		HTML    string    `json:"html"`
		Links   []string  `json:"links"`
	} `json:"items"`
}

func (l *local) items(t testing.TB, path string) receivedJSON {
	t.Helper()
	w := l.get(path, "application/json")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	var got receivedJSON
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMailboxAnswersJSONNewestFirst(t *testing.T) {
	l := newLocal(t)
	if w := l.get("/dev/mail", "application/json"); strings.TrimSpace(w.Body.String()) != `{"items":[]}` {
		t.Errorf("empty mailbox: %s", w.Body)
	}
	l.queue(t, ann(), mail.VerifyEmail{Token: secret})
	l.drain(t)
	l.clock.Advance(time.Minute)
	l.queue(t, mail.Recipient{Address: "bob@example.org"}, mail.PasswordChanged{})
	l.drain(t)
	got := l.items(t, "/dev/mail").Items
	if len(got) != 2 || got[0].To != "bob@example.org" || !got[0].At.Equal(start.Add(time.Minute)) || got[0].Links == nil || len(got[0].Links) != 0 {
		t.Fatalf("items %+v", got)
	}
	link := publicURL + "/api/auth/verify-email/" + secret
	if m := got[1]; m.To != "ann@example.org" || m.Subject != "Confirm your e-mail address" || len(m.Links) != 1 || m.Links[0] != link ||
		!strings.Contains(m.Text, link) || !strings.Contains(m.HTML, link) {
		t.Errorf("item %+v", m)
	}
	if got := l.items(t, "/dev/mail?to=ANN@example.org").Items; len(got) != 1 || got[0].To != "ann@example.org" {
		t.Errorf("filtered: %+v", got)
	}
	assertNoSecrets(t, "the log", l.log.String())
}

func TestMailboxShowsWhenAMailWasQueuedInATextThatSorts(t *testing.T) {
	l := newLocal(t)
	for _, moment := range []time.Duration{290 * time.Millisecond, time.Millisecond, 709 * time.Millisecond} {
		l.clock.Advance(moment)
		l.queue(t, ann(), mail.VerifyEmail{Token: secret})
	}
	l.clock.Advance(time.Minute) // the first attempt comes late
	l.drain(t)
	var got struct {
		Items []struct{ At string }
	}
	if err := json.Unmarshal(l.get("/dev/mail", "application/json").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := []string{"2026-03-01T12:00:01.000Z", "2026-03-01T12:00:00.291Z", "2026-03-01T12:00:00.290Z"}
	if len(got.Items) != len(want) {
		t.Fatalf("%d mails", len(got.Items))
	}
	for i, m := range got.Items {
		if m.At != want[i] {
			t.Errorf("mail %d at %s, want %s", i, m.At, want[i])
		}
	}
}

func TestMailboxIsSealedInTheTable(t *testing.T) {
	l := newLocal(t)
	wire := everything(t, l.post)
	l.queue(t, ann(), mail.VerifyEmail{Token: secret})
	l.drain(t)
	if len(l.items(t, "/dev/mail").Items) != 1 {
		t.Fatal("not received")
	}
	assertNoSecrets(t, "the table", wire.String())
}

func TestMailboxPageWorksWithoutScriptsAndLoadsNothing(t *testing.T) {
	l := newLocal(t)
	l.queue(t, mail.Recipient{Address: "ann@example.org", Name: "Ann", Language: "de"}, mail.Invitation{
		Token: secret, Organization: "<script>alert(1)</script>", Role: "viewer", ExpiresAt: start.Add(time.Hour)})
	l.drain(t)
	page := l.get("/dev/mail", "text/html,application/xhtml+xml,*/*;q=0.8")
	one := ""
	articles, labelled := 0, 0
	walk(t, page.Body.String(), func(n *html.Node, attr map[string]string) {
		switch n.Data {
		case "script", "img", "link", "iframe":
			t.Errorf("<%s> on the page", n.Data)
		case "article":
			articles++
			if attr["lang"] != "de" {
				t.Errorf("mail's language %q", attr["lang"])
			}
		case "label":
			labelled++
		case "html":
			if attr["lang"] != "en" {
				t.Error("page without a language")
			}
		case "a":
			if strings.HasPrefix(attr["href"], "/dev/mail/") {
				one = attr["href"]
			}
		}
	})
	if page.Code != 200 || articles != 1 || labelled != 1 || one == "" {
		t.Fatalf("%d, %d articles, %d labels, link %q", page.Code, articles, labelled, one)
	}
	for _, path := range []string{"/dev/mail", one} {
		h := l.get(path, "text/html").Header()
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") || strings.Contains(csp, "unsafe") ||
			h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
	single := l.get(one, "text/html").Body.String()
	if !strings.Contains(single, `src="`+one+`/html"`) || !strings.Contains(single, "sandbox=") || strings.Contains(single, "<script>") {
		t.Errorf("single page:\n%s", single)
	}
	frame := l.get(one+"/html", "text/html")
	if csp := frame.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") || !strings.Contains(csp, "default-src 'none'") ||
		!strings.Contains(frame.Body.String(), `<base target="_top">`) {
		t.Errorf("frame: %s", csp)
	}
	if empty := l.get("/dev/mail?to=nobody@example.org", "text/html").Body.String(); !strings.Contains(empty, "No mail to nobody@example.org yet") {
		t.Errorf("empty list:\n%s", empty)
	}
}

func TestMailboxRefusesWhatIsNotItsOwn(t *testing.T) {
	l := newLocal(t)
	l.queue(t, ann(), mail.VerifyEmail{Token: secret})
	l.drain(t)
	for _, path := range []string{"/dev/mail/x", "/dev/mail/018f0000-0000-7000-8000-000000000000", "/dev/mail/018f0000-0000-7000-8000-000000000000/html", "/dev/mail/x/y", "/dev"} {
		if w := l.get(path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodPut} {
		w := httptest.NewRecorder()
		l.handler.ServeHTTP(w, httptest.NewRequest(method, "http://localhost/dev/mail", nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func TestMailboxCannotBeReadThroughAReboundName(t *testing.T) {
	l := newLocal(t)
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "localhost:8080": 200, "LOCALHOST": 200, "[::1]:8080": 200, "auth.example.com": 421, "192.168.1.7:8080": 200,
		"evil.example": 421, "evil.example:8080": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/dev/mail", nil)
		r.Host = host
		w := httptest.NewRecorder()
		l.handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestWhereOthersReachTheServerTheMailboxAnswersOnlyThisMachine(t *testing.T) {
	l := newLocal(t)
	others := netip.MustParseAddrPort("127.0.0.1:4712")
	h, err := l.box.Handler("Lanyard", publicURL, func(from netip.AddrPort) bool { return from != others })
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		host, from string
		passedOn   string // a header that a proxy adds
		want       int
	}{
		"here":                          {"127.0.0.1:8080", "127.0.0.1:4711", "", 200},
		"here, by name":                 {"localhost:8080", "[::1]:4711", "", 200},
		"here, IPv4 in IPv6":            {"127.0.0.1:8080", "[::ffff:127.0.0.1]:4711", "", 200},
		"from elsewhere":                {"127.0.0.1:8080", "192.0.2.7:4711", "", 404},
		"from elsewhere, public name":   {"auth.example.com", "192.0.2.7:4711", "", 404},
		"a proxy that keeps the name":   {"auth.example.com", "127.0.0.1:4711", "", 404},
		"this machine's other address":  {"192.0.2.1:8080", "127.0.0.1:4711", "", 404},
		"a proxy that says for whom":    {"127.0.0.1:8080", "127.0.0.1:4711", "X-Forwarded-For", 404},
		"a proxy with the standard one": {"127.0.0.1:8080", "127.0.0.1:4711", "Forwarded", 404},
		"a proxy that names itself":     {"127.0.0.1:8080", "127.0.0.1:4711", "Via", 404},
		"a proxy with another header":   {"127.0.0.1:8080", "127.0.0.1:4711", "X-Real-IP", 404},
		"a proxy that shows in nothing": {"127.0.0.1:8080", "127.0.0.1:4712", "", 404},
		"from nowhere":                  {"127.0.0.1:8080", "", "", 404},
	} {
		for _, path := range []string{"/dev/mail", "/dev/mail/x", "/dev/mail/x/html"} {
			want := tc.want
			if path != "/dev/mail" {
				want = 404 // there is no such mail
			}
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host, r.RemoteAddr = tc.host, tc.from
			if tc.passedOn != "" {
				r.Header.Set(tc.passedOn, "192.0.2.7")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s, %s: %d, want %d", name, path, w.Code, want)
			}
		}
	}
}

func TestMailboxKeepsTheNewestOnly(t *testing.T) {
	l := newLocal(t)
	var last string
	for i := range 320 {
		to := mail.Recipient{Address: "u@example.org"}
		if i == 319 {
			to.Address = "last@example.org"
		}
		l.queue(t, to, mail.PasswordChanged{})
		last = to.Address
		if i%100 == 99 {
			l.drain(t)
		}
	}
	l.drain(t)
	page, err := l.store.Query(t.Context(), table.Query{PK: table.LocalMailPartition(), Strong: table.Strong})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(page.Records); n < 200 || n > 260 {
		t.Errorf("%d mails kept, want about 200", n)
	}
	if got := l.items(t, "/dev/mail").Items; len(got) != 200 || got[0].To != last {
		t.Errorf("%d shown, newest to %s", len(got), got[0].To)
	}
}

func TestMailboxFailsPlainly(t *testing.T) {
	l := newLocal(t)
	l.queue(t, ann(), mail.PasswordChanged{})
	l.drain(t)
	mails, err := l.box.Newest(t.Context(), 5)
	if err != nil || len(mails) != 1 {
		t.Fatal(mails, err)
	}
	l.store.Transport.Intercept(func(*http.Request, string, http.RoundTripper) (*http.Response, error) {
		return nil, io.ErrUnexpectedEOF
	})
	for _, path := range []string{"/dev/mail", "/dev/mail/" + mails[0].ID} {
		if w := l.get(path, ""); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "EOF") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	m := &mail.Mail{ID: mails[0].ID, Subject: "s", Language: "en\nX: y"}
	var refused *mail.SendError
	if err := l.box.Send(t.Context(), m); !errors.As(err, &refused) || !refused.Permanent {
		t.Errorf("a mail no server would take: %v", err)
	}
	m.Language = "en"
	if err := l.box.Send(t.Context(), m); err == nil {
		t.Error("kept without a store")
	}
	l.store.Transport.Intercept(nil)
	l.keys.set(nil, token.ErrUnavailable)
	if err := l.box.Send(t.Context(), m); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("kept without keys: %v", err)
	}
	if got := l.items(t, "/dev/mail").Items; len(got) != 0 {
		t.Error("opened without keys")
	}
	if w := l.get("/dev/mail/"+mails[0].ID, ""); w.Code != http.StatusInternalServerError {
		t.Errorf("opened without keys: %d", w.Code)
	}
	if _, err := l.box.Handler("x", "://", nil); err == nil {
		t.Error("a public URL that is none")
	}
}
