package awskeys

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// parameterStore answers GetParameter and PutParameter as SSM does.
type parameterStore struct {
	value   string
	version int64
}

func (s *parameterStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Value     string
		Type      string
		Overwrite bool
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	refuse := func(code string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code})
	}
	switch _, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); {
	case op == "GetParameter" && s.version == 0:
		refuse("ParameterNotFound")
	case op == "GetParameter":
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]any{"Value": s.value, "Version": s.version}})
	case in.Type != "SecureString":
		refuse("ValidationException")
	case s.version > 0 && !in.Overwrite:
		refuse("ParameterAlreadyExists")
	default:
		s.value, s.version = in.Value, s.version+1
		_ = json.NewEncoder(w).Encode(map[string]any{"Version": s.version})
	}
}

func TestRotatorCreatesTheRingThenRotatesItByAge(t *testing.T) {
	store := &parameterStore{}
	server := httptest.NewServer(store)
	defer server.Close()
	c, err := config.Load([]string{"LANYARD_KEYS_ROTATE=720h"})
	if err != nil {
		t.Fatal(err)
	}
	client := ssm.New(ssm.Options{Region: "local", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := &Parameter{Client: client, Name: "/lanyard/keys"}
	r := NewRotator(c, p, func() time.Time { return now }, rand.Reader, slog.New(slog.NewTextHandler(io.Discard, nil)))
	active := func(step string, version int64) token.Key {
		t.Helper()
		if err := r.Run(context.Background()); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		ring, err := p.Load(context.Background())
		if err != nil || store.version != version {
			t.Fatalf("%s: version %d, want %d (%v)", step, store.version, version, err)
		}
		return ring.Active()
	}
	first := active("first run", 1)
	now = now.Add(719 * time.Hour)
	if again := active("before its age", 1); again.ID != first.ID {
		t.Fatal("a young key was replaced")
	}
	now = now.Add(time.Hour)
	second := active("at its age", 2)
	ring, err := p.Load(context.Background())
	if err != nil || second.ID == first.ID {
		t.Fatalf("the key was not replaced (%v)", err)
	}
	if _, ok := ring.VerificationKey(first.ID, now.Add(c.Token.TTL+c.Token.Leeway+c.Keys.Reload)); !ok {
		t.Error("a token signed just before the rotation is refused within its life")
	}
	now = now.Add(time.Hour)
	active("after the overlap", 3)
	if ring, err = p.Load(context.Background()); err != nil || len(ring.Keys()) != 2 {
		t.Errorf("the replaced key was not forgotten: %d keys (%v)", len(ring.Keys()), err)
	}
	store.value = "damaged"
	if err := r.Run(context.Background()); err == nil || store.value != "damaged" {
		t.Errorf("a ring that cannot be read was replaced (%v)", err)
	}
}
