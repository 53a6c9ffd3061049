package attack

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

var b64 = base64.RawURLEncoding

// forger has a user's live token and, where the target is in process, its key.
type forger struct {
	t    *testing.T
	w    *lanyardtest.World
	c    *lanyardtest.Client
	part [3]string
}

func forge(t *testing.T, w *lanyardtest.World) *forger {
	t.Helper()
	c, _ := newcomer(w)
	f := &forger{t: t, w: w, c: c}
	copy(f.part[:], strings.Split(c.Access, "."))
	c.Get("/api/auth/me").Want(200) // the control: untouched it is good
	return f
}

// refused holds the API to refusing a token for a read and for a change, as an
// invalid one; on API Gateway the authorizer's refusal is a bare 403.
func (f *forger) refused(what, raw string) {
	f.t.Helper()
	c := bearing(f.w, raw)
	for _, a := range []*lanyardtest.Answer{c.Get("/api/auth/me"), c.Patch("/api/auth/me", m{"profile": m{"firstName": "Mallory"}})} {
		edge := a.Status == 403 && string(a.Raw) == `{"message":"Forbidden"}`
		if !edge && (a.Status != 401 || a.Text("code") != "invalid_token" || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer")) {
			f.t.Errorf("%s: %s: %d %s", what, a.What, a.Status, a.Raw)
		}
	}
}

// done makes sure that nothing of it had an effect and the token still works.
func (f *forger) done() {
	f.t.Helper()
	if a := f.c.Get("/api/auth/me").Want(200); a.Text("profile.firstName") == "Mallory" {
		f.t.Error("a forged token changed something")
	}
}

func (f *forger) header(change map[string]any) string {
	raw, err := b64.DecodeString(f.part[0])
	if err != nil {
		f.t.Fatal(err)
	}
	var h map[string]any
	if err := json.Unmarshal(raw, &h); err != nil {
		f.t.Fatal(err)
	}
	for k, v := range change {
		if v == nil {
			delete(h, k)
		} else {
			h[k] = v
		}
	}
	out, err := json.Marshal(h)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(out)
}

// payload gives the claims with members replaced by raw JSON; "" drops one.
func (f *forger) payload(change map[string]string) string {
	raw, err := b64.DecodeString(f.part[1])
	if err != nil {
		f.t.Fatal(err)
	}
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(raw, &claims); err != nil {
		f.t.Fatal(err)
	}
	var members []string
	for name, v := range claims {
		if c, changed := change[name]; changed {
			if c == "" {
				continue
			}
			v = json.RawMessage(c)
		}
		members = append(members, fmt.Sprintf("%q:%s", name, v))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// signed makes a token with the target's own key.
func (f *forger) signed(header, payload string) string {
	f.t.Helper()
	return f.signedWith(f.w.Ring.Active(), header, payload)
}

func (f *forger) signedWith(k token.Key, header, payload string) string {
	f.t.Helper()
	s, err := k.Signer()
	if err != nil {
		f.t.Fatal(err)
	}
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	sig, err := s.Sign(context.Background(), []byte(input))
	if err != nil {
		f.t.Fatal(err)
	}
	return input + "." + b64.EncodeToString(sig)
}

// macs are the token's header and payload under each HMAC with a secret.
func (f *forger) macs(secret []byte, change map[string]any) []string {
	var out []string
	for alg, h := range map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New} {
		c := map[string]any{"alg": alg}
		for k, v := range change {
			c[k] = v
		}
		input := b64.EncodeToString([]byte(f.header(c))) + "." + f.part[1]
		mac := hmac.New(h, secret)
		mac.Write([]byte(input))
		out = append(out, input+"."+b64.EncodeToString(mac.Sum(nil)))
	}
	return out
}

// secretsOf are the forms in which a public key may be taken for a secret.
func secretsOf(t *testing.T, public *ecdsa.PublicKey, jwk []byte) map[string][]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	point, err := public.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return map[string][]byte{
		"PEM": text, "PEM without its newline": []byte(strings.TrimSpace(string(text))), "DER": der, "JWK": jwk, "point": point,
		"x": point[1:33], "x and y": point[1:], "base64 of DER": []byte(base64.StdEncoding.EncodeToString(der)), "base64 of x": []byte(b64.EncodeToString(point[1:33])), "nothing": nil,
	}
}

