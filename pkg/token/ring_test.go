package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

const overlap = 20 * time.Minute

func nextKey(t interface{ Fatal(...any) }, alg token.Algorithm, now time.Time) token.Key {
	k, err := token.GenerateKey(alg, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func states(r *token.Ring) string {
	var out []string
	for _, k := range r.Keys() {
		out = append(out, string(k.State))
	}
	return strings.Join(out, " ")
}

func TestRotationPassesKeysThroughTheirStates(t *testing.T) {
	r0 := newRing(t, token.ES256)
	now := start.Add(time.Hour)
	r1, err := r0.Rotate(now, overlap, nextKey(t, token.ES256, now))
	if err != nil {
		t.Fatal(err)
	}
	if got := states(r0); got != "active next" {
		t.Errorf("the old ring changed: %s", got)
	}
	if got := states(r1); got != "previous active next" {
		t.Errorf("after one rotation: %s", got)
	}
	if r1.Active().ID != r0.Keys()[1].ID || !r1.Active().ActivatedAt.Equal(now) {
		t.Errorf("active is %+v", r1.Active())
	}
	if n := len(r1.JWKS(now).Keys); n != 3 {
		t.Errorf("%d keys published, want 3", n)
	}
	old := r0.Active().ID
	if _, ok := r1.VerificationKey(old, now.Add(overlap-1)); !ok {
		t.Error("the previous key ends early")
	}
	if _, ok := r1.VerificationKey(old, now.Add(overlap)); ok {
		t.Error("the previous key does not end")
	}
	if n := len(r1.JWKS(now.Add(overlap)).Keys); n != 2 {
		t.Errorf("%d keys published after the end, want 2", n)
	}
	pruned, err := r1.Prune(now.Add(overlap))
	if err != nil || states(pruned) != "active next" {
		t.Errorf("pruned: %s, %v", states(pruned), err)
	}
	if same, err := pruned.Prune(now.Add(overlap)); err != nil || same != pruned {
		t.Error("pruning nothing makes a new ring")
	}
	// Another algorithm comes in as the next key.
	r2, err := r1.Rotate(now, overlap, nextKey(t, token.EdDSA, now))
	if err != nil {
		t.Fatal(err)
	}
	r3, err := r2.Rotate(now, overlap, nextKey(t, token.EdDSA, now))
	if err != nil || r3.Active().Algorithm != token.EdDSA {
		t.Errorf("algorithm change: %v, %v", r3.Active().Algorithm, err)
	}
}

func TestRotationRefusesNonsense(t *testing.T) {
	r := newRing(t, token.ES256)
	if _, err := r.Rotate(start, 0, nextKey(t, token.ES256, start)); err == nil {
		t.Error("no overlap")
	}
	if _, err := r.Rotate(start, overlap, r.Active()); err == nil {
		t.Error("an active key as next")
	}
	if _, err := r.Rotate(start, overlap, r.Keys()[1]); err == nil {
		t.Error("the same next key again")
	}
	alone, err := token.BuildRing(r.Keys()[:1], r.Secrets())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alone.Rotate(start, overlap, nextKey(t, token.ES256, start)); err == nil {
		t.Error("nothing to promote")
	}
}

func TestRetiredKeysTokensDieAtOnce(t *testing.T) {
	c := &clock{start}
	r0 := newRing(t, token.ES256)
	raw := issue(t, newIssuer(t, token.Static(r0), c))
	stolen := r0.Active().ID
	r1, err := r0.Retire(stolen, start, nextKey(t, token.ES256, start))
	if err != nil {
		t.Fatal(err)
	}
	if got := states(r1); got != "retired active next" {
		t.Errorf("states %s", got)
	}
	if _, err := newVerifier(t, token.Static(r1), c).Verify(t.Context(), raw); !errors.Is(err, token.ErrForged) {
		t.Errorf("token of the retired key: %v", err)
	}
	document, err := r1.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(document), `"d"`); n != 2 {
		t.Errorf("%d private halves in the ring, want 2", n)
	}
	again, err := token.ParseRing(document)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := again.VerificationKey(stolen, start); ok {
		t.Error("the retired key came back")
	}
	for _, k := range again.JWKS(start).Keys {
		if k.KeyID == stolen {
			t.Error("the retired key is published")
		}
	}
	if same, err := r1.Retire(stolen, start, token.Key{}); err != nil || same != r1 {
		t.Errorf("retired twice: %v", err)
	}
	if _, err := r1.Retire("unknown", start, token.Key{}); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("unknown key: %v", err)
	}
	if _, err := r1.Retire(r1.Active().ID, start, token.Key{}); err == nil {
		t.Error("an active key was retired without another to follow")
	}
	// The next key, and an active one without a next.
	next := r1.Keys()[2].ID
	r2, err := r1.Retire(next, start, nextKey(t, token.ES256, start))
	if err != nil || states(r2) != "retired active retired next" {
		t.Errorf("next retired: %s, %v", states(r2), err)
	}
	alone, err := token.BuildRing(r0.Keys()[:1], r0.Secrets())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := alone.Retire(stolen, start, nextKey(t, token.ES256, start)); err != nil || states(r) != "retired active" {
		t.Errorf("alone: %v", err)
	}
	// A previous key needs none to follow.
	r3, err := r0.Rotate(start, overlap, nextKey(t, token.ES256, start))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := r3.Retire(stolen, start, token.Key{}); err != nil || states(r) != "retired active next" {
		t.Errorf("previous retired: %v", err)
	}
}

