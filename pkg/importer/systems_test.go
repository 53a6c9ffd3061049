package importer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/pkg/importer"
	"github.com/lanyard-auth/lanyard/pkg/importer/convert"
)

func TestUsersOfOtherSystemsSignInHere(t *testing.T) {
	w := start(t)
	h, err := convert.ParseFirebaseHash([]byte(read(t, "..", "convert", "testdata", "firebase-hash.txt")))
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) *strings.Reader {
		return strings.NewReader(read(t, "..", "convert", "testdata", name))
	}
	for name, c := range map[string]struct {
		lines            importer.Lines
		created, refused int64
	}{
		"cognito": {convert.Cognito(file("cognito.csv")), 3, 0}, "auth0": {convert.Auth0(file("auth0.ndjson")), 3, 0},
		"supabase": {convert.GoTrue(file("supabase.csv"), w.Clock.Now()), 2, 1}, "supabase-json": {convert.GoTrue(file("supabase.jsonl"), w.Clock.Now()), 1, 0},
		"firebase": {convert.Firebase(file("firebase.json"), h), 2, 1}, "keycloak": {convert.Keycloak(file("keycloak.json")), 2, 1},
	} {
		out, err := w.run(c.lines, importer.Options{Kind: importer.Users, Source: name, Batch: name, PersonalOrganizations: true})
		if err != nil || out.Created != c.created || out.Refused != c.refused {
			t.Errorf("%s: %+v %v", name, out, err)
		}
	}
	for email, password := range map[string]string{
		"ada@auth0.example": known, "ada@supabase.example": known, "grace@supabase.example": known, "grace@keycloak.example": known,
		"ada@firebase.example": "user1password",
	} {
		w.Client().Post("/api/auth/login", map[string]any{"email": email, "password": password + "x"}).Problem(http.StatusUnauthorized, "invalid_credentials")
		c := w.Client()
		c.Login(map[string]any{"email": email, "password": password})
		if orgs := c.Get("/api/organizations").Want(http.StatusOK); orgs.Text("items.0.role") != "admin" {
			t.Errorf("%s has no organization: %s", email, orgs.Raw)
		}
	}
	for email, secret := range map[string]string{
		"grace@auth0.example": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "ada@keycloak.example": "JBSWY3DPEEAQESDFNRWG6IIBAJEGK3DM",
	} {
		code, err := totp.GenerateCode(secret, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		c := w.Client()
		a := c.Post("/api/auth/login", map[string]any{"email": email, "password": known}).Want(http.StatusOK)
		c.Post("/api/auth/mfa/verify", map[string]any{"mfaToken": a.Text("mfaToken"), "code": code, "delivery": "body"}).Want(http.StatusOK)
	}
	for _, email := range []string{"banned@supabase.example", "ada@cognito.example"} {
		w.Client().Post("/api/auth/login", map[string]any{"email": email, "password": known}).Problem(http.StatusUnauthorized, "invalid_credentials")
	}
	if a := w.Client().Post("/api/auth/check-password-needed", map[string]any{"email": "ada@cognito.example"}); a.Value("needsPasswordSet") != true {
		t.Errorf("%s", a.Raw)
	}
	w.Client().Post("/api/auth/forgot-password", map[string]any{"email": "ada@cognito.example"}).Want(http.StatusAccepted)
	w.Client().Post("/api/auth/forgot-password", map[string]any{"email": "grace@supabase.example"}).Want(http.StatusAccepted)
	for email, subject := range map[string]string{"ada@cognito.example": "Choose a password for your account", "grace@supabase.example": "Reset your password"} {
		if got := w.Mails(email); len(got) != 1 || got[0].Subject != subject {
			t.Errorf("%s, who has or has not had a password here, is mailed %+v", email, got)
		}
	}
	w.Client().Post("/api/auth/reset-password", map[string]any{"token": w.MailedToken("ada@cognito.example"), "newPassword": "a phrase of her own choice"}).Want(http.StatusNoContent)
	w.Client().Login(map[string]any{"email": "ada@cognito.example", "password": "a phrase of her own choice"})
}
