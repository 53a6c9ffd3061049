package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Prefix is what every variable's name begins with.
const Prefix = "LANYARD_"

// Config is every setting. The doc tag explains a field, the unit included;
// it is what docs/configuration.md prints.
type Config struct {
	Stage     string `env:"STAGE" envDefault:"local" doc:"Name of the deployment; part of metrics and logs."`
	PublicURL string `env:"PUBLIC_URL" envDefault:"http://127.0.0.1:8080" doc:"Origin that clients and mail links use, without a path. Must be https except on a loopback host. Cookies take their prefix and Secure from it."`
	Issuer    string `env:"ISSUER" doc:"The iss claim. Default: LANYARD_PUBLIC_URL."`
	Audience  string `env:"AUDIENCE" envDefault:"lanyard" doc:"The aud claim of access tokens."`

	Table    string `env:"TABLE" envDefault:"lanyard" doc:"Name of the DynamoDB table."`
	Dynamo   string `env:"DYNAMODB" doc:"URL of a DynamoDB other than AWS's, such as DynamoDB Local."`
	Log      string `env:"LOG" envDefault:"json" oneof:"json,text" doc:"Log format."`
	LogLevel string `env:"LOG_LEVEL" envDefault:"info" oneof:"debug,info,warn,error" doc:"Least severe level that is logged."`

	CORSOrigins    []string `env:"CORS_ORIGINS" doc:"Origins of browser apps that may call the API with credentials, separated by commas; compared exactly."`
	TrustedProxies []string `env:"TRUSTED_PROXIES" doc:"Networks (CIDR) whose X-Forwarded-For the single-machine server believes. Empty: none. Not used on AWS."`

	OriginSecret string `env:"ORIGIN_SECRET" secret:"true" doc:"What a CDN before the API sends in X-Origin-Verify. Requests without it are refused, and the client's address is the CDN's say. On AWS only. Empty: nothing is before the API."`

	Keys    Keys
	Token   Token
	Session Session
	Access  Access
	Pass    Password
	Account Account
	Mail    Mail
	Profile Profile
	Limits  Limits
	Audit   Audit
	MFA     MFA
}

// Keys says where the key ring comes from.
type Keys struct {
	Source    string        `env:"KEYS_SOURCE" envDefault:"file" oneof:"file,env,ssm" doc:"Where the key ring is kept."`
	Ring      string        `env:"KEYS" secret:"true" doc:"The key ring itself as JSON, for LANYARD_KEYS_SOURCE=env."`
	Name      string        `env:"KEYS_NAME" doc:"SSM parameter (SecureString) that holds the key ring."`
	Algorithm string        `env:"KEYS_ALGORITHM" envDefault:"ES256" oneof:"ES256,EdDSA,HS256" doc:"Algorithm of new signing keys."`
	Reload    time.Duration `env:"KEYS_RELOAD" envDefault:"60s" min:"1s" max:"1h" doc:"How long a loaded key ring is used before it is read again."`
	Rotate    time.Duration `env:"KEYS_ROTATE" envDefault:"720h" min:"1h" max:"8760h" doc:"Age at which the scheduled function replaces the signing key."`
}

// Token is the life of access tokens.
type Token struct {
	TTL    time.Duration `env:"ACCESS_TTL" envDefault:"15m" min:"1m" max:"1h" doc:"Life of an access token."`
	Leeway time.Duration `env:"CLOCK_LEEWAY" envDefault:"30s" min:"0s" max:"60s" doc:"Clock difference tolerated when a token's times are checked."`
}

// Session is the life of refresh token families.
type Session struct {
	Sliding  time.Duration `env:"REFRESH_TTL" envDefault:"168h" min:"5m" max:"2160h" doc:"How long a refresh token lives; each refresh starts it anew."`
	Absolute time.Duration `env:"SESSION_MAX" envDefault:"720h" min:"5m" max:"8760h" doc:"How long a session lives at most, however often it is refreshed."`
	Grace    time.Duration `env:"REFRESH_GRACE" envDefault:"10s" min:"0s" max:"60s" doc:"How long a used refresh token still gets the same successor, for the same client."`
	Check    Check         `env:"SESSION_CHECK_TTL" envDefault:"60s" doc:"How long the authorizer trusts an earlier look at the session: a duration up to 5m, 0 for every request, or off for stateless tokens."`
	Max      int           `env:"SESSION_LIMIT" envDefault:"100" min:"1" max:"1000" doc:"Sessions one user may have; a further sign-in ends the one longest unused."`
}

