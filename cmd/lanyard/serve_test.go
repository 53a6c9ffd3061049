package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// served is a server in this process.
type served struct {
	url, metrics string
	out          *sink
	stop         func() // ends it and waits
}

// serve starts a server on the store in c.Data.
func serve(t *testing.T, c *serveCommand, env ...string) *served {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l, watched := listen(), listen()
	c.Log = "json"
	c.Drain = 20 * time.Second
	ctx, cancel := context.WithCancel(t.Context())
	s := &served{url: "http://" + l.Addr().String(), metrics: "http://" + watched.Addr().String(), out: &sink{}}
	if c.TLSCert != "" {
		s.url = "https://" + l.Addr().String()
	}
	ended := make(chan error, 1)
	go func() {
		defer watched.Close()
		ended <- c.serve(ctx, &process{environ: append(environ(), env...), out: s.out, err: s.out}, l, watched)
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%v\n%s", err, s.out)
		}
	})
	t.Cleanup(s.stop)
	return s
}

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestMetricsAndHealthAreOnAListenerOfTheirOwn(t *testing.T) {
	s := serve(t, &serveCommand{Data: shortDir(t)})
	if status, _ := get(t, http.DefaultClient, s.url+"/.well-known/jwks.json"); status != 200 {
		t.Fatalf("the server answers %d", status)
	}
	get(t, http.DefaultClient, s.url+"/api/auth/me")
	if status, _ := get(t, http.DefaultClient, s.url+"/metrics"); status != http.StatusNotFound {
		t.Errorf("/metrics answers %d to everybody", status)
	}
	status, page := get(t, http.DefaultClient, s.metrics+"/metrics")
	for _, want := range []string{
		`lanyard_requests_total{operation="public-jwks",status="200"} 1`, `lanyard_refusals_total{code="unauthenticated",operation="auth-me"} 1`,
		`lanyard_request_duration_seconds_count{operation="auth-me"} 1`, `lanyard_build_info{version="dev"} 1`, "go_goroutines", "lanyard_access_cache_hits_total",
	} {
		if status != 200 || !strings.Contains(page, want) {
			t.Errorf("no %s in the metrics (%d)", want, status)
		}
	}
	if strings.Contains(page, "127.0.0.1") || strings.Contains(page, "@") {
		t.Error("the metrics name somebody")
	}
	if status, text := get(t, http.DefaultClient, s.metrics+"/healthz"); status != 200 || text != "ok\n" {
		t.Errorf("health %d %q", status, text)
	}
}

func TestServeInMemoryLeavesNothing(t *testing.T) {
	dir := filepath.Join(shortDir(t), "data")
	s := serve(t, &serveCommand{Data: dir, Memory: true, Demo: true})
	lanyard(t, "", "doctor", "--url", s.url).want(t, exitDone).says(t, "the account is deleted")
	s.stop()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v", dir, err)
	}
	lanyard(t, "", "serve", "--memory", "--dynamodb", "http://127.0.0.1:1").want(t, exitUsage)
}

// A rotation signs nobody out: not those who were signed in before, and not
// those who sign in while servers have not read the ring again.
func TestKeysRotateUnderARunningServer(t *testing.T) {
	dir := withAdmin(t)
	s := serve(t, &serveCommand{Data: dir}, "LANYARD_KEYS_RELOAD=1s")
	post := func(path string, body map[string]string) map[string]any {
		t.Helper()
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.Post(s.url+path, "application/json", bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var out struct{ Tokens map[string]any }
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode != 200 {
			t.Fatalf("%s answers %d, %v", path, res.StatusCode, err)
		}
		return out.Tokens
	}
	me := func(tokens map[string]any) {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, s.url+"/api/auth/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+tokens["accessToken"].(string))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("me answers %d", res.StatusCode)
		}
	}
	signIn := map[string]string{"email": "root@example.com", "password": strings.TrimSpace(phrase), "delivery": "body"}
	first := post("/api/auth/login", signIn)
	for range 2 {
		lanyard(t, "", "keys", "rotate", "--force", "--secret", "--data", dir).want(t, exitDone)
		me(first)
		me(post("/api/auth/login", signIn))
		next := post("/api/auth/refresh", map[string]string{"refreshToken": first["refreshToken"].(string), "delivery": "body"})
		me(next)
		first["refreshToken"] = next["refreshToken"]
	}
}

