package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/doctor"
)

// examined runs doctor and gives its findings by check.
func examined(t *testing.T, env []string, code int, in string, args ...string) map[string]doctor.Finding {
	t.Helper()
	var r doctor.Report
	res := lanyardIn(t.Context(), append(environ(), env...), in, append([]string{"doctor", "-o", "json"}, args...)...).want(t, code)
	if err := json.Unmarshal([]byte(res.out), &r); err != nil {
		t.Fatalf("%v: %s", err, res.out)
	}
	by := map[string]doctor.Finding{}
	for _, f := range r {
		by[f.Check] = f
	}
	return by
}

func TestDoctorFindsNothingWrongWithASoundDeployment(t *testing.T) {
	dir := withAdmin(t)
	got := examined(t, nil, exitDone, "", "--data", dir)
	for check, want := range map[string]doctor.Result{
		"configuration": doctor.Warning, // the tests' cheap hashes
		"table":         doctor.OK, "index": doctor.OK, "expiry": doctor.OK, "stream": doctor.Skipped, "clock": doctor.Skipped,
		"schema": doctor.OK, "mail templates": doctor.OK, "super admins": doctor.OK, "mail queue": doctor.OK, "mail server": doctor.Skipped, "keys": doctor.OK,
	} {
		if got[check].Result != want {
			t.Errorf("%s: %+v", check, got[check])
		}
	}
	lanyard(t, "", "doctor", "--data", dir).want(t, exitDone).says(t, "CHECK", "WHAT TO DO", "ES256")
	// While a server has the store, its clock is known.
	s := serve(t, &serveCommand{Data: dir})
	get(t, http.DefaultClient, s.url+"/healthz")
	if got := examined(t, nil, exitDone, "", "--data", dir); got["clock"].Result != doctor.OK {
		t.Errorf("clock: %+v", got["clock"])
	}
}

func TestDoctorMakesNothing(t *testing.T) {
	dir := filepath.Join(shortDir(t), "none")
	got := examined(t, nil, exitWanting, "", "--data", dir)
	if got["table"].Result != doctor.Failed || got["keys"].Result != doctor.Failed {
		t.Errorf("found %+v", got)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("the directory was made")
	}
	if got := examined(t, nil, exitWanting, "", "--data", withAdmin(t), "--table", "other"); got["table"].Result != doctor.Failed || !strings.Contains(got["table"].Detail, "there is no table other") {
		t.Errorf("found %+v", got)
	}
}

func TestDoctorSaysWhatIsWrong(t *testing.T) {
	dir := withAdmin(t)
	if got := examined(t, []string{"LANYARD_BCRYPT_COST=99"}, exitWanting, "", "--data", dir); !strings.Contains(got["configuration"].Detail, "LANYARD_BCRYPT_COST") {
		t.Errorf("found %+v", got)
	}
	if got := examined(t, []string{"LANYARD_MAIL_SENDER=smtp", "LANYARD_SMTP_URL=smtp://127.0.0.1:1"}, exitWanting, "", "--data", dir); got["mail server"].Result != doctor.Failed {
		t.Errorf("found %+v", got["mail server"])
	}
	words := filepath.Join(dir, "words", "en", "verify-email.tmpl")
	if err := os.MkdirAll(filepath.Dir(words), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(words, []byte("{{define \"subject\"}}{{.Nothing}}{{end}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := examined(t, []string{"LANYARD_MAIL_TEMPLATES=" + filepath.Join(dir, "words")}, exitWanting, "", "--data", dir); !strings.Contains(got["mail templates"].Detail, "en/verify-email.tmpl") {
		t.Errorf("found %+v", got["mail templates"])
	}
	if err := os.WriteFile(filepath.Join(dir, "keys.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := examined(t, nil, exitWanting, "", "--data", dir); got["keys"].Result != doctor.Failed {
		t.Errorf("found %+v", got["keys"])
	}
	if got := examined(t, nil, exitWanting, "", "--url", "http://127.0.0.1:1"); got["server"].Result != doctor.Failed {
		t.Errorf("found %+v", got)
	}
	if got := examined(t, nil, exitWanting, "", "--url", "auth.example.com"); got["address"].Result != doctor.Failed {
		t.Errorf("found %+v", got)
	}
}

func TestDoctorSignsInAtAServer(t *testing.T) {
	dir := withAdmin(t)
	s := serve(t, &serveCommand{Data: dir})
	steps := []string{"server", "server clock", "issuer", "key set", "register", "sign-in", "me", "refresh", "sign-out", "signed out", "clean up"}
	got := examined(t, nil, exitDone, "", "--url", s.url)
	for _, step := range steps {
		if got[step].Result != doctor.OK {
			t.Errorf("%s: %+v", step, got[step])
		}
	}
	if list := lanyard(t, "", "admin", "list", "--users", "--data", dir).want(t, exitDone).out; strings.Contains(list, "doctor-") {
		t.Errorf("an account is left:\n%s", list)
	}
	// With an account of one's own nothing is made.
	got = examined(t, nil, exitDone, phrase, "--url", s.url, "--email", "root@example.com")
	if got["register"].Result != doctor.Skipped || got["signed out"].Result != doctor.OK || got["clean up"] != (doctor.Finding{}) {
		t.Errorf("found %+v", got)
	}
	got = examined(t, nil, exitWanting, "wrong\n", "--url", s.url, "--email", "root@example.com")
	if got["sign-in"].Result != doctor.Failed || !strings.Contains(got["sign-in"].Detail, "invalid_credentials") || got["me"].Result != doctor.Skipped {
		t.Errorf("found %+v", got)
	}
	// Under another name than its own it works, with a warning.
	if got := examined(t, nil, exitDone, "", "--url", strings.Replace(s.url, "127.0.0.1", "localhost", 1)); got["issuer"].Result != doctor.Warning || got["me"].Result != doctor.OK {
		t.Errorf("found %+v", got)
	}
}

func TestDoctorMakesNoAccountWhereMailIsSent(t *testing.T) {
	s := serve(t, &serveCommand{Data: withAdmin(t)}, "LANYARD_MAIL_SENDER=smtp", "LANYARD_SMTP_URL=smtp://127.0.0.1:1")
	got := examined(t, nil, exitDone, "", "--url", s.url)
	if got["register"].Result != doctor.Skipped || got["sign-in"].Result != doctor.Skipped {
		t.Errorf("found %+v", got)
	}
}
