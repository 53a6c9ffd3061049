package throttle

import (
	"time"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Policy is one limit, as data: what it counts, of whom, how often, how long.
type Policy struct {
	Name     string        `json:"name"`
	Variable string        `json:"variable"` // the setting that changes it
	Counts   string        `json:"counts"`   // what is counted
	Per      string        `json:"per"`      // of whom
	Limit    config.Limit  `json:"limit"`
	Longest  time.Duration `json:"longest"` // the window's length after it was used up again and again
	Scope    Scope         `json:"scope"`
}

// Scope says where a limit's count is kept.
type Scope string

// The scopes.
const (
	Shared Scope = "shared" // in the table: one count for all processes
	Local  Scope = "local"  // in each process for itself
)

// window is a run of counting: it opens with its first attempt and ends
// whatever happens meanwhile.
type window struct {
	Count int64      `dynamo:"n"`
	Until table.Time `dynamo:"u"`
	Full  int64      `dynamo:"f,omitempty"` // windows used up in a row before this one
}

func (w window) open(now time.Time) bool { return now.Before(w.Until.Time()) }

// length is how long a window lasts after full ones in a row: doubled for each,
// up to Longest.
func (p Policy) length(full int64) time.Duration {
	d := p.Limit.Window
	for range full {
		if d >= p.Longest/2 {
			return max(p.Longest, p.Limit.Window)
		}
		d *= 2
	}
	return d
}

// remembered is until when a window that has ended still lengthens the next
// one: as long again as it lasted.
func (p Policy) remembered(w window) time.Time {
	if w.Count < int64(p.Limit.Count) {
		return w.Until.Time()
	}
	return w.Until.Time().Add(p.length(w.Full))
}

// take counts one attempt. It gives the window that follows and whether the
// attempt may go on; when it may not, the window is unchanged and wait says
// when it ends.
func (p Policy) take(w window, now time.Time) (next window, wait time.Duration, ok bool) {
	limit := int64(p.Limit.Count)
	switch {
	case w.open(now) && w.Count >= limit:
		return w, w.Until.Time().Sub(now), false
	case w.open(now):
		w.Count++
		return w, 0, true
	}
	full := int64(0)
	if w.Count >= limit && now.Before(p.remembered(w)) {
		full = w.Full + 1
	}
	return window{Count: 1, Until: table.At(now.Add(p.length(full))), Full: full}, 0, true
}

// maxRate is how many writes a second one key of a tally is left with; a limit
// that allows more is spread over several keys. DynamoDB takes 1,000 write units
// a second in one partition, and an attempt costs up to two.
const maxRate = 200

// shards is over how many keys the policy's tally is spread.
func (p Policy) shards() int {
	seconds := max(1, int(p.Limit.Window/time.Second))
	return 1 + (p.Limit.Count-1)/(seconds*maxRate)
}

// shard gives the policy of one of n keys: its part of the limit, rounded up.
func (p Policy) shard(n int) Policy {
	p.Limit.Count = (p.Limit.Count + n - 1) / n
	return p
}

// family is the limits of one kind of guessing at an account.
type family struct {
	client      Policy // one account, one client
	account     Policy // one account, all unknown clients
	consecutive Policy // one account, all unknown clients, without a success
	source      Policy // one address; zero where the caller is signed in
	network     Policy
}

// policies are all limits of a deployment.
type policies struct {
	families map[Kind]family
	routes   map[string]Policy // public routes by operation id
	network  map[string]Policy // of those, the wider limits
	failures map[string]Policy // routes of which only refusals count
	other    Policy            // public routes not named
	document Policy
	mail     Policy
}

const (
	perClient  = "account and client (known device, else address; IPv6: /64)"
	perAccount = "account, over all clients it does not know"
	perSource  = "address (IPv6: /64)"
	perNetwork = "network (IPv4 /24, IPv6 /48)"
)

func newPolicies(c config.Limits) policies {
	policy := func(name, counts, per string, l config.Limit, factor int) Policy {
		return Policy{
			Name: name, Variable: config.Prefix + "LIMIT_" + variable(name), Counts: counts, Per: per, Limit: l,
			Longest: l.Window * time.Duration(factor), Scope: Shared,
		}
	}
	of := func(name, counts string, client, account, consecutive config.Limit) family {
		return family{
			client:      policy(name, counts, perClient, client, 4),
			account:     policy(name+"-account", counts, perAccount, account, 4),
			consecutive: policy(name+"-consecutive", counts+" without a success between them", perAccount, consecutive, 1),
		}
	}
	// Many people may stand behind one address: its windows do not grow.
	signIn := of("signin", "failed sign-ins", c.SignIn, c.SignInAccount, c.SignInConsecutive)
	signIn.source = policy("signin-source", "sign-in attempts, known devices aside", perSource, c.SignInSource, 1)
	signIn.network = policy("signin-network", "sign-in attempts, known devices aside", perNetwork, c.SignInNetwork, 1)
	mfa := of("mfa", "refused second factors", c.MFA, c.MFAAccount, c.MFAConsecutive)
	mfa.source = policy("mfa-source", "second-factor attempts, known devices aside", perSource, c.MFASource, 1)
	mfa.network = policy("mfa-network", "second-factor attempts, known devices aside", perNetwork, c.MFANetwork, 1)
	p := policies{
		families: map[Kind]family{
			SignIn: signIn, MFA: mfa,
			Reauthentication: of("password", "refused passwords of a signed-in user", c.Password, c.PasswordAccount, c.PasswordConsecutive),
		},
		routes:  map[string]Policy{},
		network: map[string]Policy{"auth-register": policy("register-network", "registrations", perNetwork, c.RegisterNetwork, 1)},
		failures: map[string]Policy{
			"auth-refresh": policy("refresh", "refused refreshes", perSource, c.Refresh, 1),
			// Reserve counts attempts at an account; this is for tokens of none.
			"auth-mfa-verify": mfa.source,
		},
		other:    policy("public", "requests to any other public route", perSource, c.Public, 1),
		document: policy("documents", "requests for public documents", perSource, c.Documents, 1),
		mail:     policy("mail", "mails of one purpose", "receiving address", c.Mail, 24),
	}
	p.document.Scope = Local
	for operation, pol := range map[string]Policy{
		"auth-register":              policy("register", "registrations", perSource, c.Register, 1),
		"auth-forgot-password":       policy("forgot", "requests for a reset mail", perSource, c.Forgot, 1),
		"auth-resend-verification":   policy("resend", "requests for a verification mail", perSource, c.Resend, 1),
		"auth-check-password-needed": policy("needed", "questions whether a password is needed", perSource, c.Needed, 1),
		"auth-reset-password":        policy("reset", "uses of reset links", perSource, c.Reset, 1),
		"auth-verify-email":          policy("verify", "uses of verification links", perSource, c.Verify, 1),
		"auth-verify-email-link":     policy("verify", "uses of verification links", perSource, c.Verify, 1),
		"auth-logout":                policy("logout", "sign-outs", perSource, c.Logout, 1),
	} {
		p.routes[operation] = pol
	}
	return p
}

// variable spells a policy's name as part of a setting's.
func variable(name string) string {
	b := []byte(name)
	for i, c := range b {
		switch {
		case c == '-':
			b[i] = '_'
		case c >= 'a' && c <= 'z':
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// Policies lists every limit of a configuration, for the documentation.
func Policies(c config.Limits) []Policy {
	p := newPolicies(c)
	var out []Policy
	for _, k := range []Kind{SignIn, MFA, Reauthentication} {
		f := p.families[k]
		out = append(out, f.client, f.account, f.consecutive)
		if f.source.Name != "" {
			out = append(out, f.source, f.network)
		}
	}
	out = append(out, p.routes["auth-register"], p.network["auth-register"])
	for _, op := range []string{"auth-forgot-password", "auth-resend-verification", "auth-check-password-needed", "auth-reset-password", "auth-verify-email", "auth-logout"} {
		out = append(out, p.routes[op])
	}
	return append(out, p.failures["auth-refresh"], p.other, p.document, p.mail)
}
