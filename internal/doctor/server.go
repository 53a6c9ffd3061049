package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Credentials are of an account without a second factor that may sign in.
// Empty ones let the check make an account, where it can read the mailbox.
type Credentials struct {
	Email    string
	Password string
}

// Visit is how a server is looked at.
type Visit struct {
	URL         string
	Credentials Credentials
	Client      *http.Client
	Now         func() time.Time
	Pause       func(context.Context, time.Duration) error // between looks into the mailbox
}

// Server looks at a running server: what it publishes, its clock and its
// certificate, and then a full sign-in round.
func Server(ctx context.Context, v Visit) Report {
	var r Report
	u, err := url.Parse(v.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		r.add("address", Failed, "give an origin such as https://auth.example.com", "%q is no origin", v.URL)
		return r
	}
	v.URL = u.Scheme + "://" + u.Host
	if !v.reach(ctx, &r) {
		return r
	}
	v.published(ctx, &r)
	v.round(ctx, &r)
	return r
}

// answer is an answer, read.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	tls    *tls.ConnectionState
}

// text gives the text at a path of names.
func (a *answer) text(path string) string {
	var v any = a.body
	for _, name := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

// why says what an answer that was not wanted is.
func (a *answer) why() error {
	if code := a.text("code"); code != "" {
		return fmt.Errorf("answered %d %s: %s", a.status, code, a.text("detail"))
	}
	return fmt.Errorf("answered %d", a.status)
}

func (v *Visit) do(ctx context.Context, method, path, bearer string, body any) (*answer, error) {
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
		in = bytes.NewReader(raw)
	}
	target := path
	if !strings.HasPrefix(path, "http") {
		target = v.URL + path
	}
	req, err := http.NewRequestWithContext(ctx, method, target, in)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "lanyard doctor")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := v.Client.Do(req)
	if err != nil {
		return nil, err // it names the method and the address
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	a := &answer{status: res.StatusCode, header: res.Header, tls: res.TLS}
	if len(raw) > 0 && strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			return nil, fmt.Errorf("read answer of %s: %w", path, err)
		}
	}
	return a, nil
}

// reach looks whether the server answers, and how its clock and certificate are.
func (v *Visit) reach(ctx context.Context, r *Report) bool {
	a, err := v.do(ctx, http.MethodGet, "/healthz", "", nil)
	if err != nil {
		r.add("server", Failed, "is it running, and is the way to it open?", "%v", err)
		return false
	}
	if a.status != http.StatusOK {
		r.add("server", Failed, "is this the address of a Lanyard? A proxy in between may answer for it", "/healthz: %v", a.why())
		return false
	}
	r.add("server", OK, "", "%s answers", v.URL)
	if theirs, err := http.ParseTime(a.header.Get("Date")); err != nil {
		r.add("server clock", Skipped, "", "it does not say what time it is")
	} else if off := v.Now().Sub(theirs).Abs(); off > 31*time.Second {
		r.add("server clock", Warning, "set both clocks by NTP", "it differs from this machine's by %s: tokens and codes are refused", off.Round(time.Second))
	} else {
		r.add("server clock", OK, "", "within %s of this machine's", max(off.Round(time.Second), time.Second))
	}
	if a.tls != nil && len(a.tls.PeerCertificates) > 0 {
		ends := a.tls.PeerCertificates[0].NotAfter
		if left := ends.Sub(v.Now()); left < 14*24*time.Hour {
			r.add("certificate", Warning, "renew it", "it ends on %s", ends.Format(time.DateOnly))
		} else {
			r.add("certificate", OK, "", "good until %s", ends.Format(time.DateOnly))
		}
	}
	return true
}

