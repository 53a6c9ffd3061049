package password_test

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/pkg/password"
)

func codes(vs []password.Violation) []password.Code {
	var out []password.Code
	for _, v := range vs {
		out = append(out, v.Code)
	}
	return out
}

func TestPolicyNamesEveryViolation(t *testing.T) {
	p := password.DefaultPolicy()
	for name, c := range map[string]struct {
		password string
		own      []string
		want     []password.Code
	}{
		"good":                        {"a boat named Sue", nil, nil},
		"no composition rules":        {"zzrrttbbnnmmqq", nil, nil},
		"eleven":                      {"kzjrtqpwnxv", nil, []password.Code{password.TooShort}},
		"twelve code points":          {"長い合言葉は良い合言葉だ", nil, nil},
		"decomposed counts composed":  {strings.Repeat("e\u0301", 11), nil, []password.Code{password.TooShort}},
		"128":                         {strings.Repeat("ab⚓d", 32), nil, nil},
		"128 of four bytes":           {strings.Repeat("🚤", 128), nil, nil},
		"128 decomposed":              {strings.Repeat("e\u0301", 128), nil, nil},
		"129":                         {strings.Repeat("q", 129), nil, []password.Code{password.TooLong}},
		"a megabyte":                  {strings.Repeat("q", 1<<20), nil, []password.Code{password.TooLong}},
		"invalid UTF-8":               {"valid until \xff here", nil, []password.Code{password.NotUTF8}},
		"NUL and spaces":              {" \x00 \t spaces ", nil, nil},
		"common":                      {"123456qwerty", nil, []password.Code{password.Common}},
		"common in other case":        {"123456QWErty", nil, []password.Code{password.Common}},
		"common and short":            {"password1", nil, []password.Code{password.TooShort, password.Common}},
		"Kelvin sign for k":           {"s\u212Aateboarding", nil, []password.Code{password.Common}},
		"local part":                  {"veronica loves rain", []string{"veronica@example.test"}, []password.Code{password.ContainsOwn}},
		"local part in other case":    {"VERONICA loves rain", []string{"Veronica@example.test"}, []password.Code{password.ContainsOwn}},
		"username":                    {"sailing with captn_v", []string{"v@example.test", "captn_v"}, []password.Code{password.ContainsOwn}},
		"short local part":            {"bobbing on waves", []string{"bob@example.test"}, nil},
		"whole address, short local":  {"bob@example.test!", []string{"bob@example.test"}, []password.Code{password.ContainsOwn}},
		"decomposed identifier":       {"jose\u0301mar\u00eda likes it", []string{"jos\u00e9mari\u0301a"}, []password.Code{password.ContainsOwn}},
		"identifier in invalid UTF-8": {"a boat named Sue", []string{"\xff\xff\xff\xff"}, nil},
		"empty identifiers":           {"a boat named Sue", []string{"", "@"}, nil},
		"everything":                  {"vera", []string{"vera"}, []password.Code{password.TooShort, password.ContainsOwn}},
	} {
		vs := p.Violations(c.password, c.own...)
		if got := codes(vs); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		for _, v := range vs {
			if v.Message == "" || strings.Contains(v.Message, c.password) {
				t.Errorf("%s: message %q", name, v.Message)
			}
		}
	}
}

func TestPolicyBounds(t *testing.T) {
	for _, c := range []struct {
		policy password.Policy
		ok     bool
	}{
		{password.DefaultPolicy(), true},
		{password.Policy{MinLength: 8, MaxLength: 64}, true},
		{password.Policy{MinLength: 7, MaxLength: 64}, false},
		{password.Policy{MinLength: 12, MaxLength: 63}, false},
		{password.Policy{MinLength: 12, MaxLength: 1025}, false},
		{password.Policy{MinLength: 100, MaxLength: 99}, false},
		{password.Policy{}, false},
	} {
		if err := c.policy.Check(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.policy, err)
		}
	}
}

// C2, by a sample taken from the list at even distances: ranks 1 to 3000 of
// those with 12 or more code points. The whole list is checked where
// LANYARD_TEST_PASSWORD_LIST names it.
func TestCommonPasswordsAreRefusedInAnyCase(t *testing.T) {
	p := password.DefaultPolicy()
	refused := func(pw string) {
		t.Helper()
		for _, variant := range []string{pw, strings.ToUpper(pw), strings.ToUpper(pw[:1]) + pw[1:], flipCase(pw)} {
			if !slices.Contains(codes(p.Violations(variant)), password.Common) {
				t.Errorf("%q is acceptable", variant)
			}
		}
	}
	for _, pw := range sampledCommon {
		refused(pw)
	}
	path := os.Getenv("LANYARD_TEST_PASSWORD_LIST")
	if path == "" {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if pw := lines.Text(); len([]rune(pw)) >= 12 {
			n++
			refused(pw)
		}
	}
	t.Logf("%d passwords", n)
}

func flipCase(s string) string {
	b := []byte(s)
	for i, c := range b {
		if i%2 == 0 && c >= 'a' && c <= 'z' {
			b[i] = c - 32
		}
	}
	return string(b)
}

// The list must not stand in the way of good passwords.
func TestRandomPasswordsAreNotCommon(t *testing.T) {
	p := password.DefaultPolicy()
	rapid.Check(t, func(t *rapid.T) {
		pw := rapid.StringMatching(`[a-z0-9]{20,40}`).Draw(t, "password")
		if slices.Contains(codes(p.Violations(pw)), password.Common) && len(pw) > 24 {
			t.Fatalf("%q is called common", pw)
		}
	})
}

func BenchmarkViolations(b *testing.B) {
	p := password.DefaultPolicy()
	b.ReportAllocs()
	for b.Loop() {
		p.Violations("a boat named Sue", "vera@example.test", "vera")
	}
}
