package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/keystore"
)

// parameters answers GetParameter and PutParameter as SSM does, and keeps the
// versions of its one parameter.
type parameters struct {
	mu       sync.Mutex
	name     string
	versions []string
	before   func() // runs once, just before the next value is put
	problems []string
}

func (s *parameters) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in struct {
		Name, Value, Type, Tier   string
		Overwrite, WithDecryption bool
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		s.problems = append(s.problems, err.Error())
	}
	answer := func(status int, body map[string]any) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	if !strings.Contains(r.Header.Get("Authorization"), "/ssm/aws4_request") {
		s.problems = append(s.problems, "not signed for SSM")
	}
	switch op := r.Header.Get("X-Amz-Target"); {
	case in.Name != s.name || len(s.versions) == 0 && op == "AmazonSSM.GetParameter":
		answer(http.StatusBadRequest, map[string]any{"__type": "ParameterNotFound"})
	case op == "AmazonSSM.GetParameter":
		if !in.WithDecryption {
			s.problems = append(s.problems, "asked for what is encrypted")
		}
		answer(http.StatusOK, map[string]any{"Parameter": map[string]any{"Name": s.name, "Type": "SecureString",
			"Value": s.versions[len(s.versions)-1], "Version": len(s.versions)}})
	case op == "AmazonSSM.PutParameter":
		if in.Type != "SecureString" || !in.Overwrite {
			s.problems = append(s.problems, "put as "+in.Type)
		}
		if s.before != nil {
			s.before()
			s.before = nil
		}
		s.versions = append(s.versions, in.Value)
		answer(http.StatusOK, map[string]any{"Version": len(s.versions), "Tier": "Standard"})
	default:
		answer(http.StatusBadRequest, map[string]any{"__type": "InvalidAction"})
	}
}

func TestTheRingInAParameterIsListedRotatedAndRetired(t *testing.T) {
	ring, err := token.NewRing(token.ES256, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ring.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	ssm := &parameters{name: "/lanyard/prod/keys", versions: []string{string(raw)}}
	server := httptest.NewServer(ssm)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL_SSM": server.URL, "AWS_REGION": "eu-north-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_MAX_ATTEMPTS": "1"} {
		t.Setenv(name, value)
	}
	dir := withAdmin(t)
	run := func(args ...string) result {
		return lanyardIn(t.Context(), append(environ(), "LANYARD_KEYS_SOURCE=ssm", "LANYARD_KEYS_NAME="+ssm.name), "", append(args, "--data", dir)...)
	}
	list := func() map[string][]keyEntry {
		t.Helper()
		out := run("keys", "list", "-o", "json").want(t, exitDone).out
		if strings.Contains(out, "privateKey") || strings.Contains(out, `"d":`) {
			t.Errorf("the keys themselves are shown: %s", out)
		}
		var all []keyEntry
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			t.Fatal(err)
		}
		by := map[string][]keyEntry{}
		for _, k := range all {
			by[k.Use+" "+k.State] = append(by[k.Use+" "+k.State], k)
		}
		return by
	}
	before := list()
	active, next := before["sig active"][0].ID, before["sig next"][0].ID
	if active != ring.Active().ID {
		t.Fatalf("active is %s, in the parameter it is %s", active, ring.Active().ID)
	}

	run("keys", "rotate").want(t, exitWanting).says(t, "--force")
	run("keys", "rotate", "--force", "--dry-run").want(t, exitDone).says(t, "nothing was written")
	if len(ssm.versions) != 1 {
		t.Fatalf("%d versions before anything was to be written", len(ssm.versions))
	}
	run("keys", "rotate", "--force", "--reason", "quarterly").want(t, exitDone)
	if after := list(); len(ssm.versions) != 2 || after["sig active"][0].ID != next || after["sig previous"][0].ID != active {
		t.Errorf("%d versions, %+v", len(ssm.versions), after)
	}
	run("keys", "retire", active, "--reason", "stolen").want(t, exitDone)
	if after := list(); len(ssm.versions) != 3 || after["sig retired"][0].ID != active {
		t.Errorf("%d versions, %+v", len(ssm.versions), after)
	}
	for i, v := range ssm.versions {
		if _, err := keystore.FromString(v); err != nil {
			t.Errorf("version %d is no ring: %v", i+1, err)
		}
	}
	if got := events(t, dir, audit.KeysRotated); len(got) != 1 || got[0].Details["reason"] != "quarterly" || got[0].Details["key"] != next {
		t.Errorf("recorded: %+v", got)
	}
	if got := events(t, dir, audit.KeyRetired); len(got) != 1 || got[0].Details["reason"] != "stolen" {
		t.Errorf("recorded: %+v", got)
	}

	// The rotator of the deployment writes between the command's read and write.
	ssm.before = func() { ssm.versions = append(ssm.versions, ssm.versions[len(ssm.versions)-1]) }
	if r := run("keys", "rotate", "--force"); r.code == exitDone {
		t.Error("the meeting of two writers went unnoticed")
	} else {
		r.says(t, "somebody else")
	}
	ssm.name = "/another"
	if r := lanyardIn(t.Context(), append(environ(), "LANYARD_KEYS_SOURCE=ssm", "LANYARD_KEYS_NAME=/lanyard/prod/keys"), "", "keys", "list", "--data", dir); r.code == exitDone {
		t.Error("a parameter that is not there was listed")
	} else {
		r.says(t, "/lanyard/prod/keys")
	}
	if len(ssm.problems) > 0 {
		t.Errorf("the requests: %v", ssm.problems)
	}
}