// published looks at the documents that verifiers read.
func (v *Visit) published(ctx context.Context, r *Report) {
	a, err := v.do(ctx, http.MethodGet, "/.well-known/oauth-authorization-server", "", nil)
	switch {
	case err != nil:
		r.add("issuer", Failed, "", "%v", err)
		return
	case a.status != http.StatusOK:
		r.add("issuer", Failed, "", "/.well-known/oauth-authorization-server: %v", a.why())
		return
	case a.text("issuer") != v.URL:
		r.add("issuer", Warning, "set LANYARD_PUBLIC_URL to the address that clients use, or give that one here",
			"it calls itself %s: mail links and cookies are made for that address", a.text("issuer"))
	default:
		r.add("issuer", OK, "", "%s", a.text("issuer"))
	}
	a, err = v.do(ctx, http.MethodGet, "/.well-known/jwks.json", "", nil)
	if err != nil {
		r.add("key set", Failed, "", "%v", err)
		return
	}
	keys, _ := a.body["keys"].([]any)
	if a.status != http.StatusOK {
		r.add("key set", Failed, "", "/.well-known/jwks.json: %v", a.why())
		return
	}
	if len(keys) == 0 {
		r.add("key set", Warning, "set LANYARD_KEYS_ALGORITHM=ES256 and rotate", "it is empty: only who has the shared secret can verify tokens")
		return
	}
	r.add("key set", OK, "", "%d keys", len(keys))
}

// errSkipped says that a step could not be tried.
var errSkipped = errors.New("skipped")

// round signs in and out again, and reports each step until one fails.
func (v *Visit) round(ctx context.Context, r *Report) {
	s := &stay{Visit: v}
	steps := []struct {
		name, fix string
		do        func(context.Context) (string, error)
	}{
		{"register", "give --email of an account, or run it against a server that keeps its mail", s.register},
		{"sign-in", "is the account active, and without a second factor?", s.signIn},
		{"me", "the token that was just given is refused: do all instances have the same keys and the same LANYARD_ISSUER?", s.me},
		{"refresh", "do all instances have the same keys?", s.refresh},
		{"sign-out", "", s.signOut},
		{"signed out", "LANYARD_SESSION_CHECK_TTL bounds how long an access token outlives its session; a refresh token must not", s.ended},
	}
	for i, step := range steps {
		said, err := step.do(ctx)
		if err == nil {
			r.add(step.name, OK, "", "%s", said)
			continue
		}
		skipped := errors.Is(err, errSkipped)
		if skipped {
			r.add(step.name, Skipped, step.fix, "%v", err)
		} else {
			r.add(step.name, Failed, step.fix, "%v", err)
		}
		if !skipped || v.Credentials.Email == "" {
			for _, left := range steps[i+1:] {
				r.add(left.name, Skipped, "", "not tried")
			}
			break
		}
	}
	if s.made {
		if err := s.remove(ctx); err != nil {
			r.add("clean up", Warning, "delete the account", "the account %s is left: %v", v.Credentials.Email, err)
		} else {
			r.add("clean up", OK, "", "the account is deleted")
		}
	}
}

// stay is a user's stay at the server.
type stay struct {
	*Visit
	access, refreshToken string
	made                 bool
}

// register makes an account where none was given, and verifies its address.
func (s *stay) register(ctx context.Context) (string, error) {
	if s.Credentials.Email != "" {
		return "", fmt.Errorf("%w: an account was given", errSkipped)
	}
	box, err := s.do(ctx, http.MethodGet, "/dev/mail?to=nobody@example.com", "", nil)
	if err != nil {
		return "", err
	}
	if box.status != http.StatusOK {
		return "", fmt.Errorf("%w: the server sends its mail, so no address can be verified from here", errSkipped)
	}
	s.Credentials.Email = "doctor-" + strings.ToLower(rand.Text()) + "@example.com"
	s.Credentials.Password = rand.Text()
	a, err := s.do(ctx, http.MethodPost, "/api/auth/register", "", map[string]string{"email": s.Credentials.Email, "password": s.Credentials.Password})
	if err != nil {
		return "", err
	}
	if a.status/100 != 2 {
		return "", a.why()
	}
	s.made = true
	link, err := s.link(ctx)
	if err != nil {
		return "", err
	}
	if a, err = s.do(ctx, http.MethodGet, link, "", nil); err != nil {
		return "", fmt.Errorf("follow the link in the mail: %w", err)
	}
	if a.status != http.StatusOK {
		return "", fmt.Errorf("follow the link in the mail: %w", a.why())
	}
	return s.Credentials.Email + " is verified by mail", nil
}