// Access is the permission cache.
type Access struct {
	CacheTTL  time.Duration `env:"ACCESS_CACHE_TTL" envDefault:"60s" min:"0s" max:"5m" doc:"How long a user's permission facts are cached for reads; 0 reads them each time."`
	CacheSize int           `env:"ACCESS_CACHE_SIZE" envDefault:"10000" min:"1" max:"1000000" doc:"Users whose permission facts are cached."`
	MaxFacts  int           `env:"ACCESS_MAX_FACTS" envDefault:"500" min:"1" max:"5000" doc:"Most facts of one user that are read as a whole; who holds more has them read one resource at a time."`
}

// Password is how passwords are judged and kept.
type Password struct {
	Scheme     string `env:"PASSWORD_HASH" envDefault:"bcrypt" oneof:"bcrypt,argon2id" doc:"How new passwords are hashed; older hashes are renewed at sign-in."`
	BcryptCost int    `env:"BCRYPT_COST" envDefault:"12" min:"4" max:"16" doc:"bcrypt's cost. Below 10 is refused except on a loopback host."`
	MinLength  int    `env:"PASSWORD_MIN" envDefault:"12" min:"8" max:"64" doc:"Least number of code points in a password."`
	MaxLength  int    `env:"PASSWORD_MAX" envDefault:"128" min:"64" max:"1024" doc:"Greatest number of code points in a password."`
	Parallel   int    `env:"PASSWORD_PARALLEL" envDefault:"0" min:"0" max:"256" doc:"Hashes computed at once; 0 means one per CPU."`
}

// Account is registration and one-time links.
type Account struct {
	Registration string        `env:"REGISTRATION" envDefault:"open" oneof:"open,closed" doc:"Whether anybody may register; closed leaves invitations and imports."`
	VerifyTTL    time.Duration `env:"VERIFY_TTL" envDefault:"24h" min:"5m" max:"24h" doc:"Life of a verification link."`
	ResetTTL     time.Duration `env:"RESET_TTL" envDefault:"1h" min:"5m" max:"1h" doc:"Life of a reset link."`
	InviteTTL    time.Duration `env:"INVITE_TTL" envDefault:"168h" min:"1h" max:"720h" doc:"Life of an invitation."`
}

// Mail is how mail leaves.
type Mail struct {
	Sender    string `env:"MAIL_SENDER" envDefault:"local" oneof:"local,ses,smtp" doc:"How mail is sent; local keeps it in the mailbox at /dev/mail, for whoever sits at this machine."`
	From      string `env:"MAIL_FROM" envDefault:"Lanyard <no-reply@localhost>" doc:"Sender of every mail."`
	SMTP      string `env:"SMTP_URL" secret:"true" doc:"smtp:// or smtps:// address with credentials, for LANYARD_MAIL_SENDER=smtp."`
	Templates string `env:"MAIL_TEMPLATES" doc:"Directory whose templates replace the built-in ones."`
	Language  string `env:"MAIL_LANGUAGE" envDefault:"en" oneof:"en,de" doc:"Language of mail to users whose profile names none."`
	Product   string `env:"PRODUCT" envDefault:"Lanyard" doc:"Name of the product in mails and pages."`
}

// Profile is where descriptive profiles come from.
type Profile struct {
	Source  string        `env:"PROFILE_SOURCE" envDefault:"table" oneof:"table,http" doc:"Where profiles are kept: the table, or an external system of record."`
	URL     string        `env:"PROFILE_URL" doc:"Base URL of the system of record; it answers GET and PUT {url}/{userId}."`
	Token   string        `env:"PROFILE_TOKEN" secret:"true" doc:"Bearer token sent to the system of record."`
	Timeout time.Duration `env:"PROFILE_TIMEOUT" envDefault:"2s" min:"50ms" max:"10s" doc:"How long the system of record may take; after it, answers carry no profile."`
}