func TestRequestsUnderWayAreAnsweredAtTheEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	entered, release := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-release
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	began := make(chan int, 1)
	e := ending{grace: time.Minute, begin: func() {
		status, _ := get(t, http.DefaultClient, url+"/late") // not closed yet
		began <- status
		close(release)
	}}
	ended := make(chan error, 1)
	go func() { ended <- serveUntil(ctx, &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}, l, e) }()
	slow := make(chan int, 1)
	go func() {
		status, _ := get(t, http.DefaultClient, url+"/slow")
		slow <- status
	}()
	<-entered
	cancel()
	if status := <-began; status != 200 {
		t.Errorf("a request at the beginning of the end answers %d", status)
	}
	if status := <-slow; status != 200 {
		t.Errorf("a request under way answers %d", status)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if res, err := http.Get(url + "/after"); err == nil {
		_ = res.Body.Close()
		t.Error("it still listens")
	}
}

func TestADrainingServerIsNotHealthy(t *testing.T) {
	opened(t, withAdmin(t), func(d *deployment) {
		w := newWatch(d.Assembly)
		ask := func() int {
			rec := httptest.NewRecorder()
			w.health(rec, httptest.NewRequest(http.MethodGet, "/healthz", nil))
			return rec.Code
		}
		if got := ask(); got != 200 {
			t.Errorf("before: %d", got)
		}
		w.drain()
		if got := ask(); got != 503 {
			t.Errorf("while it ends: %d", got)
		}
	})
}

// selfSigned writes a certificate for this machine and gives its roots.
func selfSigned(t *testing.T, dir string, serial int64) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pemCert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, b := range map[string][]byte{cert: pemCert, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(pemCert)
	return cert, key, roots
}

func TestServeWithItsOwnCertificate(t *testing.T) {
	cert, key, roots := selfSigned(t, t.TempDir(), 1)
	s := serve(t, &serveCommand{Data: shortDir(t), TLSCert: cert, TLSKey: key}, "LANYARD_BCRYPT_COST=10")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	if status, body := get(t, client, s.url+"/.well-known/oauth-authorization-server"); status != 200 || !strings.Contains(body, `"issuer":"`+s.url) {
		t.Errorf("%d %s", status, body)
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11}}}
	if res, err := old.Get(s.url + "/healthz"); err == nil {
		_ = res.Body.Close()
		t.Error("TLS 1.1 is spoken")
	}
	lanyard(t, "", "doctor", "--url", s.url, "--ca", cert).want(t, exitDone).says(t, "certificate", "signed out", "the account is deleted")
	lanyard(t, "", "doctor", "--url", s.url).want(t, exitWanting).says(t, "certificate signed by unknown authority")
	lanyard(t, "", "serve", "--tls-cert", cert).want(t, exitUsage).says(t, "go together")
}

func TestARenewedCertificateIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	cert, key, _ := selfSigned(t, dir, 1)
	now := time.Now()
	var log bytes.Buffer
	c, err := newCertificate(cert, key, func() time.Time { return now }, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		t.Helper()
		got, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.SerialNumber.Int64()
	}
	touch := func(at time.Time) {
		for _, f := range []string{cert, key} {
			if err := os.Chtimes(f, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	selfSigned(t, dir, 2)
	touch(now.Add(time.Minute))
	if got := serial(); got != 1 {
		t.Errorf("looked at once: certificate %d", got)
	}
	now = now.Add(lookEvery)
	if got := serial(); got != 2 {
		t.Errorf("certificate %d after the renewal", got)
	}
	// A key that does not belong to it, as between two writes, changes nothing.
	other, _, _ := selfSigned(t, t.TempDir(), 3)
	raw, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	touch(now.Add(2 * time.Minute))
	now = now.Add(lookEvery)
	if got := serial(); got != 2 || !strings.Contains(log.String(), "cannot be used yet") {
		t.Errorf("certificate %d, log %s", got, log.String())
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	now = now.Add(lookEvery)
	if got := serial(); got != 2 {
		t.Errorf("certificate %d without files", got)
	}
	if _, err := newCertificate(cert, key, time.Now, slog.Default()); err == nil {
		t.Error("began without a key")
	}
}

func TestTheMailboxIsNotForThoseWhoReachAPublicServer(t *testing.T) {
	for name, tc := range map[string]struct {
		env  []string
		want int
	}{
		"on this machine":           {nil, http.StatusOK},
		"on this machine, by https": {[]string{"LANYARD_PUBLIC_URL=https://localhost:8443"}, http.StatusOK},
		"public, asked by its user": {[]string{"LANYARD_PUBLIC_URL=https://auth.example.com"}, http.StatusOK},
		"public, behind a proxy":    {[]string{"LANYARD_PUBLIC_URL=https://auth.example.com", "LANYARD_TRUSTED_PROXIES=127.0.0.1/32"}, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, &serveCommand{Data: t.TempDir()}, append(tc.env, "LANYARD_BCRYPT_COST=10")...)
			if status, body := get(t, http.DefaultClient, s.url+"/dev/mail"); status != tc.want {
				t.Errorf("mailbox: %d %s", status, body)
			}
			s.stop()
			if warned := strings.Contains(s.out.String(), "reaches nobody"); warned != (len(tc.env) > 0) {
				t.Errorf("log %s", s.out)
			}
		})
	}
}

// Root may be anybody: as nobody, curl is what a proxy on this machine is.
func TestAProxyOfAnotherUserDoesNotOpenTheMailbox(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if os.Geteuid() != 0 || err != nil || runtime.GOOS != "linux" {
		t.Skip("needs root, Linux and curl")
	}
	s := serve(t, &serveCommand{Memory: true}, "LANYARD_PUBLIC_URL=https://auth.example.com", "LANYARD_BCRYPT_COST=10")
	defer s.stop()
	for uid, want := range map[uint32]string{0: "200", 65534: "404"} {
		cmd := exec.CommandContext(t.Context(), curl, "-s", "-o", os.DevNull, "-w", "%{http_code}", s.url+"/dev/mail")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("user %d: %s %v, want %s", uid, out, err, want)
		}
	}
}