// Whatever is done to a ring, a token is good exactly while its key is neither
// retired nor past its end; and the ring survives its file.
func TestRingLifeCycle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &clock{start}
		ring, err := token.NewRing(token.HS256, start, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		type made struct {
			raw, kid string
			at       time.Time
		}
		var tokens []made
		ended, retired := map[string]time.Time{}, map[string]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"issue": func(t *rapid.T) {
				i, err := token.NewIssuer(token.Static(ring), token.IssuerConfig{Issuer: issuerURL, Audience: audience, Now: c.now})
				if err != nil {
					t.Fatal(err)
				}
				raw, _, err := i.Issue(t.Context(), someClaims())
				if err != nil {
					t.Fatal(err)
				}
				tokens = append(tokens, made{raw, ring.Active().ID, c.at})
			},
			"rotate": func(t *rapid.T) {
				ended[ring.Active().ID] = c.at.Add(overlap)
				if ring, err = ring.Rotate(c.at, overlap, nextKey(t, token.HS256, c.at)); err != nil {
					t.Fatal(err)
				}
			},
			"retire": func(t *rapid.T) {
				k := rapid.SampledFrom(ring.Keys()).Draw(t, "key")
				if ring, err = ring.Retire(k.ID, c.at, nextKey(t, token.HS256, c.at)); err != nil {
					t.Fatal(err)
				}
				retired[k.ID] = true
			},
			"prune": func(t *rapid.T) {
				if ring, err = ring.Prune(c.at); err != nil {
					t.Fatal(err)
				}
			},
			"wait": func(t *rapid.T) {
				c.advance(time.Duration(rapid.IntRange(1, 15*60).Draw(t, "seconds")) * time.Second)
			},
			"store": func(t *rapid.T) {
				document, err := ring.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				if ring, err = token.ParseRing(document); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				v, err := token.NewVerifier(token.RingKeys(token.Static(ring), c.now),
					token.VerifierConfig{Issuer: issuerURL, Audience: audience, Now: c.now})
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range tokens {
					_, err := v.Verify(t.Context(), m.raw)
					end, ends := ended[m.kid]
					var want error
					switch {
					case retired[m.kid] || ends && !c.at.Before(end):
						want = token.ErrForged
					case !c.at.Before(m.at.Add(token.DefaultTTL)):
						want = token.ErrExpired
					}
					if !errors.Is(err, want) {
						t.Fatalf("token of %s: %v, want %v", m.kid, err, want)
					}
				}
			},
		})
	})
}

