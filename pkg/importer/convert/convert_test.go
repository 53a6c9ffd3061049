package convert_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/importer"
	"github.com/lanyard-auth/lanyard/pkg/importer/convert"
)

// now is when the files are read.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func sample(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// read gives the lines as text, refusals and errors included.
func read(lines importer.Lines) []string {
	var out []string
	for l, err := range lines {
		switch {
		case err != nil:
			out = append(out, "error: "+err.Error())
		case l.Refuse != nil:
			out = append(out, "refused: "+fault.From(l.Refuse).Fields[0].Message)
		default:
			out = append(out, string(l.JSON))
		}
	}
	return out
}

func firebaseHash(t *testing.T) convert.FirebaseHash {
	t.Helper()
	h, err := convert.ParseFirebaseHash([]byte(sample(t, "firebase-hash.txt")))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestFilesOfOtherSystemsBecomeLines(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines importer.Lines
		want  []string
	}{
		{"cognito", convert.Cognito(strings.NewReader(sample(t, "cognito.csv"))), []string{
			`{"email":"ada@cognito.example","emailVerified":true,"id":"3f1b6f0e-54b1-4f43-9f3f-1f36b7e2f0a1","profile":{"firstName":"Ada","language":"en-GB","lastName":"Lovelace","phone":"+442071234567"}}`,
			`{"email":"grace@cognito.example","emailVerified":true,"id":"0b0d3b86-2a31-4ce4-92cd-45f2b5f7f0aa","profile":{"firstName":"Grace","language":"en-US","lastName":"Hopper"},"username":"grace"}`,
			`{"email":"unverified@cognito.example","id":"7d0a86b2-5f49-4b39-8b2b-d06af4a4c9d5"}`,
		}},
		{"auth0", convert.Auth0(strings.NewReader(sample(t, "auth0.ndjson"))), []string{
			`{"email":"ada@auth0.example","emailVerified":true,"id":"auth0|60425dc43519d90068f82973","passwordHash":"$2b$10$YFtZALwlkI5hoRLWVN0YP.J9cAmmXpgd37cd170KYpBBl.QZrzlTe"}`,
			`{"createdAt":"2021-03-05T16:34:49.502Z","email":"grace@auth0.example","emailVerified":true,"id":"auth0|60425da93519d90068f82966","passwordHash":"$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$aq42HBL+IPAitHspChw/8mx5JRX2jFDkTmlsBskwH/0","profile":{"firstName":"Grace","lastName":"Hopper"},"totpSecret":"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP","username":"grace.h"}`,
			`{"email":"only.google@auth0.example","emailVerified":true,"id":"google-oauth2|103547991597142817347","profile":{"firstName":"Katherine","lastName":"Johnson"},"suspended":true}`,
		}},
		{"supabase csv", convert.GoTrue(strings.NewReader(sample(t, "supabase.csv")), now), []string{
			`{"createdAt":"2024-01-02T03:00:00.123456Z","email":"ada@supabase.example","emailVerified":true,"id":"5d3f6a1e-97a8-4f0a-8a29-df0c6a1a6d11","passwordHash":"$2a$10$9ExrmzRZLwl13uquQIP8e.q.Ibid.xOfVk.zFlgY76EtWTkXfNmaK","profile":{"firstName":"Ada","lastName":"Lovelace"}}`,
			`{"createdAt":"2024-01-02T03:00:00Z","email":"banned@supabase.example","emailVerified":true,"id":"2c2c6f5a-6f6c-4a2c-b55c-0a6f2f4dd1f7","passwordHash":"$2a$10$SsEBSq/omMzNowU77Qo/pu.69zfPezgDdof7EXplc15s0yzLjwIBW","profile":{"phone":"+442071234567"},"suspended":true}`,
			`refused: deleted there`,
		}},
		{"supabase json", convert.GoTrue(strings.NewReader(sample(t, "supabase.jsonl")), now), []string{
			`{"createdAt":"2024-01-02T03:00:00.123456Z","email":"grace@supabase.example","emailVerified":true,"id":"e0a3d7cf-2f9b-4e8a-bb1f-3a2e1f1b8c01","passwordHash":"$2a$10$iOEhsB9zlharGcc2rRIe.uH9YJOoMGmn/4GXaBxci075BTvufvnoC","profile":{"firstName":"Grace","lastName":"Hopper"}}`,
		}},
		{"firebase", convert.Firebase(strings.NewReader(sample(t, "firebase.json")), firebaseHash(t)), []string{
			`{"createdAt":"2023-11-14T22:13:20Z","email":"ada@firebase.example","emailVerified":true,"id":"Zm9vYmFyMQ","passwordHash":"$firebase-scrypt$ln=14,r=8$42xEC+ixf3L2lw==$Bw==$jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==","profile":{"firstName":"Ada","lastName":"Lovelace"}}`,
			`{"createdAt":"2023-11-14T22:13:20.001Z","email":"grace@firebase.example","emailVerified":true,"id":"Zm9vYmFyMg","profile":{"firstName":"Grace","lastName":"Hopper"},"suspended":true}`,
			`{"createdAt":"2023-11-14T22:13:20.002Z","id":"Zm9vYmFyMw","profile":{"phone":"+442071234567"}}`,
		}},
		{"keycloak", convert.Keycloak(strings.NewReader(sample(t, "keycloak.json"))), []string{
			`{"createdAt":"2023-11-14T22:13:20Z","email":"ada@keycloak.example","emailVerified":true,"id":"0d5b1f3e-7d0d-4f3a-9a53-7b0e7e6a1001","passwordHash":"$pbkdf2-sha256$27500$MDEyMzQ1Njc4OWFiY2RlZg==$DGzF4+RpmttWHV7FCaK41NYsG4Rc9QqDO8q71k0T1ODS+Ooo+SM5Ep4eJNd+eywW2X+UkNdTatqTScXAD7qm+w==","profile":{"firstName":"Ada","language":"de","lastName":"Lovelace","phone":"+442071234567"},"totpSecret":"JBSWY3DPEEAQESDFNRWG6IIBAJEGK3DM","username":"ada"}`,
			`{"createdAt":"2023-11-14T22:13:20.001Z","email":"grace@keycloak.example","emailVerified":true,"id":"0d5b1f3e-7d0d-4f3a-9a53-7b0e7e6a1002","passwordHash":"$argon2id$v=19$m=7168,t=5,p=1$MDEyMzQ1Njc4OWFiY2RlZg$iFYFbd6+YgSpBS95zKSeCiqMI6RfgwXfibpMk5AbxQY"}`,
			`refused: an authenticator app of another kind than TOTP with SHA-1, 6 digits and 30 seconds`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := read(c.lines)
			if len(got) != len(c.want) {
				t.Fatalf("%d lines, want %d:\n%s", len(got), len(c.want), strings.Join(got, "\n"))
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("line %d:\n%s\nwant\n%s", i, got[i], c.want[i])
				}
			}
		})
	}
}