// link waits for the verification mail and gives its link, at the address that
// is being looked at.
func (s *stay) link(ctx context.Context) (string, error) {
	for range 50 {
		a, err := s.do(ctx, http.MethodGet, "/dev/mail?to="+url.QueryEscape(s.Credentials.Email), "", nil)
		if err != nil {
			return "", err
		}
		items, _ := a.body["items"].([]any)
		for _, it := range items {
			m, _ := it.(map[string]any)
			links, _ := m["links"].([]any)
			for _, l := range links {
				if u, err := url.Parse(fmt.Sprint(l)); err == nil && strings.Contains(u.Path, "/verify-email/") {
					return u.RequestURI(), nil
				}
			}
		}
		if err := s.Pause(ctx, 200*time.Millisecond); err != nil {
			return "", err
		}
	}
	return "", errors.New("the verification mail does not come")
}

func (s *stay) signIn(ctx context.Context) (string, error) {
	a, err := s.do(ctx, http.MethodPost, "/api/auth/login", "", map[string]string{
		"email": s.Credentials.Email, "password": s.Credentials.Password, "delivery": "body",
	})
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", a.why()
	}
	if a.body["mfaRequired"] == true {
		return "", errors.New("the account has a second factor: the password is right, and more cannot be tried")
	}
	s.access, s.refreshToken = a.text("tokens.accessToken"), a.text("tokens.refreshToken")
	return "as " + a.text("user.id"), nil
}

func (s *stay) me(ctx context.Context) (string, error) {
	a, err := s.do(ctx, http.MethodGet, "/api/auth/me", s.access, nil)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", a.why()
	}
	if got := a.text("email"); !strings.EqualFold(got, s.Credentials.Email) {
		return "", fmt.Errorf("it knows us as %q", got)
	}
	return "it knows us", nil
}

func (s *stay) refresh(ctx context.Context) (string, error) {
	a, err := s.do(ctx, http.MethodPost, "/api/auth/refresh", "", map[string]string{"refreshToken": s.refreshToken, "delivery": "body"})
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", a.why()
	}
	if next := a.text("tokens.refreshToken"); next == "" || next == s.refreshToken {
		return "", errors.New("the refresh token was not replaced")
	}
	s.access, s.refreshToken = a.text("tokens.accessToken"), a.text("tokens.refreshToken")
	return "the tokens were replaced", nil
}

func (s *stay) signOut(ctx context.Context) (string, error) {
	a, err := s.do(ctx, http.MethodPost, "/api/auth/logout", s.access, map[string]string{"refreshToken": s.refreshToken})
	if err != nil {
		return "", err
	}
	if a.status != http.StatusNoContent {
		return "", a.why()
	}
	return "the session is ended", nil
}

func (s *stay) ended(ctx context.Context) (string, error) {
	a, err := s.do(ctx, http.MethodPost, "/api/auth/refresh", "", map[string]string{"refreshToken": s.refreshToken, "delivery": "body"})
	if err != nil {
		return "", err
	}
	if a.status != http.StatusUnauthorized {
		return "", fmt.Errorf("a refresh token still works after signing out: %w", a.why())
	}
	return "the refresh token is refused", nil
}

// remove deletes the account that register made.
func (s *stay) remove(ctx context.Context) error {
	if _, err := s.signIn(ctx); err != nil {
		return err
	}
	a, err := s.do(ctx, http.MethodDelete, "/api/auth/me", s.access, map[string]string{"password": s.Credentials.Password})
	if err != nil {
		return err
	}
	if a.status/100 != 2 {
		return a.why()
	}
	return nil
}