// Limits are the abuse limits; package throttle says how each counts.
type Limits struct {
	Throttle string `env:"THROTTLE" envDefault:"on" oneof:"on,off" doc:"Abuse limits. off is for load tests on the local store and refused elsewhere."`

	SignIn            Limit `env:"LIMIT_SIGNIN" envDefault:"5/15m" doc:"Failed sign-ins of one account from one client."`
	SignInAccount     Limit `env:"LIMIT_SIGNIN_ACCOUNT" envDefault:"30/15m" doc:"Failed sign-ins of one account from all clients it does not know."`
	SignInConsecutive Limit `env:"LIMIT_SIGNIN_CONSECUTIVE" envDefault:"100/720h" doc:"Failed sign-ins of one account from unknown clients without a success between them."`
	SignInSource      Limit `env:"LIMIT_SIGNIN_SOURCE" envDefault:"300/15m" doc:"Sign-in attempts from one address (IPv6: one /64), known devices aside."`
	SignInNetwork     Limit `env:"LIMIT_SIGNIN_NETWORK" envDefault:"3000/15m" doc:"Sign-in attempts from one network (IPv4 /24, IPv6 /48), known devices aside."`

	MFA            Limit `env:"LIMIT_MFA" envDefault:"5/15m" doc:"Wrong second factors for one account from one client."`
	MFAAccount     Limit `env:"LIMIT_MFA_ACCOUNT" envDefault:"10/15m" doc:"Wrong second factors for one account from all clients it does not know."`
	MFAConsecutive Limit `env:"LIMIT_MFA_CONSECUTIVE" envDefault:"100/720h" doc:"Wrong second factors for one account from unknown clients without a success between them."`
	MFASource      Limit `env:"LIMIT_MFA_SOURCE" envDefault:"300/15m" doc:"Second-factor attempts from one address, known devices aside."`
	MFANetwork     Limit `env:"LIMIT_MFA_NETWORK" envDefault:"3000/15m" doc:"Second-factor attempts from one network, known devices aside."`

	Password            Limit `env:"LIMIT_PASSWORD" envDefault:"5/15m" doc:"Wrong passwords of a signed-in user where one is asked for again, from one client."`
	PasswordAccount     Limit `env:"LIMIT_PASSWORD_ACCOUNT" envDefault:"30/15m" doc:"The same from all clients that the account does not know."`
	PasswordConsecutive Limit `env:"LIMIT_PASSWORD_CONSECUTIVE" envDefault:"100/720h" doc:"The same without a success between them."`

	Register        Limit `env:"LIMIT_REGISTER" envDefault:"60/15m" doc:"Registrations from one address."`
	RegisterNetwork Limit `env:"LIMIT_REGISTER_NETWORK" envDefault:"600/15m" doc:"Registrations from one network."`
	Forgot          Limit `env:"LIMIT_FORGOT" envDefault:"60/15m" doc:"Requests for a reset mail from one address."`
	Resend          Limit `env:"LIMIT_RESEND" envDefault:"60/15m" doc:"Requests for a verification mail from one address."`
	Needed          Limit `env:"LIMIT_NEEDED" envDefault:"60/15m" doc:"Questions whether an imported account needs a password, from one address."`
	Reset           Limit `env:"LIMIT_RESET" envDefault:"60/15m" doc:"Uses of reset links from one address."`
	Verify          Limit `env:"LIMIT_VERIFY" envDefault:"300/15m" doc:"Uses of verification links from one address."`
	Refresh         Limit `env:"LIMIT_REFRESH" envDefault:"300/15m" doc:"Refused refreshes from one address; those that succeed are not counted."`
	Logout          Limit `env:"LIMIT_LOGOUT" envDefault:"600/15m" doc:"Sign-outs from one address."`
	Public          Limit `env:"LIMIT_PUBLIC" envDefault:"300/15m" doc:"Requests from one address to any other public route."`
	Documents       Limit `env:"LIMIT_DOCUMENTS" envDefault:"1200/1m" doc:"Requests from one address for public documents (keys, metadata, health), counted in each process for itself."`

	Mail Limit `env:"LIMIT_MAIL" envDefault:"5/1h" doc:"Mails of one purpose to one address; beyond it none is sent, and the answer is the same."`
}