// published gives the target's ES256 key as its key set has it.
func published(t *testing.T, w *lanyardtest.World) (*ecdsa.PublicKey, []byte) {
	t.Helper()
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(w.Client().Get("/.well-known/jwks.json").Want(200).Raw, &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("key set: %v", err)
	}
	var k struct{ X, Y string }
	if err := json.Unmarshal(set.Keys[0], &k); err != nil {
		t.Fatal(err)
	}
	x, errX := b64.DecodeString(k.X)
	y, errY := b64.DecodeString(k.Y)
	if errX != nil || errY != nil {
		t.Fatalf("key %s", set.Keys[0])
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		t.Fatal(err)
	}
	return public, set.Keys[0]
}

func jwtAttacks() []attack {
	return []attack{
		{"A1", "unsigned tokens", true, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
				head := b64.EncodeToString([]byte(f.header(map[string]any{"alg": alg})))
				for _, tail := range []string{".", "." + f.part[2], ""} {
					f.refused(alg+tail, head+"."+f.part[1]+tail)
				}
			}
			f.done()
		}},
		{"A2", "the public key as a shared secret", true, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			public, jwk := published(t, f.w)
			for form, secret := range secretsOf(t, public, jwk) {
				for _, raw := range f.macs(secret, nil) {
					f.refused(form, raw)
				}
			}
			f.done()
		}},
		{"A4", "keys from where the token says", true, func(t *testing.T, s *site) {
			var hits atomic.Int64
			trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hits.Add(1)
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
			}))
			defer trap.Close()
			f := forge(t, s.start())
			k, err := token.GenerateKey(token.ES256, time.Now(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			jwk, _ := k.Verification().JWK()
			claims, _ := b64.DecodeString(f.part[1])
			host := strings.TrimPrefix(trap.URL, "http://")
			for _, at := range []string{trap.URL, trap.URL + "/jwks.json", "https://lanyard.example@" + host, "file:///etc/passwd"} {
				for _, member := range []string{"jku", "x5u", "kid"} {
					f.refused(member, f.signedWith(k, f.header(map[string]any{member: at}), string(claims)))
				}
				f.refused("iss", f.signedWith(k, f.header(nil), f.payload(map[string]string{"iss": fmt.Sprintf("%q", at)})))
			}
			f.refused("jwk", f.signedWith(k, f.header(map[string]any{"jwk": jwk}), string(claims)))
			f.refused("crit", f.signedWith(k, f.header(map[string]any{"crit": []string{"x"}, "x": 1}), string(claims)))
			if hits.Load() != 0 {
				t.Errorf("%d requests to where a token pointed", hits.Load())
			}
			f.done()
		}},
		{"A5", "key ids that name files, queries and nonsense", true, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			for _, kid := range []any{"../../dev/null", "/proc/sys/kernel/randomize_va_space", "' UNION SELECT 'k", "key1#x", strings.Repeat("k", 10_000), []string{"k"}, nil, "k\x00", 7} {
				for _, secret := range [][]byte{nil, []byte("2\n"), []byte("k")} {
					for _, raw := range f.macs(secret, map[string]any{"kid": kid}) {
						if len(raw) > 9_000 {
							if a := bearing(f.w, raw).Get("/api/auth/me"); a.Status < 400 || a.Status >= 500 {
								t.Errorf("a long key id: %d", a.Status)
							}
							continue
						}
						f.refused(fmt.Sprint(kid), raw)
					}
				}
			}
			f.done()
		}},
		{"A7", "another algorithm than the key's", false, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			claims, _ := b64.DecodeString(f.part[1])
			_, ed, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			for _, alg := range []string{"EdDSA", "ES256", "ES384", "RS256", "PS256", "HS256"} {
				input := b64.EncodeToString([]byte(f.header(map[string]any{"alg": alg}))) + "." + f.part[1]
				f.refused(alg+" by an Ed25519 key", input+"."+b64.EncodeToString(ed25519.Sign(ed, []byte(input))))
				if alg != "ES256" {
					f.refused(alg+" by the real key", f.signed(f.header(map[string]any{"alg": alg}), string(claims)))
				}
			}
			bearing(f.w, f.signed(f.header(nil), string(claims))).Get("/api/auth/me").Want(200) // the control: the seam itself makes good tokens
			f.done()
		}},
		{"A8", "structures that are no compact JWS", true, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			h, p, sig := f.part[0], f.part[1], f.part[2]
			good := f.c.Access
			for what, raw := range map[string]string{
				"no signature": h + "." + p, "no header": p + "." + sig, "a part too many": good + "." + sig, "an empty part": h + ".." + sig,
				"parts swapped": p + "." + h + "." + sig,
				"padding":       good + "=", "padded payload": h + "." + p + "==." + sig, "a ? inside": h + "." + p[:4] + "?" + p[4:] + "." + sig,
				"standard alphabet": h + "." + p + "." + "+/" + sig[2:], "a dot first": "." + good, "a dot last": good + ".",
				"header twice": h + "." + h + "." + sig, "quoted": `"` + good + `"`, "signature cut": h + "." + p + "." + sig[:len(sig)-4],
			} {
				f.refused(what, raw)
			}
			f.refused("a space inside", h+". "+p+"."+sig)
			// Commas join header lines, so this is two credentials in one request.
			bearing(f.w, fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p, h, sig)).Get("/api/auth/me").Problem(400, "invalid_request")
			f.done()
		}},
		{"A10", "another spelling of the same signature", true, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			sig := f.part[2]
			last := strings.IndexByte(alphabet, sig[len(sig)-1])
			same := 0
			for i := 1; i < 16; i++ { // 64 bytes leave four bits over
				other := sig[:len(sig)-1] + string(alphabet[last&^15|(last&15+i)%16])
				loose, err := b64.DecodeString(other)
				strict, _ := b64.DecodeString(sig)
				if err == nil && string(loose) == string(strict) {
					same++
					f.refused("an alias", f.part[0]+"."+f.part[1]+"."+other)
				}
			}
			if same == 0 {
				t.Error("no alias was tried")
			}
			f.done()
		}},
		{"A11", "the signature of another token", true, func(t *testing.T, s *site) {
			w := s.start()
			f, g := forge(t, w), forge(t, w)
			f.refused("swapped", f.part[0]+"."+f.part[1]+"."+g.part[2])
			f.refused("swapped payload", f.part[0]+"."+g.part[1]+"."+f.part[2])
			f.done()
		}},
		{"A13", "other types of token, properly signed", false, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			claims, _ := b64.DecodeString(f.part[1])
			for _, typ := range []any{"JWT", "refresh+jwt", "id+jwt", "", nil, 1, []string{"at+jwt"}} {
				f.refused(fmt.Sprint(typ), f.signed(f.header(map[string]any{"typ": typ}), string(claims)))
			}
			f.done()
		}},
		{"A14", "audiences that are not ours, properly signed", false, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			for _, aud := range []string{"", `"other"`, `[]`, `["other","lanyard"]`, `["other"]`, `1`, `{"lanyard":true}`, `null`, `"Lanyard"`} {
				f.refused("aud "+aud, f.signed(f.header(nil), f.payload(map[string]string{"aud": aud})))
			}
			for _, iss := range []string{"", `"https://evil.example"`, `null`, `["http://127.0.0.1:8080"]`} {
				f.refused("iss "+iss, f.signed(f.header(nil), f.payload(map[string]string{"iss": iss})))
			}
			f.done()
		}},
		{"A16", "a token after its end", false, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			works := func(past int64) bool {
				return bearing(f.w, f.signed(f.header(nil), f.payload(map[string]string{"exp": fmt.Sprint(f.w.Clock.Now().Unix() - past)}))).Get("/api/auth/me").Status == 200
			}
			low, high := int64(-1), int64(3600)
			if !works(low) || works(high) {
				t.Fatalf("alive: %v, an hour later: %v", works(low), works(high))
			}
			for high-low > 1 {
				if mid := (low + high) / 2; works(mid) {
					low = mid
				} else {
					high = mid
				}
			}
			if t.Logf("leeway: %d s", low); low > 60 {
				t.Errorf("a token lives %d s longer than it says", low)
			}
			f.w.Clock.Advance(17 * time.Minute)
			f.c.Get("/api/auth/me").Problem(401, "token_expired")
		}},
		{"A17", "dates that are none", false, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			for _, exp := range []string{"", `"9999999999"`, "1e999", "-1", "-9999999999", "9999999999.5e400", "99999999999999999999999999", "null", "true", "[9999999999]", "{}"} {
				a := bearing(f.w, f.signed(f.header(nil), f.payload(map[string]string{"exp": exp}))).Get("/api/auth/me")
				if a.Status != 401 {
					t.Errorf("exp %s: %d %s", exp, a.Status, a.Raw)
				}
			}
			f.refused("issued tomorrow", f.signed(f.header(nil), f.payload(map[string]string{"iat": fmt.Sprint(f.w.Clock.Now().Unix() + 86_400)})))
			f.done()
		}},
		{"A19", "expired and forged at once", false, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			k, err := token.GenerateKey(token.ES256, f.w.Clock.Now(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			past := f.w.Clock.Now().Unix() - 7200
			expired := f.payload(map[string]string{"exp": fmt.Sprint(past), "iat": fmt.Sprint(past - 900), "auth_time": fmt.Sprint(past - 900)})
			bearing(f.w, f.signed(f.header(nil), expired)).Get("/api/auth/me").Problem(401, "token_expired") // the control
			f.refused("expired and forged", f.signedWith(k, f.header(nil), expired))
			f.done()
		}},
		{"A20", "a public key worked out from signatures", true, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			public, _ := published(t, f.w)
			input := sha256.Sum256([]byte(f.part[0] + "." + f.part[1]))
			sig, err := b64.DecodeString(f.part[2])
			if err != nil || len(sig) != 64 {
				t.Fatalf("signature of %d bytes", len(sig))
			}
			found := false
			for _, candidate := range recoverKeys(new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]), input[:]) {
				found = found || candidate.Equal(public)
				for form, secret := range secretsOf(t, candidate, nil) {
					for _, raw := range f.macs(secret, nil) {
						f.refused(form, raw)
					}
				}
			}
			if !found {
				t.Error("the key was not recovered: the attack was not made")
			}
			f.done()
		}},
		{"A22", "claims given twice", false, func(t *testing.T, s *site) {
			w := s.start()
			f, victim := forge(t, w), forge(t, w)
			own := f.payload(nil)
			for _, member := range []string{
				fmt.Sprintf(`"sub":%q`, victim.c.UserID), fmt.Sprintf(`"userId":%q`, victim.c.UserID), `"exp":9999999999`, `"role":"ADMIN"`,
			} {
				f.refused(member+" last", f.signed(f.header(nil), own[:len(own)-1]+","+member+"}"))
				f.refused(member+" first", f.signed(f.header(nil), "{"+member+","+own[1:]))
			}
			for _, member := range []string{fmt.Sprintf(`"Sub":%q`, victim.c.UserID), `"Role":"ADMIN"`, fmt.Sprintf(`"userID":%q`, victim.c.UserID)} {
				a := bearing(w, f.signed(f.header(nil), own[:len(own)-1]+","+member+"}")).Get("/api/auth/me")
				if a.Status == 200 && (a.Text("id") != f.c.UserID || a.Text("role") != "USER") {
					t.Errorf("%s: %s", member, a.Raw)
				}
			}
			f.refused("sub and userId apart", f.signed(f.header(nil), f.payload(map[string]string{"sub": fmt.Sprintf("%q", victim.c.UserID)})))
			f.done()
		}},
		{"A23", "subjects that are not, properly signed", false, func(t *testing.T, s *site) {
			w := s.start()
			f := forge(t, w)
			nobody := `"01900000-0000-7000-8000-0000000000f1"`
			a := bearing(w, f.signed(f.header(nil), f.payload(map[string]string{"sub": nobody, "userId": nobody}))).Get("/api/auth/me")
			a.Problem(401, "session_revoked")
			f.refused("no subject", f.signed(f.header(nil), f.payload(map[string]string{"sub": "", "userId": ""})))
			gone, _ := newcomer(w)
			gone.Get("/api/auth/me").Want(200)
			gone.Delete("/api/auth/me", m{"password": password}).Want(204)
			gone.Get("/api/auth/me").Problem(401, "session_revoked")
			admin := bearing(w, f.signed(f.header(nil), f.payload(map[string]string{"role": `"ADMIN"`})))
			admin.Get("/api/users").Problem(403, "forbidden") // the table decides, not the claim
			f.done()
		}},
		{"A25", "where and how a token is sent", true, func(t *testing.T, s *site) {
			w := s.start()
			f, g := forge(t, w), forge(t, w)
			send := func(path string, headers ...string) *lanyardtest.Answer {
				return raw(w, w.Client(), http.MethodGet, path, "", headers...)
			}
			for _, scheme := range []string{"Bearer ", "bearer ", "BEARER "} { // RFC 9110 §11.1
				send("/api/auth/me", "Authorization", scheme+f.c.Access).Want(200)
			}
			for _, h := range []string{"Bearer\t" + f.c.Access, "Bearer" + f.c.Access, f.c.Access, "Basic " + f.c.Access, "Bearer " + f.c.Access + " x", "Bearer"} {
				if a := send("/api/auth/me", "Authorization", h); a.Status != 401 && a.Status != 403 {
					t.Errorf("%.12q: %d", h, a.Status)
				}
			}
			send("/api/auth/me", "Authorization", "Bearer "+f.c.Access, "Authorization", "Bearer "+g.c.Access).Problem(400, "invalid_request")
			send("/api/auth/me", "Authorization", "Bearer "+f.c.Access, "Cookie", "lanyard_access="+g.c.Access+"; __Host-lanyard_access="+g.c.Access).Problem(400, "invalid_request")
			for _, q := range []string{"access_token", "token", "authorization", "bearer"} {
				if a := send("/api/auth/me?" + q + "=" + f.c.Access); a.Status < 400 {
					t.Errorf("a token in the query %s: %d", q, a.Status)
				}
			}
		}},
		{"A26", "what the key set gives away", true, func(t *testing.T, s *site) {
			w := s.start()
			a := w.Client().Get("/.well-known/jwks.json").Want(200)
			keys, _ := a.Value("keys").([]any)
			seen := map[string]bool{}
			for _, k := range keys {
				jwk := k.(map[string]any)
				for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
					if jwk[private] != nil {
						t.Errorf("the key set has the private member %s", private)
					}
				}
				kid, _ := jwk["kid"].(string)
				if seen[kid] || kid == "" || jwk["use"] != "sig" || jwk["alg"] == nil {
					t.Errorf("key %v", jwk)
				}
				seen[kid] = true
			}
			if len(keys) == 0 || !strings.Contains(a.Header.Get("Cache-Control"), "max-age") || a.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%d keys, %v", len(keys), a.Header)
			}
		}},
		{"A28", "the playbook of token tools", true, func(t *testing.T, s *site) {
			f := forge(t, s.start())
			// jwt_tool's playbook beyond the cases above: injected claims, a null
			// signature, blank passwords, headers dropped, and signature tampering.
			f.refused("null signature", f.part[0]+"."+f.part[1]+".AA")
			for _, raw := range f.macs([]byte(""), nil) {
				f.refused("blank password", raw)
			}
			for _, name := range []string{"alg", "kid", "typ"} {
				f.refused("no "+name, b64.EncodeToString([]byte(f.header(map[string]any{name: nil})))+"."+f.part[1]+"."+f.part[2])
			}
			for _, name := range []string{"sub", "role", "exp", "userId", "sid", "amr"} {
				f.refused("injected "+name, f.part[0]+"."+b64.EncodeToString([]byte(f.payload(map[string]string{name: `"x"`})))+"."+f.part[2])
			}
			zero := make([]byte, 64) // CVE-2022-21449
			f.refused("a signature of zeros", f.part[0]+"."+f.part[1]+"."+b64.EncodeToString(zero))
			// The playbook's own controls: the same token again is good.
			f.c.Get("/api/auth/me").Want(200)
			f.c.Get("/api/auth/me").Want(200)
			f.done()
		}},
		{"A29", "what a token tells", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered("told@example.com")
			documented := []string{"iss", "sub", "aud", "exp", "iat", "jti", "sid", "userId", "username", "role", "amr", "auth_time"}
			ids := map[string]bool{}
			look := func(access string) {
				payload, err := b64.DecodeString(strings.Split(access, ".")[1])
				if err != nil {
					t.Fatal(err)
				}
				var claims map[string]any
				if err := json.Unmarshal(payload, &claims); err != nil {
					t.Fatal(err)
				}
				for name := range claims {
					if !slices.Contains(documented, name) {
						t.Fatalf("undocumented claim %s", name)
					}
				}
				if strings.Contains(string(payload), "example.com") || claims["exp"].(float64)-claims["iat"].(float64) != 900 {
					t.Fatalf("claims %s", payload)
				}
				id, ok := claims["jti"].(string)
				if !ok || ids[id] {
					t.Fatalf("jti %v twice", claims["jti"])
				}
				ids[id] = true
			}
			for range 100 {
				c.Keep(c.Post("/api/auth/refresh", m{"refreshToken": c.Refresh}).Want(200))
				look(c.Access)
				w.Clock.Advance(time.Second)
			}
			for _, access := range issue(t, w, "told@example.com", 90, 110) {
				look(access)
			}
			if len(ids) != 10_000 {
				t.Errorf("%d tokens", len(ids))
			}
		}},
	}
}

