package password_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/lanyard-auth/lanyard/pkg/password"
)

// exported are hashes of exportedPassword as other systems wrote them: Django
// 3.2, passlib 1.7, argon2-cffi, python bcrypt, and OpenSSL for the rest.
const exportedPassword = "Pass wörd 12345"

var exported = map[string]string{
	"bcrypt 2a":             "$2a$04$yCicK6932JS6aHs8AhLbdePeCXrV2dIFlPphFzP.gwPhawmQMDOV6",
	"bcrypt 2b":             "$2b$04$BJtC48Lb2Sx5b.3r/TvZceTOdu6KRSw/kSnH6XjIqv/Vyzh6u38ja",
	"bcrypt 2y":             "$2y$04$BJtC48Lb2Sx5b.3r/TvZceTOdu6KRSw/kSnH6XjIqv/Vyzh6u38ja",
	"argon2id":              "$argon2id$v=19$m=64,t=2,p=1$PQ8lka97s4WRXynfVD6MwQ$MpyDoNo63LS+tv6xyo87yg",
	"argon2i":               "$argon2i$v=19$m=64,t=2,p=1$UJ62TEcRW0u3EQzMcrt5GA$3hdqRogg0zUfRANAHILvyg",
	"scrypt":                "$scrypt$ln=6,r=8,p=1$//4wMTIzNDU2Nzg5YWI$PIDTLrlINHD24gPduVKPuvovdAMiF8EN0jkpPDfSGPI",
	"passlib pbkdf2":        "$pbkdf2$1000$//4wMTIzNDU2Nzg5YWI$x1yRf2GVkrMmtFX0tVltSHk1O48",
	"passlib pbkdf2-sha256": "$pbkdf2-sha256$1000$//4wMTIzNDU2Nzg5YWI$0dBYfRunjePbh0osBd3pmjzZ5tGLgyy4d65gaGBt9IA",
	"passlib pbkdf2-sha512": "$pbkdf2-sha512$1000$//4wMTIzNDU2Nzg5YWI$hPDsMojiiwebbp2N3SGNR/O2/y2vBIsfqt0trWaaZvntKU0xkMpo4HMI5mwc03fFR7tfLfsuVbV5SJawbpDuSw",
	"PHC pbkdf2-sha256":     "$pbkdf2-sha256$i=1000,l=32$//4wMTIzNDU2Nzg5YWI$0dBYfRunjePbh0osBd3pmjzZ5tGLgyy4d65gaGBt9IA",
	"django pbkdf2_sha256":  "pbkdf2_sha256$1200$saltysaltysalt1$6mt/ZGuKzkcEexxhGLLmUMTg66UIWBMxELXv6XxM8Io=",
	"django pbkdf2_sha1":    "pbkdf2_sha1$1200$saltysaltysalt1$FEaFMMNa7xFEufTRMO6dUD6fm6k=",
	"django bcrypt_sha256":  "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuKSlZKjbBlYmDZQw6EcCGo3mKHgW771e",
	"django bcrypt":         "bcrypt$$2b$04$abcdefghijklmnopqrstuukK1oypOIh3/mQxcv3YajXdcDnaN0yv.",
	"django argon2":         "argon2$argon2id$v=19$m=64,t=1,p=2$c2FsdHlzYWx0eXNhbHQx$CQbrwRuU87JR8EHUwePPkw",
	"django scrypt":         "scrypt$64$saltysaltysalt1$8$5$vyOpwVZWhjPQRajJnktJVo7mNrNSc6HA6IaVfObpHhNn8hs9r7MwAGBmmtLhxPJgzLNIB8cP0ZXneQO6101zuw==",
}