func TestAFileThatIsNotWhatItShouldBeIsAnError(t *testing.T) {
	for name, lines := range map[string]importer.Lines{
		"cognito without its columns":  convert.Cognito(strings.NewReader("a,b\n1,2\n")),
		"supabase without its columns": convert.GoTrue(strings.NewReader("id,email\n1,2\n"), now),
		"firebase, empty":              convert.Firebase(strings.NewReader(""), convert.FirebaseHash{}),
		"firebase without users":       convert.Firebase(strings.NewReader(`{"accounts":[]}`), convert.FirebaseHash{}),
		"firebase, users no array":     convert.Firebase(strings.NewReader(`{"users":{}}`), convert.FirebaseHash{}),
		"keycloak cut off":             convert.Keycloak(strings.NewReader(`{"users":[{"id":"x"`)),
		"keycloak, no JSON":            convert.Keycloak(strings.NewReader(`{"realm":x`)),
	} {
		got := read(lines)
		if len(got) != 1 || !strings.HasPrefix(got[0], "error: ") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestARecordThatCannotBeConvertedIsRefusedAloneAndWithoutItsValues(t *testing.T) {
	kc := func(credential string) importer.Lines {
		return convert.Keycloak(strings.NewReader(`[{"id":"a","credentials":[` + credential + `]},{"id":"b"}]`))
	}
	for name, lines := range map[string]importer.Lines{
		"auth0, no JSON":          convert.Auth0(strings.NewReader("{s3cret\n" + `{"user_id":"b"}`)),
		"auth0, a time":           convert.Auth0(strings.NewReader(`{"user_id":"a","created_at":"s3cret"}` + "\n" + `{"user_id":"b"}`)),
		"cognito, a flag":         convert.Cognito(strings.NewReader("cognito:username,email,email_verified\na,a@x.example,s3cret\nb,,\n")),
		"cognito, cells":          convert.Cognito(strings.NewReader("cognito:username,email,email_verified\na,s3cret\nb,,\n")),
		"supabase, a ban":         convert.GoTrue(strings.NewReader("id,encrypted_password,banned_until\na,,s3cret\nb,,\n"), now),
		"supabase, a time":        convert.GoTrue(strings.NewReader("id,encrypted_password,created_at\na,,s3cret\nb,,\n"), now),
		"supabase, metadata":      convert.GoTrue(strings.NewReader("id,encrypted_password,raw_user_meta_data\na,,s3cret\nb,,\n"), now),
		"supabase, no JSON":       convert.GoTrue(strings.NewReader("{s3cret\n"+`{"id":"b"}`), now),
		"firebase without params": convert.Firebase(strings.NewReader(`[{"localId":"a","passwordHash":"s3cret"},{"localId":"b"}]`), convert.FirebaseHash{}),
		"firebase, a time":        convert.Firebase(strings.NewReader(`[{"localId":"a","createdAt":"s3cret"},{"localId":"b"}]`), convert.FirebaseHash{}),
		"firebase, another type":  convert.Firebase(strings.NewReader(`["s3cret",{"localId":"b"}]`), convert.FirebaseHash{}),
		"keycloak, a password":    kc(`{"type":"password","secretData":"s3cret","credentialData":"{}"}`),
		"keycloak, argon2":        kc(`{"type":"password","secretData":"{}","credentialData":"{\"algorithm\":\"argon2\"}"}`),
		"keycloak, an app":        kc(`{"type":"otp","secretData":"s3cret","credentialData":"{}"}`),
		"keycloak, another type":  convert.Keycloak(strings.NewReader(`[7,{"id":"b"}]`)),
	} {
		got := read(lines)
		if len(got) != 2 || !strings.HasPrefix(got[0], "refused: ") || !strings.Contains(got[1], `"b"`) || strings.Contains(got[0], "s3cret") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestHashParametersOfFirebase(t *testing.T) {
	if h := firebaseHash(t); h.Rounds != 8 || h.MemoryCost != 14 || h.SaltSeparator != "Bw==" || !strings.HasPrefix(h.SignerKey, "jxspr8Ki") {
		t.Errorf("%+v", h)
	}
	for _, bad := range []string{"", "algorithm: BCRYPT", "algorithm: SCRYPT,\nbase64_signer_key: x,\nrounds: y,\nmem_cost: 1", "algorithm: SCRYPT,\nrounds: 8,\nmem_cost: 14"} {
		if _, err := convert.ParseFirebaseHash([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestASecretOfKeycloakInBase32IsTakenAsItIs(t *testing.T) {
	got := read(convert.Keycloak(strings.NewReader(`[{"id":"a","credentials":[{"type":"otp","secretData":"{\"value\":\"JBSWY3DPEHPK3PXP\"}",` +
		`"credentialData":"{\"subType\":\"totp\",\"digits\":6,\"period\":30,\"algorithm\":\"HmacSHA1\",\"secretEncoding\":\"BASE32\"}"}]}]`)))
	if len(got) != 1 || !strings.Contains(got[0], `"totpSecret":"JBSWY3DPEHPK3PXP"`) {
		t.Error(got)
	}
}

func TestReadingStopsWhenNobodyReadsOn(t *testing.T) {
	for name, lines := range map[string]importer.Lines{
		"json lines": convert.JSONLines(strings.NewReader("{}\n{}\n")), "auth0": convert.Auth0(strings.NewReader("{}\n{}\n")),
		"csv": convert.CSV(strings.NewReader("id\na\nb\n"), map[string]string{"id": "string"}), "keycloak": convert.Keycloak(strings.NewReader(`[{},{}]`)),
		"bad csv": convert.CSV(strings.NewReader("id\na,b\nb\n"), map[string]string{"id": "string"}),
	} {
		n := 0
		for range lines {
			if n++; n == 1 {
				break
			}
		}
		if n != 1 {
			t.Errorf("%s: %d", name, n)
		}
	}
}
