package awskeys_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/lanyard-auth/lanyard/pkg/awskeys"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// parameterStore answers GetParameter and PutParameter as SSM does.
type parameterStore struct {
	value   string
	version int64
	meddle  bool // somebody else writes between
}

func (p *parameterStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	var in struct{ Name, Value, Type string }
	if err := json.Unmarshal(raw, &in); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var out any
	switch {
	case in.Name != "/lanyard/keys":
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"__type": "ParameterNotFound"}
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetParameter"):
		out = map[string]any{"Parameter": map[string]any{"Name": in.Name, "Value": p.value, "Version": p.version}}
	default:
		if p.meddle {
			p.version++
		}
		p.value, p.version = in.Value, p.version+1
		out = map[string]any{"Version": p.version}
	}
	if err := json.NewEncoder(w).Encode(out); err != nil {
		panic(err)
	}
}

func TestTheRingIsKeptInAParameter(t *testing.T) {
	now := time.Now()
	ring, err := token.NewRing(token.ES256, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ring.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	store := &parameterStore{value: string(raw), version: 4}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	sdk := aws.Config{Region: "eu-north-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	source, err := awskeys.Source(config.Keys{Source: "ssm", Name: "/lanyard/keys"}, sdk)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	got, err := source.Load(ctx)
	if err != nil || got.Active().ID != ring.Active().ID {
		t.Fatalf("%v", err)
	}
	p, ok := source.(*awskeys.Parameter)
	if !ok {
		t.Fatalf("source is a %T", source)
	}
	rotate := func(r *token.Ring) (*token.Ring, error) {
		next, err := token.GenerateKey(token.ES256, now, rand.Reader)
		if err != nil {
			return nil, err
		}
		return r.Rotate(now.Add(time.Hour), time.Hour, next)
	}
	rotated, err := p.Update(ctx, rotate)
	if err != nil || rotated.Active().ID == ring.Active().ID || store.version != 5 {
		t.Fatalf("rotate: %v", err)
	}
	store.meddle = true
	if _, err := p.Update(ctx, func(r *token.Ring) (*token.Ring, error) { return r, nil }); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("two writers at once: %v", err)
	}
	p.Name = "/missing"
	if _, err := p.Load(ctx); err == nil {
		t.Error("a missing parameter gave keys")
	}
	if _, err := p.Update(ctx, rotate); err == nil {
		t.Error("a missing parameter was changed")
	}
	for _, c := range []config.Keys{{Source: "env", Ring: "nonsense"}, {Source: "file"}} {
		if _, err := awskeys.Source(c, sdk); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	if _, err := awskeys.Source(config.Keys{Source: "env", Ring: string(raw)}, sdk); err != nil {
		t.Error(err)
	}
}
