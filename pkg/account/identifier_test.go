package account_test

import (
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/account"
)

func TestAddressesHaveOneForm(t *testing.T) {
	long := strings.Repeat("a", 64)
	for raw, want := range map[string]string{
		"Ann@Example.COM":                          "ann@example.com",
		"a+tag@example.com":                        "a+tag@example.com",
		"a.b@example.com":                          "a.b@example.com",
		"o'neil@example.com":                       "o'neil@example.com",
		"x@bücher.example":                         "x@xn--bcher-kva.example",
		"x@XN--BCHER-KVA.example":                  "x@xn--bcher-kva.example",
		long + "@example.com":                      long + "@example.com",
		"x@sub.example.co.uk":                      "x@sub.example.co.uk",
		"":                                         "",
		"ann":                                      "",
		"@example.com":                             "",
		"ann@":                                     "",
		"ann@localhost":                            "",
		"ann@[127.0.0.1]":                          "",
		"ann@127.0.0.1":                            "",
		"ann@example.com.":                         "",
		"ann@.example.com":                         "",
		"ann@exa mple.com":                         "",
		"ann@example..com":                         "",
		"ann@-example.com":                         "",
		" ann@example.com":                         "",
		"ann@example.com ":                         "",
		"ann@example.com\n":                        "",
		"ann@example.com\r\nBcc: x@y":              "",
		"ann\x00@example.com":                      "",
		"a@b@example.com":                          "",
		".ann@example.com":                         "",
		"ann.@example.com":                         "",
		"a..b@example.com":                         "",
		"\"ann\"@example.com":                      "",
		"Ann <ann@example.com>":                    "",
		"ann(c)@example.com":                       "",
		"änn@example.com":                          "",
		"аnn@example.com":                          "", // a Cyrillic а
		"ann@example.com\u202e":                    "",
		"ann@\u212aelvin.example":                  "", // the Kelvin sign
		"ann@ｅxample.com":                          "", // a full-width letter
		"ann@xn--a.example":                        "",
		"a" + long + "@example.com":                "",
		"x@" + long + ".example":                   "",
		"ann@ex_ample.com":                         "",
		"ann@" + strings.Repeat("a.", 130) + "com": "",
	} {
		got, err := account.NormalizeEmail(raw)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", raw, got, err, want)
		}
	}
}

func TestUsernamesHaveOneForm(t *testing.T) {
	for raw, want := range map[string]string{
		"Ann": "ann", "a-b_c.d": "a-b_c.d", "007": "007", strings.Repeat("x", 64): strings.Repeat("x", 64),
		"ab": "", "": "", ".ann": "", "ann.": "", "-ann": "", "ann_": "", "a b": "", "ann@x": "", "ann\n": "", "än n": "",
		"\u212aelvin": "", "аnn": "", "ann\u200b": "", strings.Repeat("x", 65): "", "USER#1": "",
	} {
		got, err := account.NormalizeUsername(raw)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", raw, got, err, want)
		}
	}
}

// FuzzIdentifiers holds what a normal form promises: it is its own normal
// form, plain lower-case ASCII, and nothing that a key or a header could split.
func FuzzIdentifiers(f *testing.F) {
	for _, s := range []string{"Ann@Example.COM", "x@bücher.example", "a@b.c", "Leads.Bot", "\u212a@k.example", "a@xn--bcher-kva.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, normalize := range []func(string) (string, error){account.NormalizeEmail, account.NormalizeUsername} {
			got, err := normalize(raw)
			if err != nil {
				if got != "" {
					t.Fatalf("%q is refused and gives %q", raw, got)
				}
				continue
			}
			for _, c := range []byte(got) {
				if c <= ' ' || c >= 0x7f || c >= 'A' && c <= 'Z' {
					t.Fatalf("%q gives %q", raw, got)
				}
			}
			if again, err := normalize(got); err != nil || again != got {
				t.Fatalf("%q gives %q, and that %q %v", raw, got, again, err)
			}
			if upper, err := normalize(strings.ToUpper(got)); err != nil || upper != got {
				t.Fatalf("%q in capitals gives %q %v", got, upper, err)
			}
		}
	})
}
