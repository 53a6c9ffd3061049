package signin

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/password"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// A hash that came from elsewhere, or of an older setting, is renewed by the
// sign-in that proves its password, and by nothing else.
func TestAForeignHashIsRenewedAtTheFirstSignIn(t *testing.T) {
	plain := []byte(lanyardtest.Password)
	old, err := bcrypt.GenerateFromPassword(plain, bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	salt := []byte("0123456789abcdef")
	derived, err := pbkdf2.Key(sha256.New, lanyardtest.Password, salt, 1000, 32)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawStdEncoding.EncodeToString
	for name, hash := range map[string]string{
		"bcrypt of the bare password": string(old),
		"PBKDF2":                      fmt.Sprintf("$pbkdf2-sha256$i=1000$%s$%s", b64(salt), b64(derived)),
	} {
		t.Run(name, func(t *testing.T) {
			encoded, err := password.ParseForeign(hash)
			if err != nil {
				t.Fatal(err)
			}
			w := lanyardtest.Start(t)
			c := w.Registered("old@example.com")
			key := table.Password(c.UserID)
			if err := w.Store.Write(context.Background(), table.Update(key).Set("hash", encoded)); err != nil {
				t.Fatal(err)
			}
			stored := func() string {
				var it account.PasswordItem
				if err := w.Store.Get(context.Background(), key, table.Strong, &it); err != nil {
					t.Fatal(err)
				}
				return it.Hash
			}
			try := func(p string) int {
				return w.Client().Post("/api/auth/login", m{"email": "old@example.com", "password": p}).Status
			}
			if got := try(lanyardtest.Password + "!"); got != 401 || stored() != encoded {
				t.Fatalf("a wrong password: %d, hash %q", got, stored())
			}
			if got := try(lanyardtest.Password); got != 200 {
				t.Fatalf("the password: %d", got)
			}
			renewed := stored()
			if renewed == encoded || strings.Contains(renewed, "pbkdf2") {
				t.Errorf("the hash is still %q", renewed)
			}
			if got := try(lanyardtest.Password); got != 200 || stored() != renewed {
				t.Errorf("once more: %d, hash %q, was %q", got, stored(), renewed)
			}
			if got := try(lanyardtest.Password + "!"); got != 401 {
				t.Errorf("a wrong password afterwards: %d", got)
			}
		})
	}
}

// An invitation reaches its address by mail and is accepted through the link
// in it, by that address alone.
func TestAnInvitationTravelsByMailToItsAddress(t *testing.T) {
	w := lanyardtest.Start(t)
	admin, guest, other := w.Registered("admin@example.com"), w.Registered("guest@example.com"), w.Registered("other@example.com")
	org := admin.Post("/api/organizations", m{"name": "Coastal <Marine>"}).Want(201).Text("id")
	admin.Post("/api/organizations/"+org+"/invitations", m{"email": "Guest@Example.com", "role": "manager"}).Want(201)
	mails := w.Mails("guest@example.com")
	if len(mails) == 0 || !strings.Contains(mails[0].Text, "Coastal <Marine>") || !strings.Contains(mails[0].HTML, "Coastal &lt;Marine&gt;") {
		t.Fatalf("mails %+v", mails)
	}
	token := w.MailedToken("guest@example.com")
	page := w.Client()
	page.Header.Set("Accept", "text/html")
	if a := page.Get("/api/invitations/accept/" + token).Want(200); !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the link's page is %s", a.Header.Get("Content-Type"))
	}
	if a := other.Post("/api/invitations/accept", m{"token": token}); a.Status < 400 {
		t.Errorf("another address accepted: %s", a.Raw)
	}
	if got := guest.Post("/api/invitations/accept", m{"token": token}).Want(200).Text("role"); got != "manager" {
		t.Errorf("role %q", got)
	}
	if a := guest.Post("/api/invitations/accept", m{"token": token}); a.Status < 400 && a.Text("role") != "manager" {
		t.Errorf("a second time: %d %s", a.Status, a.Raw)
	}
	guest.Get("/api/organizations/" + org + "/members").Want(200)
}
