package convert_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/importer"
	"github.com/lanyard-auth/lanyard/pkg/importer/convert"
)

func TestOddFilesAreReadAsFarAsTheyCanBe(t *testing.T) {
	in := strings.NewReader
	totp := `"type":"otp","credentialData":"{\"subType\":\"totp\",\"digits\":6,\"period\":30,\"algorithm\":\"HmacSHA1\",\"secretEncoding\":\"BASE32\"}"`
	for name, c := range map[string]struct {
		lines importer.Lines
		want  []string
	}{
		"what aws cognito-idp list-users prints": {convert.Cognito(in(sample(t, "cognito.json"))), []string{
			`{"createdAt":"2024-01-02T03:04:05.678Z","email":"ada@cognito.example","emailVerified":true,"id":"3f1b6f0e-54b1-4f43-9f3f-1f36b7e2f0a1","profile":{"firstName":"Ada","language":"en-GB"}}`,
			`{"createdAt":"2024-01-02T03:04:05.678Z","email":"katherine@cognito.example","id":"5a6f0f3e-0c2e-4b5b-9d6e-8a1f0c7d2b11","suspended":true}`,
		}},
		"the array of an Auth0 bulk import": {
			convert.Auth0(in("\xef\xbb\xbf\n[{\"user_id\":\"a\",\"email\":\"a@x.example\"},\n{\"user_id\":\"b\",\"mfa_factors\":[{\"totp\":{\"secret\":\"FIRST\"}},{\"totp\":{\"secret\":\"SECOND\"}}]}]")),
			[]string{`{"email":"a@x.example","id":"a"}`, `{"id":"b","totpSecret":"FIRST"}`},
		},
		"a ban that has ended, and one that has not": {
			convert.GoTrue(in("\xef\xbb\xbfid,encrypted_password,banned_until\r\na,,2026-01-02 03:04:04+00\r\nb,,2026-01-02 03:04:06+00\r\n"), now),
			[]string{`{"id":"a"}`, `{"id":"b","suspended":true}`},
		},
		"a client, a realm and two authenticator apps in Keycloak": {
			convert.Keycloak(in("\xef\xbb\xbf" + `[{"id":"1","username":"service-account-api","serviceAccountClientId":"api"},{"realm":"coastal","users":[]},` +
				`{"id":"2","credentials":[{` + totp + `,"secretData":"{\"value\":\"FIRST\"}"},{` + totp + `,"secretData":"{\"value\":\"SECOND\"}"}]}]`)),
			[]string{"refused: the account of a client and not of a person", "refused: a realm and not a user: export one realm, with --realm", `{"id":"2","totpSecret":"FIRST"}`},
		},
		"a line that is too long": {
			convert.JSONLines(in("{\"id\":\"1\"}\r\n{\"id\":\"" + strings.Repeat("x", 3<<20) + "\"}\n\n{\"id\":\"2\"}")),
			[]string{`{"id":"1"}`, "refused: longer than 2 MiB", `{"id":"2"}`},
		},
		"one in another system's file": {
			convert.Auth0(in("{\"user_id\":\"" + strings.Repeat("x", 3<<20) + "\"}\n{\"user_id\":\"2\"}\n")), []string{"refused: longer than 2 MiB", `{"id":"2"}`},
		},
		"a long line that is not":   {convert.JSONLines(in(`{"id":"` + strings.Repeat("x", 1<<20) + `"}`)), []string{`{"id":"` + strings.Repeat("x", 1<<20) + `"}`}},
		"an empty file of Cognito":  {convert.Cognito(in("")), []string{"error: the file is empty"}},
		"an empty file of Keycloak": {convert.Keycloak(in("\xef\xbb\xbf")), []string{"error: the file is empty"}},
		"an empty file of Supabase": {convert.GoTrue(in(""), now), []string{"error: the file is empty"}},
		"an empty file":             {convert.JSONLines(in("")), nil},
		"a file that was cut off":   {convert.Keycloak(in(`{"users":[{"id":"1"},{"id":"2"`)), []string{`{"id":"1"}`, "error: the file ends in the middle"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := read(c.lines); !slices.Equal(got, c.want) {
				t.Errorf("read\n%.300s\nwant\n%.300s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}