var keycloak = []password.Keycloak{
	{Algorithm: "pbkdf2", Iterations: 1000, Salt: "a2V5Y2xvYWtzYWx0MTIzNA==", Value: "QZkw4Ai4pWd/6vbHW9+4FkznWZBew2Wj2ySNrZCj8yDI69JciHrjldfXu364kYAA43J6OiRETEV/XYCz6WiiGA=="},
	{Algorithm: "pbkdf2-sha256", Iterations: 1000, Salt: "a2V5Y2xvYWtzYWx0MTIzNA==", Value: "UaATNPcVZEvQVz9ms8QHNQDVIu8+MF3zBVvF9P/vNzmLXKi8z+5BPFqs4X8P0DocuNlqEyWQGt6Qs13ostaRrQ=="},
	{Algorithm: "pbkdf2-sha512", Iterations: 1000, Salt: "a2V5Y2xvYWtzYWx0MTIzNA==", Value: "55MHA7Bi3wyyfawP1uhqCHX2DEzHTBh4FyPmmcFduhwtxJLltpst5EQuaGnqZXu0floywK+IKIho9NKrM19Bog=="},
}

// firebase is the example of the scrypt utility that Firebase publishes.
var firebase = password.FirebaseScrypt{
	SignerKey:     "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
	SaltSeparator: "Bw==", Rounds: 8, MemoryCost: 14,
}

const (
	firebaseSalt     = "42xEC+ixf3L2lw=="
	firebaseHash     = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
	firebasePassword = "user1password"
)

