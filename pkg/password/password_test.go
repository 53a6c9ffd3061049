package password_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/password"
)

func newHasher(t testing.TB, c password.Config) *password.Hasher {
	t.Helper()
	if c.BcryptCost == 0 {
		c.BcryptCost = 4
	}
	if c.Argon2 == (password.Argon2{}) {
		c.Argon2 = password.Argon2{Memory: 64, Passes: 1, Threads: 1}
	}
	c.Rand = rand.Reader
	h, err := password.NewHasher(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// C5, and no truncation: what is accepted is exact to the last code point.
func TestPasswordsAreExact(t *testing.T) {
	for _, scheme := range []password.Scheme{password.Bcrypt, password.Argon2id} {
		h := newHasher(t, password.Config{Scheme: scheme})
		for _, pw := range []string{
			"correct horse battery", "nul\x00inside password", "a", " leading and trailing ", "tab\tinside\tit",
			"⚓⛵🚤🛥️🚢⚓⛵🚤🛥️🚢⚓⛵", "cafe\u0301 au lait, s'il vous plai\u0302t",
			strings.Repeat("x", 64), strings.Repeat("長", 128), strings.Repeat("y", 73),
		} {
			enc, err := h.Hash(t.Context(), pw)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := h.Verify(t.Context(), enc, pw); err != nil || !r.OK || r.NeedsRehash {
				t.Errorf("%s %q: %+v, %v", scheme, pw, r, err)
			}
			for _, wrong := range []string{pw + "x", pw + " ", pw + "\x00", pw[:len(pw)-1], pw + "\x00" + pw, strings.ToUpper(pw) + "!", ""} {
				if r, err := h.Verify(t.Context(), enc, wrong); err != nil || r.OK {
					t.Errorf("%s %q accepted for %q: %v", scheme, wrong, pw, err)
				}
			}
		}
	}
}