// Limit is how often something may happen in a window of time.
type Limit struct {
	Count  int
	Window time.Duration
}

// UnmarshalText reads a count and a window, such as 5/15m.
func (l *Limit) UnmarshalText(b []byte) error {
	count, window, found := strings.Cut(string(b), "/")
	n, errN := strconv.Atoi(count)
	d, errD := time.ParseDuration(window)
	if !found || errN != nil || errD != nil || n < 1 || n > 1_000_000 || d < time.Second || d > maxWindow {
		return errors.New("expected a count and a window, such as 5/15m")
	}
	*l = Limit{Count: n, Window: d}
	return nil
}

// String gives the form that UnmarshalText reads.
func (l Limit) String() string { return fmt.Sprintf("%d/%s", l.Count, l.Window) }

// maxWindow bounds the window of a limit.
const maxWindow = 90 * 24 * time.Hour

// Audit is the audit trail.
type Audit struct {
	Retention time.Duration `env:"AUDIT_RETENTION" envDefault:"9600h" min:"24h" max:"87600h" doc:"How long audit events are kept (default 400 days)."`
}

// MFA is the second-factor policy.
type MFA struct {
	KMSKeys          []string `env:"MFA_KMS_KEYS" doc:"ARNs of the AWS KMS keys that seal the secrets of authenticator apps, separated by commas: the first seals, all of them open. What the key ring sealed goes on working, and is sealed anew at its user's next sign-in. Empty: the key ring seals."`
	RequireForAdmins bool     `env:"REQUIRE_MFA_FOR_ADMINS" envDefault:"false" doc:"Refuse super-admin routes to sessions without a second factor."`
}

// Check is a session-check bound: a duration, or off.
type Check struct {
	Off bool
	TTL time.Duration
}

// UnmarshalText reads a duration or "off".
func (c *Check) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "off" {
		*c = Check{Off: true}
		return nil
	}
	if s == "0" {
		*c = Check{}
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > 5*time.Minute {
		return errors.New("expected a duration from 0 to 5m, or off")
	}
	*c = Check{TTL: d}
	return nil
}

// Load reads the configuration from environ (KEY=VALUE pairs, as os.Environ
// gives them). Every problem is in the error, one a line.
func Load(environ []string) (Config, error) {
	var c Config
	vars := env.ToMap(environ)
	err := env.ParseWithOptions(&c, env.Options{Prefix: Prefix, Environment: vars})
	var problems []string
	var agg env.AggregateError
	switch {
	case errors.As(err, &agg):
		for _, e := range agg.Errors {
			problems = append(problems, explain(e))
		}
	case err != nil:
		problems = append(problems, err.Error())
	}
	problems = append(problems, c.check()...)
	problems = append(problems, unknown(vars)...)
	if len(problems) > 0 {
		return Config{}, fmt.Errorf("configuration:\n  %s", strings.Join(problems, "\n  "))
	}
	if c.Issuer == "" {
		c.Issuer = c.PublicURL
	}
	return c, nil
}

// FromEnvironment is Load for this process.
func FromEnvironment() (Config, error) { return Load(os.Environ()) }

// explain turns the library's parse error into variable, value kind and what
// was expected. Values are not repeated: they may be secrets.
func explain(err error) string {
	var p env.ParseError
	if errors.As(err, &p) {
		for _, f := range Fields() {
			if f.Name == p.Name || strings.HasSuffix(f.path, "."+p.Name) {
				return fmt.Sprintf("%s: expected %s", f.Variable, f.Expected())
			}
		}
		return fmt.Sprintf("%s: %v", p.Name, p.Err)
	}
	return err.Error()
}

// unknown reports LANYARD_ variables that nothing reads: most often a typo in
// a security setting. LANYARD_TEST_ belongs to the test suites.
func unknown(vars map[string]string) []string {
	known := map[string]bool{}
	for _, f := range Fields() {
		known[f.Variable] = true
	}
	var out []string
	for name := range vars {
		if strings.HasPrefix(name, Prefix) && !strings.HasPrefix(name, Prefix+"TEST_") && !known[name] {
			out = append(out, name+": no such setting")
		}
	}
	slices.Sort(out)
	return out
}

