package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/config"
)

func TestDefaultsAreSafeAndComplete(t *testing.T) {
	c, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Token.TTL != 15*time.Minute || c.Session.Sliding != 7*24*time.Hour || c.Session.Absolute != 30*24*time.Hour || c.Pass.BcryptCost != 12 || c.Limits.Throttle != "on" || c.Issuer != c.PublicURL {
		t.Errorf("defaults %+v", c)
	}
	if c.Secure() || !c.Local() {
		t.Error("the default is plain http on a loopback host")
	}
}

func TestAWrongValueNamesItsVariableAndWhatWasExpected(t *testing.T) {
	for setting, want := range map[string]string{
		"LANYARD_PUBLIC_URL=http://auth.example.com":                             "LANYARD_PUBLIC_URL: expected https",
		"LANYARD_MFA_KMS_KEYS=alias/lanyard":                                     "LANYARD_MFA_KMS_KEYS: expected ARNs of keys",
		"LANYARD_MFA_KMS_KEYS=arn:aws:kms:eu-north-1:111122223333:alias/lanyard": "LANYARD_MFA_KMS_KEYS: expected ARNs of keys",
		"LANYARD_MFA_KMS_KEYS=arn:aws:kms:eu-north-1:111122223333:key/mrk-1234,": "LANYARD_MFA_KMS_KEYS: expected ARNs of keys",
		"LANYARD_PUBLIC_URL=https://x.example/path":                              "LANYARD_PUBLIC_URL: expected an origin",
		"LANYARD_PUBLIC_URL=ftp://x":                                             "LANYARD_PUBLIC_URL: expected an origin",
		"LANYARD_ACCESS_TTL=never":                                               "LANYARD_ACCESS_TTL: expected a duration",
		"LANYARD_ACCESS_TTL=2h":                                                  "LANYARD_ACCESS_TTL: expected a duration",
		"LANYARD_BCRYPT_COST=99":                                                 "LANYARD_BCRYPT_COST: expected a whole number from 4 to 16",
		"LANYARD_BCRYPT_COST=many":                                               "LANYARD_BCRYPT_COST: expected a whole number",
		"LANYARD_PASSWORD_HASH=md5":                                              "LANYARD_PASSWORD_HASH: expected one of bcrypt, argon2id",
		"LANYARD_SESSION_CHECK_TTL=10m":                                          "LANYARD_SESSION_CHECK_TTL: expected a duration from 0 to 5m, or off",
		"LANYARD_CORS_ORIGINS=https://a.example/,x":                              "LANYARD_CORS_ORIGINS: expected origins",
		"LANYARD_TRUSTED_PROXIES=10.0.0.1":                                       "LANYARD_TRUSTED_PROXIES: expected networks",
		"LANYARD_SESSION_MAX=1h":                                                 "LANYARD_SESSION_MAX: expected at least",
		"LANYARD_PROFILE_SOURCE=http":                                            "LANYARD_PROFILE_URL: expected",
		"LANYARD_KEYS_SOURCE=env":                                                "LANYARD_KEYS: expected the key ring",
		"LANYARD_KEYS_SOURCE=ssm":                                                "LANYARD_KEYS_NAME: expected",
		"LANYARD_MAIL_SENDER=smtp":                                               "LANYARD_SMTP_URL: expected a server",
		"LANYARD_REQUIRE_MFA_FOR_ADMINS=perhaps":                                 "LANYARD_REQUIRE_MFA_FOR_ADMINS: expected true or false",
		"LANYARD_PASWORD_MIN=12":                                                 "LANYARD_PASWORD_MIN: no such setting",
	} {
		t.Run(setting, func(t *testing.T) {
			_, err := config.Load([]string{setting})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
}

func TestProblemsAreReportedTogetherAndWithoutValues(t *testing.T) {
	_, err := config.Load([]string{"LANYARD_LOG=xml", "LANYARD_ACCESS_TTL=hunter2-secret", "LANYARD_PASSWORD_MIN=1"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"LANYARD_LOG", "LANYARD_ACCESS_TTL", "LANYARD_PASSWORD_MIN"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the error repeats a value")
	}
}

func TestWeakSettingsAreForLoopbackHostsOnly(t *testing.T) {
	for _, weak := range []string{"LANYARD_BCRYPT_COST=8", "LANYARD_THROTTLE=off"} {
		if _, err := config.Load([]string{weak}); err != nil {
			t.Errorf("%s on a loopback host: %v", weak, err)
		}
		if _, err := config.Load([]string{weak, "LANYARD_PUBLIC_URL=https://auth.example.com"}); err == nil {
			t.Errorf("%s is accepted for a public host", weak)
		}
	}
	// As templates set it that leave the choice to a parameter.
	if c, err := config.Load([]string{"LANYARD_MFA_KMS_KEYS="}); err != nil || len(c.MFA.KMSKeys) != 0 {
		t.Errorf("no keys: %q, %v", c.MFA.KMSKeys, err)
	}
	if c, err := config.Load([]string{"LANYARD_MFA_KMS_KEYS=arn:aws:kms:eu-north-1:111122223333:key/mrk-1234,arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/5678"}); err != nil || len(c.MFA.KMSKeys) != 2 {
		t.Errorf("two keys: %q, %v", c.MFA.KMSKeys, err)
	}
	c, err := config.Load([]string{"LANYARD_PUBLIC_URL=https://auth.example.com", "LANYARD_SESSION_CHECK_TTL=off"})
	if err != nil || !c.Secure() || c.Local() || !c.Session.Check.Off {
		t.Errorf("%v %+v", err, c.Session)
	}
	if c, err := config.Load([]string{"LANYARD_SESSION_CHECK_TTL=0"}); err != nil || c.Session.Check.Off || c.Session.Check.TTL != 0 {
		t.Errorf("0: %v %+v", err, c.Session.Check)
	}
}

func TestEverySettingIsExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range config.Fields() {
		if f.Doc == "" || f.Expected() == "" || seen[f.Variable] || !strings.HasPrefix(f.Variable, config.Prefix) {
			t.Errorf("field %+v", f)
		}
		seen[f.Variable] = true
	}
}