func TestImportedHashesVerifyOnceAndAreReplaced(t *testing.T) {
	h := newHasher(t, password.Config{})
	encoded := map[string]string{}
	for name, hash := range exported {
		enc, err := password.ParseForeign(hash)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		encoded[name] = enc
	}
	for _, k := range keycloak {
		enc, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		encoded["keycloak "+k.Algorithm] = enc
	}
	for name, enc := range encoded {
		if r, err := h.Verify(t.Context(), enc, exportedPassword); err != nil || !r.OK || !r.NeedsRehash {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		for _, wrong := range []string{"", "Pass wörd 12346", exportedPassword + "\x00", exportedPassword + "\x00" + exportedPassword} {
			if r, err := h.Verify(t.Context(), enc, wrong); err != nil || r.OK {
				t.Errorf("%s: %q accepted: %v", name, wrong, err)
			}
		}
	}
}

func TestFirebaseHashVerifies(t *testing.T) {
	h := newHasher(t, password.Config{})
	for _, salt := range []string{firebaseSalt, strings.ReplaceAll(firebaseSalt, "+", "-")} {
		enc, err := firebase.Encode(salt, strings.NewReplacer("+", "-", "/", "_").Replace(firebaseHash))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := h.Verify(t.Context(), enc, firebasePassword); err != nil || !r.OK || !r.NeedsRehash {
			t.Fatalf("%+v, %v", r, err)
		}
		if r, err := h.Verify(t.Context(), enc, firebasePassword+"x"); err != nil || r.OK {
			t.Fatalf("wrong password: %+v, %v", r, err)
		}
	}
}

// bcrypt reads 72 bytes: what is longer must not be accepted by its beginning.
func TestImportedBcryptRefusesWhatItCannotTellApart(t *testing.T) {
	h := newHasher(t, password.Config{})
	full := strings.Repeat("a", 72)
	hash, err := bcrypt.GenerateFromPassword([]byte(full), 4)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := password.ParseForeign(string(hash))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := h.Verify(t.Context(), enc, full); err != nil || !r.OK {
		t.Fatalf("72 bytes: %+v, %v", r, err)
	}
	if r, err := h.Verify(t.Context(), enc, full+"a"); err != nil || r.OK {
		t.Fatalf("73 bytes: %+v, %v", r, err)
	}
}

func TestStrongImportsAreNotDowngraded(t *testing.T) {
	weak := newHasher(t, password.Config{Scheme: password.Bcrypt, BcryptCost: 4})
	strong, err := newHasher(t, password.Config{Scheme: password.Bcrypt, BcryptCost: 5}).Hash(t.Context(), "some password")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := weak.Verify(t.Context(), strong, "some password"); err != nil || !r.OK || r.NeedsRehash {
		t.Errorf("own bcrypt 5 under 4: %+v, %v", r, err)
	}
	argon, err := newHasher(t, password.Config{Scheme: password.Argon2id, Argon2: password.DefaultArgon2()}).Hash(t.Context(), "some password")
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := password.ParseForeign(argon)
	if err != nil {
		t.Fatal(err)
	}
	for _, enc := range []string{argon, foreign} {
		if r, err := weak.Verify(t.Context(), enc, "some password"); err != nil || !r.OK || r.NeedsRehash {
			t.Errorf("argon2id under bcrypt: %+v, %v", r, err)
		}
	}
}

func TestForeignHashesOutOfBoundsAreRefused(t *testing.T) {
	salt, key := "//4wMTIzNDU2Nzg5YWI", "0dBYfRunjePbh0osBd3pmjzZ5tGLgyy4d65gaGBt9IA"
	crypt := exported["bcrypt 2b"]
	for name, hash := range map[string]string{
		"empty":                    "",
		"plain text":               "hunter2hunter2",
		"unknown scheme":           "$md5$salt$hash",
		"long":                     "$2b$04$" + strings.Repeat("a", 2000),
		"bcrypt cost 15":           strings.Replace(crypt, "$04$", "$15$", 1),
		"bcrypt cost 31":           strings.Replace(crypt, "$04$", "$31$", 1),
		"bcrypt cost 3":            strings.Replace(crypt, "$04$", "$03$", 1),
		"bcrypt cost no number":    strings.Replace(crypt, "$04$", "$0x$", 1),
		"bcrypt 2x":                strings.Replace(crypt, "$2b$", "$2x$", 1),
		"bcrypt short":             crypt[:59],
		"bcrypt alphabet":          crypt[:59] + "!",
		"bcrypt_sha256 of nothing": "bcrypt_sha256$x",
		"argon2d":                  strings.Replace(exported["argon2id"], "argon2id", "argon2d", 1),
		"argon2 version 16":        strings.Replace(exported["argon2id"], "v=19", "v=16", 1),
		"argon2 memory":            strings.Replace(exported["argon2id"], "m=64", "m=9999999", 1),
		"argon2 memory too little": strings.Replace(exported["argon2id"], "m=64", "m=7", 1),
		"argon2 passes":            strings.Replace(exported["argon2id"], "t=2", "t=17", 1),
		"argon2 work":              strings.Replace(exported["argon2id"], "m=64,t=2", "m=262144,t=16", 1),
		"argon2 lanes":             strings.Replace(exported["argon2id"], "p=1", "p=200", 1),
		"argon2 leading zero":      strings.Replace(exported["argon2id"], "t=2", "t=02", 1),
		"argon2 sign":              strings.Replace(exported["argon2id"], "t=2", "t=+2", 1),
		"argon2 order":             strings.Replace(exported["argon2id"], "m=64,t=2", "t=2,m=64", 1),
		"argon2 missing parameter": strings.Replace(exported["argon2id"], ",p=1", "", 1),
		"argon2 part too many":     exported["argon2id"] + "$x",
		"argon2 salt":              "$argon2id$v=19$m=64,t=2,p=1$!!$MpyDoNo63LS+tv6xyo87yg",
		"argon2 short hash":        "$argon2id$v=19$m=64,t=2,p=1$PQ8lka97s4WRXynfVD6MwQ$Mpw",
		"argon2 stray bits":        exported["argon2id"][:len(exported["argon2id"])-1] + "h",
		"argon2 newline":           exported["argon2id"] + "\n",
		"django argon2 of nothing": "argon2$",
		"pbkdf2 iterations":        "$pbkdf2-sha256$i=2000001,l=32$" + salt + "$" + key,
		"pbkdf2 no iterations":     "$pbkdf2-sha256$i=0,l=32$" + salt + "$" + key,
		"pbkdf2 huge iterations":   "$pbkdf2-sha256$i=99999999999999999999,l=32$" + salt + "$" + key,
		"pbkdf2 wrong length":      "$pbkdf2-sha256$i=1000,l=31$" + salt + "$" + key,
		"pbkdf2 length no number":  "$pbkdf2-sha256$i=1000,l=x$" + salt + "$" + key,
		"pbkdf2 short hash":        "$pbkdf2-sha256$i=1000$" + salt + "$AAAA",
		"pbkdf2 salt":              "$pbkdf2-sha256$i=1000$?$" + key,
		"pbkdf2 parts":             "$pbkdf2-sha256$i=1000",
		"pbkdf2 digest":            "$pbkdf2-md5$i=1000$" + salt + "$" + key,
		"django pbkdf2 iterations": "pbkdf2_sha256$x$salt$6mt/ZGuKzkcEexxhGLLmUMTg66UIWBMxELXv6XxM8Io=",
		"django pbkdf2 bound":      "pbkdf2_sha256$2000001$salt$6mt/ZGuKzkcEexxhGLLmUMTg66UIWBMxELXv6XxM8Io=",
		"django pbkdf2 no salt":    "pbkdf2_sha256$1$$6mt/ZGuKzkcEexxhGLLmUMTg66UIWBMxELXv6XxM8Io=",
		"django pbkdf2 hash":       "pbkdf2_sha256$1$salt$?",
		"scrypt memory":            "$scrypt$ln=20,r=32,p=1$" + salt + "$" + key,
		"scrypt work":              "$scrypt$ln=17,r=8,p=64$" + salt + "$" + key,
		"scrypt ln":                "$scrypt$ln=63,r=8,p=1$" + salt + "$" + key,
		"scrypt r 0":               "$scrypt$ln=6,r=0,p=1$" + salt + "$" + key,
		"scrypt parts":             "$scrypt$ln=6,r=8,p=1$" + salt,
		"scrypt parameters":        "$scrypt$ln=6,r=8$" + salt + "$" + key,
		"scrypt salt":              "$scrypt$ln=6,r=8,p=1$?$" + key,
		"scrypt hash":              "$scrypt$ln=6,r=8,p=1$" + salt + "$?",
		"django scrypt no power":   strings.Replace(exported["django scrypt"], "$64$", "$65$", 1),
		"django scrypt N 1":        strings.Replace(exported["django scrypt"], "$64$", "$1$", 1),
		"django scrypt parts":      "scrypt$64$salt$8$5",
		"django scrypt hash":       "scrypt$64$salt$8$5$?",
		"firebase parts":           "$firebase-scrypt$ln=14,r=8$a",
		"firebase parameters":      "$firebase-scrypt$ln=14$a$b$c$d",
		"firebase costs":           "$firebase-scrypt$ln=24,r=64$a$b$c$d",
		"firebase fields":          "$firebase-scrypt$ln=14,r=8$?$?$?$?",
		"firebase lengths":         "$firebase-scrypt$ln=14,r=8$" + salt + "$Bw$" + key + "$" + strings.TrimSuffix(firebaseHash, "=="),
		"twice foreign":            "$foreign" + crypt,
	} {
		enc, err := password.ParseForeign(hash)
		if !errors.Is(err, password.ErrUnknownHash) || enc != "" {
			t.Errorf("%s: got %q, %v", name, enc, err)
		}
		if err != nil && len(hash) > 12 && strings.Contains(err.Error(), hash[len(hash)-12:]) {
			t.Errorf("%s: the error quotes the hash: %v", name, err)
		}
	}
}

func TestUnreadableStoredHashLetsNobodyIn(t *testing.T) {
	h := newHasher(t, password.Config{})
	for _, enc := range []string{
		"", "x", strings.Repeat("x", 4096), "$lanyard-bcrypt$v=1", "$lanyard-bcrypt$v=2$2a$04$" + strings.Repeat(".", 53),
		exported["bcrypt 2b"], exported["argon2i"], "$foreign", "$foreignx",
		"$foreign" + exported["passlib pbkdf2"],       // not in the stored spelling
		"$foreign" + exported["django pbkdf2_sha256"], // likewise
	} {
		if r, err := h.Verify(t.Context(), enc, exportedPassword); !errors.Is(err, password.ErrUnknownHash) || r.OK {
			t.Errorf("%.40q: %+v, %v", enc, r, err)
		}
	}
}

func FuzzParseForeign(f *testing.F) {
	for _, hash := range exported {
		f.Add(hash)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		enc, err := password.ParseForeign(hash)
		if err != nil {
			return
		}
		// What is accepted once is stored in a spelling that is stable.
		again, err := password.ParseForeign(strings.TrimPrefix(enc, "$foreign"))
		if err != nil || again != enc {
			t.Fatalf("%q became %q, then %q: %v", hash, enc, again, err)
		}
	})
}