// issue gives the access tokens of sign-ins and of the refreshes after each, from
// as many clients at once as there are processors. The handler is called itself,
// which leaves only the loopback connection out.
func issue(t *testing.T, w *lanyardtest.World, email string, signIns, each int) []string {
	t.Helper()
	send := func(path string, body m) (access, refresh string, err error) {
		raw, err := json.Marshal(body)
		if err != nil {
			return "", "", err
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(raw))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		w.Handler.ServeHTTP(rec, r)
		var out struct {
			Tokens struct{ AccessToken, RefreshToken string }
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != http.StatusOK {
			return "", "", fmt.Errorf("%s: %d %s: %w", path, rec.Code, rec.Body, err)
		}
		return out.Tokens.AccessToken, out.Tokens.RefreshToken, nil
	}
	got := make([][]string, signIns)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range signIns {
		g.Go(func() error {
			access, refresh, err := send("/api/auth/login", m{"email": email, "password": password, "delivery": "body"})
			for n := 1; err == nil; n++ {
				got[i] = append(got[i], access)
				if n == each {
					return nil
				}
				access, refresh, err = send("/api/auth/refresh", m{"refreshToken": refresh})
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return slices.Concat(got...)
}

// recoverKeys gives the public keys under which (r, s) signs digest: SEC 1 §4.1.6.
func recoverKeys(r, s *big.Int, digest []byte) []*ecdsa.PublicKey {
	curve := elliptic.P256()
	p := curve.Params()
	var out []*ecdsa.PublicKey
	// y² = x³ - 3x + b
	y2 := new(big.Int).Exp(r, big.NewInt(3), p.P)
	y2.Sub(y2, new(big.Int).Mul(big.NewInt(3), r)).Add(y2, p.B).Mod(y2, p.P)
	y := new(big.Int).ModSqrt(y2, p.P)
	if y == nil {
		return nil
	}
	inverse := new(big.Int).ModInverse(r, p.N)
	e := new(big.Int).SetBytes(digest)
	minusE := new(big.Int).Mod(new(big.Int).Neg(new(big.Int).Mul(e, inverse)), p.N)
	u := new(big.Int).Mod(new(big.Int).Mul(s, inverse), p.N)
	for _, root := range []*big.Int{y, new(big.Int).Sub(p.P, y)} {
		// Deprecated for secrets; this works on public numbers only.
		x1, y1 := curve.ScalarMult(r, root, u.Bytes())                //nolint:staticcheck // public numbers
		x2, y2 := curve.ScalarBaseMult(minusE.Bytes())                //nolint:staticcheck // public numbers
		x, y := curve.Add(x1, y1, x2, y2)                             //nolint:staticcheck // public numbers
		out = append(out, &ecdsa.PublicKey{Curve: curve, X: x, Y: y}) //nolint:staticcheck // public numbers
	}
	return out
}