// check applies the bounds in the tags and the rules that span fields.
func (c *Config) check() []string {
	var out []string
	walk(reflect.ValueOf(c).Elem(), "", func(f Field, v reflect.Value) {
		if msg := f.violation(v); msg != "" {
			out = append(out, fmt.Sprintf("%s: expected %s", f.Variable, msg))
		}
	})
	origin, err := url.Parse(c.PublicURL)
	if err != nil || origin.Host == "" || origin.Path != "" || origin.RawQuery != "" || origin.User != nil || (origin.Scheme != "https" && origin.Scheme != "http") {
		out = append(out, Prefix+"PUBLIC_URL: expected an origin such as https://auth.example.com, without a path")
	} else if origin.Scheme == "http" && !isLoopback(origin.Hostname()) {
		out = append(out, Prefix+"PUBLIC_URL: expected https; plain http is for a loopback host")
	}
	for _, o := range c.CORSOrigins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || (u.Scheme != "http" && u.Scheme != "https") {
			out = append(out, Prefix+"CORS_ORIGINS: expected origins such as https://app.example.com, separated by commas")
			break
		}
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			out = append(out, Prefix+"TRUSTED_PROXIES: expected networks such as 10.0.0.0/8, separated by commas")
			break
		}
	}
	if c.OriginSecret != "" && len(c.OriginSecret) < 32 {
		out = append(out, Prefix+"ORIGIN_SECRET: expected at least 32 characters")
	}
	if c.Pass.BcryptCost < 10 && !c.Local() {
		out = append(out, Prefix+"BCRYPT_COST: expected at least 10 outside a loopback host")
	}
	if c.Limits.Throttle == "off" && !c.Local() {
		out = append(out, Prefix+"THROTTLE: expected on; off is refused outside a loopback host")
	}
	if c.Session.Absolute < c.Session.Sliding {
		out = append(out, Prefix+"SESSION_MAX: expected at least "+Prefix+"REFRESH_TTL")
	}
	if c.Profile.Source == "http" && c.Profile.URL == "" {
		out = append(out, Prefix+"PROFILE_URL: expected the system of record's URL, since "+Prefix+"PROFILE_SOURCE=http")
	}
	if c.Keys.Source == "env" && c.Keys.Ring == "" {
		out = append(out, Prefix+"KEYS: expected the key ring, since "+Prefix+"KEYS_SOURCE=env")
	}
	if c.Keys.Source == "ssm" && c.Keys.Name == "" {
		out = append(out, Prefix+"KEYS_NAME: expected the name of the parameter")
	}
	for _, k := range c.MFA.KMSKeys {
		if !kmsKey.MatchString(k) {
			out = append(out, Prefix+"MFA_KMS_KEYS: expected ARNs of keys such as arn:aws:kms:eu-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab, separated by commas")
			break
		}
	}
	if c.Mail.Sender == "smtp" && c.Mail.SMTP == "" {
		out = append(out, Prefix+"SMTP_URL: expected a server, since "+Prefix+"MAIL_SENDER=smtp")
	}
	return out
}

// kmsKey is the ARN of a key. An alias will not do: IAM's policies name keys.
var kmsKey = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`)

// KeyOverlap is for how long a replaced signing key still verifies: a token's
// life, the leeway, and the time instances may sign with a ring they read
// before, the minutes for which they go on while its source fails included.
func (c *Config) KeyOverlap() time.Duration {
	return c.Token.TTL + c.Token.Leeway + c.Keys.Reload + 10*time.Minute
}

// Local reports whether the deployment serves a loopback host over plain http.
func (c *Config) Local() bool {
	u, err := url.Parse(c.PublicURL)
	return err == nil && u.Scheme == "http" && isLoopback(u.Hostname())
}

// Secure reports whether clients reach the deployment by https.
func (c *Config) Secure() bool { return strings.HasPrefix(c.PublicURL, "https://") }

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