func TestADemoNamesItsIDsInAJSONLog(t *testing.T) {
	s := serve(t, &serveCommand{Memory: true, Demo: true})
	// The line is written before the first request is answered.
	get(t, http.DefaultClient, s.url+"/healthz")
	s.stop()
	for line := range strings.Lines(s.out.String()) {
		var got struct {
			Msg, OrganizationID string
			EntityIDs           []string
			Users               map[string]string
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if got.Msg == "example" {
			if got.OrganizationID == "" || len(got.EntityIDs) != 3 || got.Users["carol"] == "" {
				t.Errorf("%+v", got)
			}
			return
		}
	}
	t.Errorf("nothing of the example: %s", s.out)
}

func TestBehindAProxyOnlyTrustedAddressesAreBelieved(t *testing.T) {
	for _, trusted := range []string{"127.0.0.1/32", "10.0.0.0/8"} {
		dir := withAdmin(t)
		s := serve(t, &serveCommand{Data: dir}, "LANYARD_TRUSTED_PROXIES="+trusted)
		req, err := http.NewRequest(http.MethodPost, s.url+"/api/auth/login", strings.NewReader(`{"email":"root@example.com","password":"wrong"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Forwarded-For", "203.0.113.9")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		r := lanyard(t, "", "audit", "search", "--since", "1h", "--type", "session.sign_in_failed", "--data", dir).want(t, exitDone)
		if got := strings.Contains(r.out, "203.0.113.9"); got != (trusted == "127.0.0.1/32") {
			t.Errorf("trusting %s: %s", trusted, r.out)
		}
	}
}

func TestAStoreDeepInTheTreeIsSharedFromBesideIt(t *testing.T) {
	dir := filepath.Join(shortDir(t), strings.Repeat("deep/", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	s := serve(t, &serveCommand{Data: filepath.Join(dir, "data")})
	get(t, http.DefaultClient, s.url+"/healthz")
	lanyard(t, "a phrase nobody has used before\n", "admin", "create", "--email", "root@example.com", "--data", "data").want(t, exitDone)
}

func TestServeSaysWhenHalfOfADeploymentIsMissing(t *testing.T) {
	dir := withAdmin(t)
	start := func() string {
		s := serve(t, &serveCommand{Data: dir})
		get(t, http.DefaultClient, s.url+"/healthz")
		s.stop()
		return s.out.String()
	}
	if said := start(); strings.Contains(said, "was there without") {
		t.Errorf("all is there: %s", said)
	}
	if err := os.Rename(filepath.Join(dir, keysFile), filepath.Join(dir, "aside")); err != nil {
		t.Fatal(err)
	}
	if said := start(); !strings.Contains(said, "without its key ring") {
		t.Errorf("the key ring is missing: %s", said)
	}
	if err := os.Truncate(filepath.Join(dir, storeFile), 0); err != nil {
		t.Fatal(err)
	}
	if said := start(); !strings.Contains(said, "without its store") {
		t.Errorf("the store is missing: %s", said)
	}
}

func TestADamagedStoreIsToldApart(t *testing.T) {
	dir := withAdmin(t)
	path := filepath.Join(dir, storeFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string][]byte{
		"cut off":   raw[:17_000],
		"a remnant": raw[:5000],
		"text":      bytes.Repeat([]byte("hello\n"), 4000),
	} {
		if err := os.WriteFile(path, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			lanyard(t, "", "admin", "list", "--data", dir).want(t, exitFailed).says(t, "damaged", "restore")
			lanyard(t, "", "doctor", "--data", dir).want(t, exitWanting).says(t, "damaged", "restore")
		})
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	lanyard(t, "", "admin", "list", "--data", dir).want(t, exitDone)
}
