package attack

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

const (
	limited = "LANYARD_THROTTLE=on"
	proxied = "LANYARD_TRUSTED_PROXIES=127.0.0.1/32" // lets a case come from other addresses
	victim  = "v@example.com"
	wrong   = "wrong horse battery staple"
)

// from gives a client behind an address, where the target trusts its proxy.
func from(w *lanyardtest.World, ip string) *lanyardtest.Client {
	c := w.Client()
	c.Header.Set("X-Forwarded-For", ip)
	return c
}

func signIn(c *lanyardtest.Client, email, pw string) *lanyardtest.Answer {
	return c.Post("/api/auth/login", m{"email": email, "password": pw, "delivery": "body"})
}

// face is what an answer shows, without what is anew each time.
func face(a *lanyardtest.Answer) string {
	var names []string
	for name := range a.Header {
		if name != "Date" && name != "X-Request-Id" {
			names = append(names, name+"="+strings.Join(a.Header[name], ","))
		}
	}
	slices.Sort(names)
	return fmt.Sprint(a.Status, names, strings.ReplaceAll(string(a.Raw), a.Text("requestId"), ""))
}

func passwordAttacks() []attack {
	return []attack{
		{"C1", "wrong passwords of all kinds of accounts answer alike", false, func(t *testing.T, s *site) {
			w := s.start()
			root := superAdmin(w)
			w.Registered(victim)
			suspended := w.Registered("suspended@example.com")
			root.Post("/api/users/"+suspended.UserID+"/suspend", m{"reason": "x"}).Want(204)
			w.Client().Post("/api/auth/register", m{"email": "unverified@example.com", "password": password}).Want(201)
			signIn(w.Client(), victim, password).Want(200) // the control
			want := face(signIn(w.Client(), victim, wrong).Problem(401, "invalid_credentials"))
			for _, who := range []string{"nobody@example.com", "suspended@example.com", "unverified@example.com"} {
				for _, pw := range []string{wrong, password} {
					if got := face(signIn(w.Client(), who, pw)); got != want {
						t.Errorf("%s: %s\nwant %s", who, got, want)
					}
				}
			}
		}},
		{"C2", "common passwords on every path", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			reset := func() string {
				w.Client().Post("/api/auth/forgot-password", m{"email": victim}).Want(202)
				return w.MailedToken(victim)
			}
			token := reset()
			for _, base := range []string{"passwordpassword", "123456789012", "qwertyuiop123", "iloveyou1234", "password1234", "1q2w3e4r5t6y"} {
				for _, pw := range []string{base, strings.ToUpper(base), strings.ToUpper(base[:1]) + base[1:]} {
					w.Client().Post("/api/auth/register", m{"username": "somebody." + strconv.FormatInt(serial.Add(1), 10), "password": pw}).Problem(422, "password_refused")
					c.Post("/api/auth/change-password", m{"currentPassword": password, "newPassword": pw}).Problem(422, "password_refused")
					w.Client().Post("/api/auth/reset-password", m{"token": token, "newPassword": pw}).Problem(422, "password_refused")
				}
			}
			w.Client().Post("/api/auth/reset-password", m{"token": token, "newPassword": other}).Want(204)
		}},
		{"C4", "long addresses and what bcrypt does not see", false, func(t *testing.T, s *site) {
			w := s.start()
			for _, n := range []int{52, 64, 71, 72, 73, 90} {
				email := strings.Repeat("a", 40) + "@" + strings.Repeat("b", n-45) + ".com"
				w.Registered(email) // signs in, so it works
				signIn(w.Client(), email, wrong).Problem(401, "invalid_credentials")
			}
			long := strings.Repeat("correct horse ", 6)[:72]
			w.Client().Post("/api/auth/register", m{"username": "long.one", "password": long + "tail"}).Want(201)
			w.Client().Post("/api/auth/login", m{"username": "long.one", "password": long + "tail"}).Want(200)
			for _, pw := range []string{long, long + "tale", long + "tail!", long + "tail\x00"} {
				w.Client().Post("/api/auth/login", m{"username": "long.one", "password": pw}).Problem(401, "invalid_credentials")
			}
		}},
		{"C5", "passwords of odd characters are exact", true, func(t *testing.T, s *site) {
			w := s.start()
			for _, pw := range []string{"nul\x00inside it here", " leading and trailing ", "tab\tin the middle of it", "🐎🔋📎 horses and staples", "e\u0301toile filante du soir", strings.Repeat("x9 ", 21) + "y", strings.Repeat("long pass phrase", 8), "all lower case letters"} {
				name := "odd." + strconv.FormatInt(serial.Add(1), 10) + "." + strconv.FormatInt(time.Now().UnixNano()%1_000_000, 10)
				w.Client().Post("/api/auth/register", m{"username": name, "password": pw}).Want(201)
				w.Client().Post("/api/auth/login", m{"username": name, "password": pw}).Want(200)
				for _, near := range []string{strings.TrimSpace(pw) + " .", pw + " ", pw[:len(pw)-1], strings.ToUpper(pw) + "!"} {
					if near != pw {
						w.Client().Post("/api/auth/login", m{"username": name, "password": near}).Problem(401, "invalid_credentials")
					}
				}
			}
			name := "nfc." + strconv.FormatInt(time.Now().UnixNano(), 36)
			w.Client().Post("/api/auth/register", m{"username": name, "password": "e\u0301toile filante du soir"}).Want(201)
			w.Client().Post("/api/auth/login", m{"username": name, "password": "\u00e9toile filante du soir"}).Want(200) // NFC, as documented
		}},
		{"C7", "passwords of a megabyte", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			huge := strings.Repeat("a", 1<<20)
			w.Store.Transport.Reset()
			got := together(48, func(i int) int {
				switch i % 4 {
				case 0:
					return w.Client().Post("/api/auth/register", m{"username": "huge", "password": huge}).Status
				case 1:
					return signIn(w.Client(), victim, huge).Status
				case 2:
					return w.Client().Post("/api/auth/reset-password", m{"token": "x", "newPassword": huge}).Status
				}
				return w.Client().Post("/api/auth/change-password", m{"currentPassword": huge, "newPassword": huge}).Status
			})
			for status := range got {
				if status < 400 || status >= 500 {
					t.Errorf("statuses %v", got)
				}
			}
			if n := w.Store.Transport.Calls(); n != 0 {
				t.Errorf("%d requests to the store for what is refused unread", n)
			}
			c.Get("/api/auth/me").Want(200)
			signIn(w.Client(), victim, password).Want(200)
		}},
		{"C8", "a hundred guesses, from one address and from made-up ones", false, func(t *testing.T, s *site) {
			w := s.start(limited)
			w.Registered(victim)
			throttled := 0
			for i := range 100 {
				a := signIn(from(w, fmt.Sprintf("203.0.113.%d", i)), victim, wrong) // nobody believes the header here
				if a.Status == 429 {
					throttled++
				}
			}
			right := signIn(w.Client(), victim, password).Problem(429, "too_many_requests")
			if guess := signIn(w.Client(), victim, wrong); throttled < 90 || guess.Status != right.Status || guess.Text("detail") != right.Text("detail") {
				t.Errorf("%d throttled; right %s, wrong %s", throttled, right.Raw, guess.Raw)
			}
			wait, err := strconv.Atoi(right.Header.Get("Retry-After"))
			if err != nil || wait < 1 || wait > 900 {
				t.Fatalf("Retry-After %q", right.Header.Get("Retry-After"))
			}
			w.Clock.Advance(time.Duration(wait) * time.Second)
			signIn(w.Client(), victim, password).Want(200)
		}},
		{"C10", "other accounts hammered", false, func(t *testing.T, s *site) {
			w := s.start(limited, "LANYARD_LIMIT_SIGNIN_SOURCE=100000/15m", "LANYARD_LIMIT_SIGNIN_NETWORK=100000/15m")
			w.Registered(victim)
			for i := range 300 {
				signIn(w.Client(), fmt.Sprintf("other-%d@example.com", i%50), wrong)
			}
			signIn(w.Client(), "other-1@example.com", wrong).Problem(429, "too_many_requests") // the control
			for range 4 {
				signIn(w.Client(), victim, wrong).Problem(401, "invalid_credentials")
			}
			signIn(w.Client(), victim, password).Want(200)
		}},
		{"C11", "an attacker who keeps failing cannot keep the owner out", false, func(t *testing.T, s *site) {
			w := s.start(limited, proxied)
			owner := from(w, "192.0.2.1")
			owner.Post("/api/auth/register", m{"email": victim, "password": password}).Want(201)
			owner.Post("/api/auth/verify-email", m{"token": w.MailedToken(victim)}).Want(200)
			device := signIn(owner, victim, password).Want(200).Text("tokens.deviceToken")
			for i := range 60 {
				signIn(from(w, fmt.Sprintf("198.51.%d.1", i)), victim, wrong)
			}
			signIn(from(w, "192.0.2.77"), victim, password).Problem(429, "too_many_requests") // the control: the lock is on
			w.Client().Post("/api/auth/login", m{"email": victim, "password": password, "delivery": "body", "deviceToken": device}).Want(200)
			signIn(from(w, "192.0.2.77"), victim, password)
			for range 4 { // hammering does not renew the lock for ever
				w.Clock.Advance(time.Hour)
				signIn(from(w, "198.51.100.9"), victim, wrong)
			}
			w.Clock.Advance(24 * time.Hour)
			signIn(from(w, "192.0.2.77"), victim, password).Want(200)
		}},
		{"C13", "fifty guesses at once", false, func(t *testing.T, s *site) {
			w := s.start(limited)
			w.Registered(victim)
			got := together(50, func(int) int { return signIn(w.Client(), victim, wrong).Status })
			if got[401] != 5 || got[429] != 45 {
				t.Errorf("statuses %v", got)
			}
		}},
		{"C14", "what a success forgives", false, func(t *testing.T, s *site) {
			w := s.start(limited)
			w.Registered(victim)
			w.Registered("second@example.com")
			for range 4 {
				signIn(w.Client(), victim, wrong).Want(401)
				signIn(w.Client(), "second@example.com", wrong).Want(401)
			}
			signIn(w.Client(), victim, password).Want(200)
			for range 4 {
				signIn(w.Client(), victim, wrong).Want(401)
			}
			signIn(w.Client(), "second@example.com", wrong).Want(401)
			signIn(w.Client(), "second@example.com", wrong).Want(429) // V's success was not this account's
		}},
		{"C16", "values of other types", true, func(t *testing.T, s *site) {
			w := s.start()
			_, name := newcomer(w)
			for _, body := range []string{
				`{"email":{"$gt":""},"password":"x"}`, `{"username":{"$ne":null},"password":"` + password + `"}`, `{"username":["` + name + `"],"password":"` + password + `"}`,
				`{"username":"` + name + `","password":true}`, `{"username":"` + name + `","password":{"$regex":".*"}}`, `{"username":"` + name + `","password":null}`,
				`{"username":null,"password":"` + password + `"}`, `{"username":7,"password":"` + password + `"}`, `[]`, `null`, `"x"`, `7`, ``,
				`{"username":"` + name + `"}`, `{"username":"` + name + `","password":["` + password + `"]}`,
			} {
				if a := w.Client().Post("/api/auth/login", body); a.Status != 400 && a.Status != 422 {
					t.Errorf("%s: %d %s", body, a.Status, a.Raw)
				}
			}
			w.Client().Post("/api/auth/login", m{"username": name, "password": password}).Want(200)
		}},
		{"C17", "bodies that are no JSON", true, func(t *testing.T, s *site) {
			w := s.start()
			_, name := newcomer(w)
			body := `{"username":"` + name + `","password":"` + password + `"}`
			for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/xml", "application/xml", "application/json-patch+json", "text/json", ""} {
				a := raw(w, w.Client(), http.MethodPost, "/api/auth/login", body, "Content-Type", "", "Content-Type", media)
				if a.Status != 415 || len(a.Cookies) > 0 {
					t.Errorf("%s: %d", media, a.Status)
				}
			}
			if a := w.Client().Get("/api/auth/login?username=" + name + "&password=x"); a.Status != 405 {
				t.Errorf("GET: %d", a.Status)
			}
			raw(w, w.Client(), http.MethodPost, "/api/auth/login", body).Want(200)
		}},
		{"C19", "hashes of another cost", false, func(t *testing.T, s *site) {
			w := s.start("LANYARD_BCRYPT_COST=4")
			c := w.Registered(victim)
			hash := func() string { return stored(t, w, c.UserID) }
			cheap := hash()
			w.Assembly.Deps.Config.Pass.BcryptCost = 5
			dearer := cold(t, w)
			signIn(dearer.Client(), victim, password).Want(200)
			raised := hash()
			if raised == cheap {
				t.Error("a cheap hash stays")
			}
			signIn(w.Client(), victim, password).Want(200) // still configured for the lower cost
			if hash() != raised {
				t.Error("a dear hash was replaced by a cheap one")
			}
		}},
	}
}

// stored gives what the table holds of a user's password.
func stored(t *testing.T, w *lanyardtest.World, userID string) string {
	t.Helper()
	var out map[string]any
	if err := w.Store.Get(context.Background(), table.Password(userID), table.Strong, &out); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(out)
}
