// Package doctor looks at a deployment and says what is wrong with it and what
// to do: at its parts from within (configuration, table, keys, clocks, mail) and
// at a running server from without, by a full sign-in.
//
// It changes nothing, but for the account that a sign-in without credentials
// makes and deletes. It must not know how commands print.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/migrate"
	"github.com/lanyard-auth/lanyard/pkg/operator"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// Result says how a check came out.
type Result string

// The results. A warning is for what works now and will not always, or not well.
const (
	OK      Result = "ok"
	Warning Result = "warning"
	Failed  Result = "failed"
	Skipped Result = "skipped"
)

// Finding is what one check found.
type Finding struct {
	Check  string `json:"check"`
	Result Result `json:"result"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Report is the findings in the order of the checks.
type Report []Finding

func (r *Report) add(check string, result Result, fix, format string, args ...any) {
	if result == OK {
		fix = ""
	}
	*r = append(*r, Finding{check, result, fmt.Sprintf(format, args...), fix})
}

// Wrong counts the failed checks.
func (r Report) Wrong() (n int) {
	for _, f := range r {
		if f.Result == Failed {
			n++
		}
	}
	return n
}

// Parts are what a deployment is looked at by.
type Parts struct {
	Config    config.Config
	Table     *table.Table
	Keys      token.Source
	Relay     *mail.Relay
	Operators *operator.Service
	// Reach tries whether mail could be handed over; nil where that cannot be tried.
	Reach func(context.Context) error
	Now   func() time.Time
	// Local: the store is of this machine and needs neither stream nor protection.
	Local bool
}

// Deployment looks at the parts.
func Deployment(ctx context.Context, p Parts) Report {
	var r Report
	p.configuration(&r)
	if p.store(ctx, &r) {
		p.schema(ctx, &r)
		p.admins(ctx, &r)
		p.mail(ctx, &r)
	}
	p.templates(&r)
	p.keys(ctx, &r)
	return r
}

func (p *Parts) configuration(r *Report) {
	c := p.Config
	var remarks []string
	if c.Limits.Throttle == "off" {
		remarks = append(remarks, "LANYARD_THROTTLE=off: passwords can be guessed without bound")
	}
	if c.Pass.Scheme == "bcrypt" && c.Pass.BcryptCost < 10 {
		remarks = append(remarks, fmt.Sprintf("LANYARD_BCRYPT_COST=%d is for tests", c.Pass.BcryptCost))
	}
	if c.Session.Check.Off {
		remarks = append(remarks, "LANYARD_SESSION_CHECK_TTL=off: signing out does not end an access token")
	}
	if !p.Local && c.Local() {
		remarks = append(remarks, "LANYARD_PUBLIC_URL="+c.PublicURL+" is this machine's own: mail links and cookies are made for it")
	}
	if !p.Local && c.Mail.Sender == "local" {
		remarks = append(remarks, "LANYARD_MAIL_SENDER=local sends nothing")
	}
	if len(remarks) > 0 {
		r.add("configuration", Warning, "see docs/configuration.md", "%s", strings.Join(remarks, "; "))
		return
	}
	r.add("configuration", OK, "", "issuer %s, audience %s", c.Issuer, c.Audience)
}

// store looks at the table and reports whether it can be used.
func (p *Parts) store(ctx context.Context, r *Report) bool {
	const create = "lanyard serve makes it on a local store; on AWS deploy the stack, which does"
	d, err := p.Table.Describe(ctx)
	switch {
	case errors.Is(err, table.ErrNoTable):
		r.add("table", Failed, create, "there is no table %s", p.Table.Name())
		return false
	case err != nil:
		r.add("table", Failed, "check the address, the region and the credentials", "the store does not answer: %v", err)
		return false
	case d.Status != "ACTIVE":
		r.add("table", Failed, "wait until it is ACTIVE", "table %s is %s", p.Table.Name(), d.Status)
		return false
	case !d.Keys:
		r.add("table", Failed, create, "table %s has other keys than PK and SK", p.Table.Name())
		return false
	}
	r.add("table", OK, "", "%s is active", p.Table.Name())
	switch {
	case d.Index == "":
		r.add("index", Failed, create, "there is no index %s: lists do not work", table.IndexName)
	case !d.IndexKeys:
		r.add("index", Failed, create, "%s has other keys or does not hold every attribute", table.IndexName)
	case d.Index != "ACTIVE":
		r.add("index", Failed, "wait until it is ACTIVE", "%s is %s", table.IndexName, d.Index)
	default:
		r.add("index", OK, "", "%s is active", table.IndexName)
	}
	switch {
	case d.TTLOn == table.TTLAttribute && (d.TTL == "ENABLED" || d.TTL == "ENABLING"):
		r.add("expiry", OK, "", "items expire by their attribute %s", d.TTLOn)
	default:
		r.add("expiry", Failed, "aws dynamodb update-time-to-live --table-name "+p.Table.Name()+" --time-to-live-specification Enabled=true,AttributeName="+table.TTLAttribute,
			"TTL is not on for %s: what expired stays, and its cost", table.TTLAttribute)
	}
	switch {
	case p.Local:
		r.add("stream", Skipped, "", "a local store needs none: serve sends the mail itself")
	case d.Stream == "NEW_IMAGE" || d.Stream == "NEW_AND_OLD_IMAGES":
		r.add("stream", OK, "", "%s", d.Stream)
	default:
		r.add("stream", Warning, "deploy the stack, which turns it on", "the table has no stream with new images: mail leaves by the schedule alone, up to a minute late")
	}
	if !p.Local && !d.Protected {
		r.add("protection", Warning, "aws dynamodb update-table --deletion-protection-enabled --table-name "+p.Table.Name(), "anybody with the right may delete the table")
	}
	p.clock(r, d)
	return true
}

// clock compares this machine's clock with the store's.
func (p *Parts) clock(r *Report, d table.Description) {
	const fix = "set the clock by NTP: timedatectl set-ntp true"
	leeway := p.Config.Token.Leeway
	switch ahead := d.Ahead.Round(time.Second); {
	case !d.AheadKnown:
		r.add("clock", Skipped, "", "the store is in this process, or does not tell the time")
	case d.Ahead.Abs() > 5*time.Minute:
		r.add("clock", Failed, fix, "this machine's clock differs from the store's by %s: signed requests are refused", ahead.Abs())
	case d.Ahead.Abs() > leeway+time.Second: // Date has whole seconds
		r.add("clock", Warning, fix, "this machine's clock differs from the store's by %s, more than LANYARD_CLOCK_LEEWAY=%s", ahead.Abs(), leeway)
	default:
		r.add("clock", OK, "", "within %s of the store's", max(ahead.Abs(), time.Second))
	}
}

// schema compares the table's version with this program's.
func (p *Parts) schema(ctx context.Context, r *Report) {
	m, err := migrate.New(p.Table, migrate.Options{Now: p.Now})
	if err != nil {
		r.add("schema", Failed, "", "%v", err)
		return
	}
	st, err := m.Status(ctx)
	switch {
	case err != nil:
		r.add("schema", Failed, "lanyard migrate status", "%v", err)
	case st.Running != 0 && p.Now().Before(st.HeldUntil):
		r.add("schema", Warning, "lanyard migrate status follows it", "migration %d (%s) is under way, %d items changed", st.Running, st.Direction, st.Changed)
	case st.Running != 0:
		r.add("schema", Failed, "lanyard migrate "+st.Direction+" goes on", "migration %d (%s) was broken off after %d items", st.Running, st.Direction, st.Changed)
	case st.Version > m.Latest():
		r.add("schema", Failed, "use the newer program, or take it back with that one: lanyard migrate down", "the table is at version %d, this program knows %d", st.Version, m.Latest())
	case st.Version < m.Latest():
		r.add("schema", Warning, "lanyard migrate up", "the table is at version %d of %d", st.Version, m.Latest())
	default:
		r.add("schema", OK, "", "version %d", st.Version)
	}
}

func (p *Parts) admins(ctx context.Context, r *Report) {
	n, err := p.Operators.AdminCount(ctx)
	switch {
	case err != nil:
		r.add("super admins", Failed, "", "%v", err)
	case n == 0:
		r.add("super admins", Warning, "lanyard admin create --email …", "there is none")
	default:
		r.add("super admins", OK, "", "%d active", n)
	}
}

// templates tries the words of every mail, in every language.
func (p *Parts) templates(r *Report) {
	c := p.Config
	_, err := mail.NewTemplates(mail.TemplateConfig{Product: c.Mail.Product, PublicURL: c.PublicURL, Language: c.Mail.Language, Dir: c.Mail.Templates})
	switch {
	case err != nil:
		r.add("mail templates", Failed, "mend the file that is named", "%v", err)
	case c.Mail.Templates == "":
		r.add("mail templates", OK, "", "the built-in ones, in %s", strings.Join(mail.Languages(), " and "))
	default:
		r.add("mail templates", OK, "", "with those of %s", c.Mail.Templates)
	}
}

// mail looks at what was not sent, and whether mail could be.
func (p *Parts) mail(ctx context.Context, r *Report) {
	dead, err := p.Relay.List(ctx, mail.Filter{Status: mail.Dead})
	if err != nil {
		r.add("mail queue", Failed, "", "%v", err)
	} else {
		waiting, err := p.Relay.List(ctx, mail.Filter{Status: mail.Pending})
		late := 0
		for _, m := range waiting {
			if p.Now().Sub(m.CreatedAt) > 10*time.Minute {
				late++
			}
		}
		switch {
		case err != nil:
			r.add("mail queue", Failed, "", "%v", err)
		case len(dead) > 0:
			r.add("mail queue", Warning, "lanyard mail list; mend the cause; lanyard mail resend --dead", "%d mails were given up, the last because: %s", len(dead), dead[0].Failure)
		case late > 0:
			r.add("mail queue", Warning, "lanyard mail list --status pending shows why; is the server or the mailer running?", "%d mails have waited for more than 10 minutes", late)
		default:
			r.add("mail queue", OK, "", "none given up, %d waiting", len(waiting))
		}
	}
	if p.Reach == nil {
		r.add("mail server", Skipped, "", "LANYARD_MAIL_SENDER=%s has none to try", p.Config.Mail.Sender)
		return
	}
	if err := p.Reach(ctx); err != nil {
		r.add("mail server", Failed, "check LANYARD_SMTP_URL", "%v", err)
		return
	}
	r.add("mail server", OK, "", "it lets us in")
}

// keys looks at the key ring.
func (p *Parts) keys(ctx context.Context, r *Report) {
	ring, err := p.Keys.Load(ctx)
	if err != nil {
		r.add("keys", Failed, "check LANYARD_KEYS_SOURCE and what it names; restore the ring from a backup if it is lost", "%v", err)
		return
	}
	active, next := ring.Active(), false
	for _, k := range ring.Keys() {
		next = next || k.State == token.StateNext
	}
	age := p.Now().Sub(active.ActivatedAt)
	switch {
	case age < -time.Minute:
		r.add("keys", Failed, "set the clock by NTP", "the signing key %s begins %s from now", active.ID, -age.Round(time.Second))
	case !next:
		r.add("keys", Warning, "lanyard keys rotate --force", "no next key is published: verifiers will not know the key after the next rotation in time")
	case age > 2*p.Config.Keys.Rotate:
		r.add("keys", Warning, "lanyard keys rotate", "the signing key %s is %d days old", active.ID, int(age.Hours()/24))
	default:
		r.add("keys", OK, "", "%s %s signs since %s", active.Algorithm, active.ID, active.ActivatedAt.UTC().Format(time.DateOnly))
	}
}
