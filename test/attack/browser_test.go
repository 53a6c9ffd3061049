package attack

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

const https = "LANYARD_PUBLIC_URL=https://auth.example.com"

// jar is the Cookie header that a browser would send after an answer.
func jar(a *lanyardtest.Answer) string {
	var out []string
	for _, k := range a.Cookies {
		if k.MaxAge >= 0 {
			out = append(out, k.Name+"="+k.Value)
		}
	}
	return strings.Join(out, "; ")
}

// visit signs somebody in by cookie and gives the header.
func visit(w *lanyardtest.World) (name, cookies string) {
	w.T.Helper()
	_, name = newcomer(w)
	return name, jar(w.Client().Post("/api/auth/login", m{"username": name, "password": password}).Want(200))
}

func browserAttacks() []attack {
	return []attack{
		{"H1", "attributes of the cookies", false, func(t *testing.T, s *site) {
			w := s.start(https, "LANYARD_BCRYPT_COST=10", limited)
			_, name := newcomer(w)
			a := w.Client().Post("/api/auth/login", m{"username": name, "password": password}).Want(200)
			seen := map[string]*http.Cookie{}
			for _, k := range a.Cookies {
				seen[k.Name] = k
				if !k.Secure || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Domain != "" || k.MaxAge <= 0 || strings.Contains(string(a.Raw), k.Value) {
					t.Errorf("cookie %v", k)
				}
			}
			if k := seen["__Host-lanyard_access"]; k == nil || k.Path != "/" || k.MaxAge != 900 {
				t.Errorf("access cookie %v", k)
			}
			if k := seen["__Secure-lanyard_refresh"]; k == nil || k.Path != "/api/auth" || k.MaxAge != 7*24*3600 {
				t.Errorf("refresh cookie %v", k)
			}
			raw(w, w.Client(), "GET", "/api/auth/me", "", "Cookie", jar(a)).Want(200)
		}},
		{"H2", "changes asked for by other sites", false, func(t *testing.T, s *site) {
			w := s.start(https, "LANYARD_BCRYPT_COST=10", "LANYARD_CORS_ORIGINS=https://app.example.com", limited)
			_, cookies := visit(w)
			before := rows(t, w)
			for _, headers := range [][]string{
				{"Origin", "https://evil.test"}, {"Origin", "null"}, {"Origin", "https://other.example.com"}, {"Origin", "http://auth.example.com"},
				{"Origin", "https://auth.example.com.evil.test"}, {"Origin", "https://auth.example.com:8443"}, {"Origin", "https://AUTH.example.com"},
				{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "same-origin", "Origin", "https://evil.test"},
				{"Origin", "https://auth.example.com", "Origin", "https://evil.test"},
				{"Origin", "https://auth.example.com", "Sec-Fetch-Site", "cross-site"}, {"Origin", "https://auth.example.com", "Sec-Fetch-Site", "same-site"},
			} {
				for _, r := range [][2]string{{"POST", "/api/auth/logout-all"}, {"PATCH", "/api/auth/me"}, {"DELETE", "/api/auth/me"}, {"POST", "/api/organizations"}, {"POST", "/api/auth/refresh"}, {"POST", "/api/auth/logout"}} {
					body := map[string]string{"/api/auth/logout-all": "", "/api/auth/refresh": "", "/api/auth/logout": "", "/api/organizations": `{"name":"x"}`}[r[1]]
					if r[0] == "PATCH" {
						body = `{"profile":{"firstName":"Mallory"}}`
					}
					if r[0] == "DELETE" {
						body = `{"password":"` + password + `"}`
					}
					raw(w, w.Client(), r[0], r[1], body, append([]string{"Cookie", cookies}, headers...)...).Problem(403, "cross_origin_refused")
				}
			}
			unchanged(t, w, before, "another site")
			for _, headers := range [][]string{{"Origin", "https://auth.example.com"}, {"Origin", "https://app.example.com"}, {"Sec-Fetch-Site", "same-origin"},
				{"Origin", "https://auth.example.com", "Sec-Fetch-Site", "same-origin"}, {"Origin", "https://app.example.com", "Sec-Fetch-Site", "cross-site"}} {
				raw(w, w.Client(), "PATCH", "/api/auth/me", `{"profile":{"firstName":"Ann"}}`, append([]string{"Cookie", cookies}, headers...)...).Want(200)
			}
		}},
		{"H4", "bodies that a form can send", true, func(t *testing.T, s *site) {
			w := s.start()
			_, cookies := visit(w)
			for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain; charset=application/json"} {
				raw(w, w.Client(), "PATCH", "/api/auth/me", `{"profile":{"firstName":"Mallory"}}`, "Cookie", cookies, "Content-Type", "", "Content-Type", media).Problem(415, "unsupported_media_type")
			}
			raw(w, w.Client(), "PATCH", "/api/auth/me", `{"profile":{"firstName":"Ann"}}`, "Cookie", cookies, "Sec-Fetch-Site", "same-origin").Want(200)
		}},
		{"H5", "changes by safe methods and overridden ones", false, func(t *testing.T, s *site) {
			w := s.start()
			c, _ := newcomer(w)
			before := rows(t, w)
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				for _, path := range []string{"/api/auth/logout-all", "/api/auth/change-password", "/api/auth/me", "/api/organizations"} {
					for _, override := range []string{"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"} {
						raw(w, c, method, path+"?_method=DELETE&method=POST", "", override, "DELETE")
						raw(w, c, method, path, "", override, "POST")
					}
				}
			}
			unchanged(t, w, before, "a safe method")
			raw(w, c, "POST", "/api/auth/me", `{"password":"`+password+`"}`, "X-HTTP-Method-Override", "DELETE").Problem(405, "method_not_allowed")
			c.Get("/api/auth/me").Want(200)
		}},
		{"H7", "cookies planted before the sign-in", true, func(t *testing.T, s *site) {
			w := s.start()
			_, name := newcomer(w)
			mallory, planted := visit(w)
			a := raw(w, w.Client(), "POST", "/api/auth/login", `{"username":"`+name+`","password":"`+password+`"}`, "Cookie", planted, "Sec-Fetch-Site", "same-origin").Want(200)
			for _, old := range strings.Split(planted, "; ") {
				if strings.Contains(jar(a), old) && !strings.Contains(old, "device") {
					t.Errorf("%s is kept", old)
				}
			}
			if me := raw(w, w.Client(), "GET", "/api/auth/me", "", "Cookie", jar(a)).Want(200); me.Text("username") != name {
				t.Errorf("signed in as %s", me.Text("username"))
			}
			if me := raw(w, w.Client(), "GET", "/api/auth/me", "", "Cookie", planted); me.Status == 200 && me.Text("username") != mallory {
				t.Errorf("the planted cookie is %s", me.Text("username"))
			}
			both := jar(a) + "; " + planted
			raw(w, w.Client(), "GET", "/api/auth/me", "", "Cookie", both).Problem(400, "invalid_request")

			// Nor do copied ones outlive a change of the password.
			copied := jar(a)
			changed := raw(w, w.Client(), "POST", "/api/auth/change-password", `{"currentPassword":"`+password+`","newPassword":"`+other+`"}`, "Cookie", copied, "Sec-Fetch-Site", "same-origin").Want(204)
			if strings.Contains(jar(changed), "lanyard_access=") && strings.Contains(copied, jar(changed)) {
				t.Error("the cookies are the old ones")
			}
			raw(w, w.Client(), "GET", "/api/auth/me", "", "Cookie", copied).Problem(401, "session_revoked")
			raw(w, w.Client(), "POST", "/api/auth/refresh", "", "Cookie", copied, "Sec-Fetch-Site", "same-origin").Problem(401, "invalid_refresh_token")
			raw(w, w.Client(), "GET", "/api/auth/me", "", "Cookie", jar(changed)).Want(200)
			again := raw(w, w.Client(), "POST", "/api/auth/refresh", "", "Cookie", jar(changed), "Sec-Fetch-Site", "same-origin").Want(200)
			if list := raw(w, w.Client(), "GET", "/api/auth/sessions", "", "Cookie", jar(again)).Want(200); len(list.Value("items").([]any)) != 1 {
				t.Errorf("sessions %s", list.Raw)
			}
			c := w.Client() // a client with tokens keeps its session
			c.Login(m{"username": name, "password": other})
			c.Post("/api/auth/change-password", m{"currentPassword": other, "newPassword": password}).Want(204)
			c.Get("/api/auth/me").Want(200)
			raw(w, w.Client(), "GET", "/api/auth/me", "", "Cookie", jar(again)).Problem(401, "session_revoked")
		}},
		{"H8", "cookies and headers without end", true, func(t *testing.T, s *site) {
			w := s.start()
			c, _ := newcomer(w)
			for _, header := range []string{strings.Repeat("a=b; ", 4_000), "lanyard_access=" + strings.Repeat("a", 30_000)} {
				raw(w, w.Client(), "GET", "/api/auth/me", "", "Cookie", header).Problem(431, "headers_too_large")
			}
			raw(w, c, "GET", "/api/auth/me", "", "X-Long", strings.Repeat("a", 8_000)).Want(200)
			req, err := http.NewRequest(http.MethodGet, w.URL+"/api/auth/me", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Long", strings.Repeat("a", 64<<10))
			res, err := http.DefaultClient.Do(req)
			if err == nil {
				if _ = res.Body.Close(); res.StatusCode < 400 || res.StatusCode >= 500 {
					t.Errorf("64 kB of header: %d", res.StatusCode)
				}
			}
			c.Get("/api/auth/me").Want(200)
		}},
		{"H10", "a sign-in that another site asks for", true, func(t *testing.T, s *site) {
			w := s.start()
			_, name := newcomer(w)
			body := `{"username":"` + name + `","password":"` + password + `"}`
			for _, headers := range [][]string{{"Origin", "https://evil.test"}, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "null"}} {
				if a := raw(w, w.Client(), "POST", "/api/auth/login", body, headers...).Problem(403, "cross_origin_refused"); len(a.Cookies) > 0 {
					t.Errorf("cookies %v", a.Cookies)
				}
			}
			raw(w, w.Client(), "POST", "/api/auth/login", body, "Sec-Fetch-Site", "same-origin").Want(200)
		}},
		{"H11", "signing out, and the headers of every answer", false, func(t *testing.T, s *site) {
			w := s.start(https, "LANYARD_BCRYPT_COST=10", limited)
			_, cookies := visit(w)
			raw(w, w.Client(), "GET", "/api/auth/me", "", "Cookie", cookies).Want(200)
			a := raw(w, w.Client(), "POST", "/api/auth/logout", "", "Cookie", cookies, "Sec-Fetch-Site", "same-origin").Want(204)
			var cleared []string
			for _, k := range a.Cookies {
				if k.MaxAge < 0 && k.Secure && k.HttpOnly && k.Value == "" {
					cleared = append(cleared, k.Name+" "+k.Path)
				}
			}
			if slices.Sort(cleared); !slices.Equal(cleared, []string{"__Host-lanyard_access /", "__Secure-lanyard_refresh /api/auth"}) {
				t.Errorf("cleared %v", cleared)
			}
			raw(w, w.Client(), "GET", "/api/auth/me", "", "Cookie", cookies).Problem(401, "session_revoked")
			for _, op := range lanyardtest.Operations() {
				answer := raw(w, w.Client(), op.Method, strings.NewReplacer("{", "", "}", "").Replace(op.Path), "")
				h := answer.Header
				if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Strict-Transport-Security"), "max-age=") || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Content-Security-Policy") == "" {
					t.Errorf("%s: %v", op.ID, h)
				}
				if strings.HasPrefix(op.Path, "/api/") && h.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: Cache-Control %q", op.ID, h.Get("Cache-Control"))
				}
			}
		}},
	}
}