func TestSecretsRotateAndRetire(t *testing.T) {
	r := newRing(t, token.ES256)
	if v := r.NextSecretVersion(); v != 2 {
		t.Fatalf("next version %d", v)
	}
	s, err := token.GenerateSecret(2, start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r2, err := r.RotateSecret(s)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := r.Derive(token.PurposeRefresh)
	after, _ := r2.Derive(token.PurposeRefresh)
	if after.Current().Version != 2 || len(after) != 2 || before.Current().Key != after[0].Key {
		t.Error("the first secret's key changed")
	}
	seen := map[[32]byte]string{}
	for _, p := range []token.Purpose{token.PurposeRefresh, token.PurposeMFAPending, token.PurposeDevice, token.PurposeCursor, token.PurposeTOTPEncryption, token.PurposeRecoveryCodes} {
		keys, err := r2.Derive(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if other := seen[k.Key]; other != "" {
				t.Errorf("%s has the key of %s", p, other)
			}
			seen[k.Key] = fmt.Sprint(p, k.Version)
		}
	}
	if _, err := r2.RotateSecret(s); err == nil {
		t.Error("the same version twice")
	}
	if _, err := r2.RetireSecret(2); err == nil {
		t.Error("the current secret was retired")
	}
	if _, err := r2.RetireSecret(7); err == nil {
		t.Error("an unknown secret was retired")
	}
	r3, err := r2.RetireSecret(1)
	if err != nil || len(r3.Secrets()) != 1 {
		t.Errorf("retire: %v", err)
	}
}

func TestBuildRingRefusesWhatCannotWork(t *testing.T) {
	r := newRing(t, token.ES256)
	active, next := r.Keys()[0], r.Keys()[1]
	second := active
	second.ID = "second"
	other := newRing(t, token.ES256).Keys()[1]
	endless := other
	endless.State = token.StatePrevious
	odd := next
	odd.State = "asleep"
	unnamed := next
	unnamed.ID = ""
	renamed := next
	renamed.ID = "renamed"
	s := r.Secrets()
	for name, c := range map[string]struct {
		keys    []token.Key
		secrets []token.Secret
	}{
		"nothing": {nil, nil}, "no active": {[]token.Key{next}, s}, "two active": {[]token.Key{active, second}, s},
		"two next": {[]token.Key{active, next, other}, s}, "same id": {[]token.Key{active, active}, s}, "no secret": {r.Keys(), nil},
		"secret twice": {r.Keys(), []token.Secret{s[0], s[0]}}, "empty secret": {r.Keys(), []token.Secret{{Version: 1}}},
		"previous without end": {[]token.Key{active, endless}, s}, "odd state": {[]token.Key{active, odd}, s},
		"no id": {[]token.Key{active, unnamed}, s}, "renamed": {[]token.Key{active, renamed}, s},
		"no material": {[]token.Key{{ID: "x", State: token.StateActive}}, s},
	} {
		if ring, err := token.BuildRing(c.keys, c.secrets); err == nil || ring != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := token.NewSecret(0, start, make([]byte, 32)); err == nil {
		t.Error("version 0 is accepted")
	}
}

func TestRingDocument(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA, token.HS256} {
		c := &clock{start}
		r := newRing(t, alg)
		raw := issue(t, newIssuer(t, token.Static(r), c))
		document, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := token.ParseRing(document)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if _, err := newVerifier(t, token.Static(again), c).Verify(t.Context(), raw); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if _, err := newVerifier(t, token.Static(r), c).Verify(t.Context(), issue(t, newIssuer(t, token.Static(again), c))); err != nil {
			t.Errorf("%s, the other way: %v", alg, err)
		}
		twice, err := again.Marshal()
		if err != nil || string(twice) != string(document) {
			t.Errorf("%s: the document changed: %v", alg, err)
		}
	}
}

func TestRingDocumentIsReadStrictly(t *testing.T) {
	doc := func(alg token.Algorithm) string {
		d, err := newRing(t, alg).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return string(d)
	}
	ec, ed, hs := doc(token.ES256), doc(token.EdDSA), doc(token.HS256)
	member := func(d, name string) string { // the first value of a member
		_, rest, _ := strings.Cut(d, `"`+name+`": "`)
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	canary := member(ec, "d")
	for name, d := range map[string]string{
		"empty": "", "no JSON": "x", "array": "[]", "null": "null", "unknown member": strings.Replace(ec, `"keys"`, `"x": 1, "keys"`, 1),
		"member twice": strings.Replace(ec, `"version": 1`, `"version": 1, "version": 1`, 1), "format 2": strings.Replace(ec, `"version": 1`, `"version": 2`, 1),
		"trailing": ec + "x", "no keys": `{"version":1,"keys":[],"secrets":[]}`,
		"other d": strings.Replace(ec, canary, member(doc(token.ES256), "d"), 1), "d no base64": strings.Replace(ec, canary, "!"+canary[1:], 1),
		"d short": strings.Replace(ec, canary, canary[:20], 1), "no d": strings.Replace(ec, canary, "", 1),
		"d beside a reference": strings.Replace(ec, `"kty"`, `"signerRef": "arn", "kty"`, 1),
		"x of nobody":          strings.Replace(ec, member(ec, "x"), member(ec, "d"), 1), "x no base64": strings.Replace(ec, member(ec, "x"), "!", 1),
		"y no base64": strings.Replace(ec, member(ec, "y"), "!", 1), "y short": strings.Replace(ec, member(ec, "y"), "AAAA", 1),
		"other curve": strings.Replace(ec, "P-256", "P-384", 1), "RSA": strings.Replace(ec, `"ES256"`, `"RS256"`, 1), "mixed": strings.Replace(ec, `"ES256"`, `"EdDSA"`, 1),
		"none": strings.Replace(ec, `"ES256"`, `"none"`, 1), "bad kid": strings.Replace(ec, member(ec, "kid"), "a b", 1), "no kid": strings.Replace(ec, member(ec, "kid"), "", 1),
		"Ed25519 other d": strings.Replace(ed, member(ed, "d"), member(doc(token.EdDSA), "d"), 1), "Ed25519 short d": strings.Replace(ed, member(ed, "d"), "AAAA", 1),
		"Ed25519 x short": strings.Replace(ed, member(ed, "x"), "AAAA", 1),
		"HS256 short":     strings.Replace(hs, member(hs, "k"), "AAAA", 1), "HS256 no base64": strings.Replace(hs, member(hs, "k"), "!", 1),
		"secret no base64": strings.Replace(ec, member(ec, "value"), "!", 1), "secret short": strings.Replace(ec, member(ec, "value"), "AAAA", 1),
		"state": strings.Replace(ec, `"active"`, `"awake"`, 1), "version -1": strings.Replace(ec, `"version": 1`, `"version": -1`, 1),
	} {
		ring, err := token.ParseRing([]byte(d))
		if err == nil || ring != nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error quotes a key: %v", name, err)
		}
	}
}

func TestKeysAreOfTheirAlgorithm(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		alg    token.Algorithm
		public any
	}{
		"P-384": {token.ES256, &p384.PublicKey}, "nil": {token.ES256, (*ecdsa.PublicKey)(nil)}, "no key": {token.EdDSA, nil},
		"secret for ES256": {token.ES256, make([]byte, 32)}, "secret for EdDSA": {token.EdDSA, make([]byte, 32)}, "unknown": {"RS256", make([]byte, 32)},
	} {
		if _, err := token.NewVerificationKey("k", c.alg, c.public); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, id := range []string{"", "a b", "é", "\x00", strings.Repeat("k", 129)} {
		if _, err := token.NewVerificationKey(id, token.HS256, make([]byte, 32)); err == nil {
			t.Errorf("id %q: accepted", id)
		}
	}
	if _, err := token.GenerateKey("RS256", start, rand.Reader); err == nil {
		t.Error("RS256 is generated")
	}
	dry := iotest.ErrReader(errors.New("dry"))
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA, token.HS256} {
		if _, err := token.GenerateKey(alg, start, dry); err == nil {
			t.Errorf("%s without randomness", alg)
		}
		if _, err := token.NewRing(alg, start, dry); err == nil {
			t.Errorf("ring of %s without randomness", alg)
		}
		if got, err := token.ParseAlgorithm(string(alg)); err != nil || got != alg || alg.Symmetric() != (alg == token.HS256) {
			t.Errorf("ParseAlgorithm(%s) = %v, %v", alg, got, err)
		}
	}
	if _, err := token.ParseAlgorithm("none"); err == nil {
		t.Error("none is an algorithm")
	}
	if _, err := token.GenerateSecret(1, start, dry); err == nil {
		t.Error("secret without randomness")
	}
	if _, err := token.Static(nil).Load(t.Context()); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("no ring: %v", err)
	}
}

