package mail

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

//go:embed page/mailbox.html
var mailboxHTML string

//go:embed page/mailbox.css
var mailboxCSS string

// MailboxPath is where the mailbox is mounted.
const MailboxPath = "/dev/mail"

// mailboxPage is what mailbox.html shows.
type mailboxPage struct {
	Product string
	Style   template.CSS
	Path    string
	Only    bool // one mail, with its HTML form
	Mails   []Received
	To      string
}

// Handler gives the mailbox as a page, and to those who ask for JSON as
// {"items": […]}, newest first:
//
//	GET /dev/mail              all mails; ?to=ADDRESS for one recipient's
//	GET /dev/mail/{id}         one mail, its HTML form in a frame
//	GET /dev/mail/{id}/html    the HTML form itself, sandboxed
//
// Everything else under /dev/mail is refused. A request must name this machine
// by an address or as localhost, so that a web page elsewhere cannot read the
// mailbox by pointing its own name here (DNS rebinding).
//
// Whoever reads the mailbox can enter every account. Where the public URL's
// host is not this machine, others are meant to reach the server, so it answers
// only what was asked on this machine, of this machine, and was not passed on
// by a proxy; to everybody else it does not exist. A proxy here that rewrites
// Host and adds no header (nginx without proxy_set_header) shows in none of that,
// so own is asked, too: whether a connection from that address is of the server's
// own user.
func (b *Mailbox) Handler(product, publicURL string, own func(from netip.AddrPort) bool) (http.Handler, error) {
	page, err := template.New("mailbox").Parse(mailboxHTML)
	if err != nil {
		return nil, fmt.Errorf("mailbox page: %w", err)
	}
	public, err := url.Parse(publicURL)
	if err != nil {
		return nil, fmt.Errorf("mailbox page: %w", err)
	}
	h := &mailboxHandler{box: b, product: product, shared: !thisMachine(public.Hostname()), own: own, page: page}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+MailboxPath, h.list)
	mux.HandleFunc("GET "+MailboxPath+"/{id}", h.one)
	mux.HandleFunc("GET "+MailboxPath+"/{id}/html", h.markup)
	return h.guard(mux), nil
}

type mailboxHandler struct {
	box     *Mailbox
	product string
	shared  bool // others than who sits at this machine reach the server
	own     func(from netip.AddrPort) bool
	page    *template.Template
}

// guard refuses foreign host names and sets what every answer carries.
func (h *mailboxHandler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if h.shared && !(askedHere(r) && h.ownUser(r)) {
			http.NotFound(w, r)
			return
		}
		if !namesUs(r.Host) {
			http.Error(w, "The mailbox answers to this machine's name only.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// namesUs reports whether a host name leads here without anybody's DNS: an
// address cannot be rebound.
func namesUs(host string) bool {
	name := hostname(host)
	_, err := netip.ParseAddr(name)
	return err == nil || strings.EqualFold(name, "localhost")
}

// askedHere reports whether a request was made on this machine, of this
// machine, and passed on by nobody.
func askedHere(r *http.Request) bool {
	for name := range r.Header { // RFC 7239, RFC 9110 section 7.6.3, and what proxies send instead
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return false
		}
	}
	return thisMachine(hostname(r.RemoteAddr)) && thisMachine(hostname(r.Host))
}

func (h *mailboxHandler) ownUser(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && h.own(from)
}

// hostname gives the host of "host:port", "[address]:port" or "host".
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}

func (h *mailboxHandler) list(w http.ResponseWriter, r *http.Request) {
	mails, err := h.box.Newest(r.Context(), 0)
	if err != nil {
		h.fail(w)
		return
	}
	to := strings.TrimSpace(r.URL.Query().Get("to"))
	if to != "" {
		kept := []Received{}
		for _, m := range mails {
			if strings.EqualFold(m.To, to) {
				kept = append(kept, m)
			}
		}
		mails = kept
	}
	w.Header().Add("Vary", "Accept")
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
		h.json(w, map[string][]Received{"items": mails})
		return
	}
	h.show(w, mailboxPage{Mails: mails, To: to})
}

func (h *mailboxHandler) one(w http.ResponseWriter, r *http.Request) {
	if m, ok := h.find(w, r); ok {
		h.show(w, mailboxPage{Mails: []Received{m}, Only: true})
	}
}

// markup gives the HTML form as a document that can do nothing: no scripts, no
// requests, an origin of its own. Its style attributes are its own affair.
func (h *mailboxHandler) markup(w http.ResponseWriter, r *http.Request) {
	m, ok := h.find(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups allow-top-navigation-by-user-activation")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// Links leave the frame: what they lead to refuses to be framed.
	_, _ = w.Write([]byte(strings.Replace(m.HTML, "<head>", "<head>\n<base target=\"_top\">", 1)))
}

func (h *mailboxHandler) find(w http.ResponseWriter, r *http.Request) (Received, bool) {
	mailID, err := id.Parse(r.PathValue("id"))
	if err != nil {
		http.NotFound(w, r)
		return Received{}, false
	}
	m, err := h.box.Get(r.Context(), mailID)
	switch {
	case errors.Is(err, table.ErrNotFound):
		http.NotFound(w, r)
	case err != nil:
		h.fail(w)
	}
	return m, err == nil
}

func (h *mailboxHandler) fail(w http.ResponseWriter) {
	http.Error(w, "The mailbox cannot be read.", http.StatusInternalServerError)
}

func (h *mailboxHandler) json(w http.ResponseWriter, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // links stay links in a terminal
	if err := enc.Encode(v); err != nil {
		h.fail(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b.Bytes())
}

func (h *mailboxHandler) show(w http.ResponseWriter, p mailboxPage) {
	p.Product, p.Path, p.Style = h.product, MailboxPath, template.CSS(mailboxCSS)
	var b bytes.Buffer
	if err := h.page.Execute(&b, p); err != nil {
		h.fail(w)
		return
	}
	sum := sha256.Sum256([]byte(mailboxCSS))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; frame-src 'self'; style-src 'sha256-"+
		base64.StdEncoding.EncodeToString(sum[:])+"'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}