func TestJWKRoundTripAndRefusals(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA} {
		k := newRing(t, alg).Active().Verification()
		j, ok := k.JWK()
		if !ok {
			t.Fatal("no JWK")
		}
		parse := func(j token.JWK, more string) (token.VerificationKey, error) {
			return token.ParseJWK(fmt.Appendf(nil, `{"kty":%q,"crv":%q,"x":%q,"y":%q,"kid":%q,"alg":%q,"use":%q%s}`,
				j.KeyType, j.Curve, j.X, j.Y, j.KeyID, j.Algorithm, j.Use, more))
		}
		if got, err := parse(j, ""); err != nil || !got.Same(k) {
			t.Errorf("%s: %v", alg, err)
		}
		if _, err := parse(j, `,"key_ops":["verify"],"x5t":"x"`); err != nil {
			t.Errorf("%s with further members: %v", alg, err)
		}
		for name, change := range map[string]func(*token.JWK){
			"kty": func(j *token.JWK) { j.KeyType = "RSA" }, "crv": func(j *token.JWK) { j.Curve = "P-521" }, "alg": func(j *token.JWK) { j.Algorithm = "ES384" },
			"use": func(j *token.JWK) { j.Use = "enc" }, "x": func(j *token.JWK) { j.X = "AAAA" }, "kid": func(j *token.JWK) { j.KeyID = "" },
		} {
			other := j
			change(&other)
			if _, err := parse(other, ""); err == nil {
				t.Errorf("%s: other %s is accepted", alg, name)
			}
		}
		for _, private := range []string{`,"d":"AAAA"`, `,"k":"AAAA"`, `,"d":null`, `,"key_ops":["encrypt"]`, `,"key_ops":[]`, `,"key_ops":"verify"`} {
			if _, err := parse(j, private); err == nil {
				t.Errorf("%s with %s is accepted", alg, private)
			}
		}
	}
	if _, err := token.ParseJWK([]byte(`{"kty":`)); err == nil {
		t.Error("half a JWK is accepted")
	}
	if _, ok := newRing(t, token.HS256).Active().Verification().JWK(); ok {
		t.Error("a secret has a JWK")
	}
}
