package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/operator"
)

type adminCommand struct {
	Create     adminCreateCommand     `cmd:"" help:"Make a super admin. The password is read from standard input."`
	List       adminListCommand       `cmd:"" help:"List super admins, or users."`
	Suspend    adminSuspendCommand    `cmd:"" help:"End a user's sessions and let them in no more."`
	Reactivate adminReactivateCommand `cmd:"" help:"End a suspension."`
	Logout     adminLogoutCommand     `cmd:"" help:"End every session of a user."`
	Role       adminRoleCommand       `cmd:"" help:"Make a user a super admin, or an ordinary user again."`
}

type adminCreateCommand struct {
	where
	dryRun
	output
	Email string `help:"Address of the new super admin; it counts as verified." required:""`
}

// Help shows examples.
func (adminCreateCommand) Help() string {
	return `There is no default account: this is how a deployment gets its first super admin,
and a new one when it has lost them. On a terminal the password is asked for.

  lanyard admin create --email root@example.com < password.txt
  lanyard admin create --email root@example.com --dynamodb https://dynamodb.eu-central-1.amazonaws.com --table lanyard-prod`
}

// Run makes the super admin.
func (c *adminCreateCommand) Run(ctx context.Context, p *process) (err error) {
	password, err := readPassword(p)
	if err != nil {
		return err
	}
	d, err := c.deployment(ctx, p, c.orRehearse())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	operators, err := d.Operators()
	if err != nil {
		return err
	}
	if ctx, err = by(ctx, "admin create", nil); err != nil {
		return err
	}
	u, err := c.acts(operators).Bootstrap(ctx, c.Email, password)
	var taken *fault.Error
	if errors.As(err, &taken) && taken.Code == fault.CodeEmailTaken {
		return refusal{fmt.Errorf("%s has an account already; lanyard admin role %s ADMIN makes it a super admin", c.Email, c.Email)}
	}
	if err != nil {
		return fmt.Errorf("make super admin: %w", err)
	}
	if c.DryRun {
		return c.say(p.out, done{Email: c.Email, DryRun: true}, "%s would become a super admin; nothing was written", c.Email)
	}
	return c.say(p.out, u, "%s is a super admin (user %s)", *u.Email, u.ID)
}

// acts gives the acts themselves, or their rehearsal.
func (f dryRun) acts(s *operator.Service) operator.Acts {
	if f.DryRun {
		return s.Rehearsal()
	}
	return s
}

// done is what commands that change something say as JSON.
type done struct {
	ID     string `json:"id,omitempty"`
	Email  string `json:"email,omitempty"`
	Done   string `json:"done,omitempty"`
	DryRun bool   `json:"dryRun"`
}

type adminListCommand struct {
	where
	output
	acting
	Users  bool   `help:"List users instead of super admins."`
	Email  string `help:"Only the user with this address." placeholder:"ADDRESS"`
	Status string `help:"Only users of this status: pending, active or suspended." enum:",pending,active,suspended" default:""`
	Limit  bound  `help:"At most so many users." default:"1000"`
}

// Help shows examples.
func (adminListCommand) Help() string {
	return `Lists the active super admins; with --users, --email or --status, users. Reading
users is audited.

  lanyard admin list
  lanyard admin list --status suspended --output json
  lanyard admin list --email ada@example.com`
}

// Run lists.
func (c *adminListCommand) Run(ctx context.Context, p *process) (err error) {
	d, err := c.deployment(ctx, p, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	users := []account.User{}
	if !c.Users && c.Email == "" && c.Status == "" {
		operators, err := d.Operators()
		if err != nil {
			return err
		}
		if ctx, err = by(ctx, "admin list", nil); err != nil {
			return err
		}
		if users, err = operators.SuperAdmins(ctx); err != nil {
			return err
		}
	} else {
		ctx, operators, err := c.context(ctx, d, "admin list")
		if err != nil {
			return err
		}
		limit := int(c.Limit)
		in := api.ListInput{Limit: min(100, limit)}
		for len(users) < limit {
			page, err := operators.Users(ctx, operator.Search{Email: strings.ToLower(c.Email), Status: account.Status(c.Status)}, in)
			if err != nil {
				return err
			}
			users = append(users, page.Items...)
			if in.Cursor = page.NextCursor; in.Cursor == "" {
				break
			}
		}
		users = users[:min(len(users), limit)]
	}
	rows := make([][]string, len(users))
	for i, u := range users {
		rows[i] = []string{u.ID, text(u.Email), text(u.Username), u.Role, u.Status, yes(u.MFAEnabled), moment(u.LastLoginAt), u.CreatedAt.Format(time.DateOnly)}
	}
	return c.show(p.out, users, []string{"ID", "EMAIL", "USERNAME", "ROLE", "STATUS", "MFA", "LAST SIGN-IN", "SINCE"}, rows)
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func moment(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// onUser is what commands on one user take.
type onUser struct {
	where
	dryRun
	output
	acting
	because
	User string `arg:"" help:"Address, username or id."`
}

// run does something to the user, or rehearses it, and says what.
func (c *onUser) run(ctx context.Context, p *process, command, did string, act func(context.Context, operator.Acts, string) error) (err error) {
	d, err := c.deployment(ctx, p, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	ctx, operators, err := c.context(ctx, d, command)
	if err != nil {
		return err
	}
	userID, err := operators.Resolve(ctx, c.User)
	if err != nil {
		return err
	}
	if err := act(ctx, c.acts(operators), userID); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if c.DryRun {
		return c.say(p.out, done{ID: userID, Done: did, DryRun: true}, "%s (user %s) would be %s; nothing was written", c.User, userID, did)
	}
	return c.say(p.out, done{ID: userID, Done: did}, "%s (user %s) is %s", c.User, userID, did)
}

type adminSuspendCommand struct{ onUser }

// Help shows examples.
func (adminSuspendCommand) Help() string {
	return `Every session ends within LANYARD_SESSION_CHECK_TTL, refresh at once; the user is
told by mail. The last super admin stays.

  lanyard admin suspend ada@example.com --reason "left the company"
  lanyard admin suspend ada@example.com --dry-run`
}

// Run suspends.
func (c *adminSuspendCommand) Run(ctx context.Context, p *process) error {
	return c.run(ctx, p, "admin suspend", "suspended", func(ctx context.Context, a operator.Acts, userID string) error {
		return a.Suspend(ctx, userID, c.Reason)
	})
}

type adminReactivateCommand struct{ onUser }

// Help shows examples.
func (adminReactivateCommand) Help() string {
	return `The user can sign in again; an address that was never verified still waits for it.

  lanyard admin reactivate ada@example.com --reason "came back"`
}

// Run reactivates.
func (c *adminReactivateCommand) Run(ctx context.Context, p *process) error {
	return c.run(ctx, p, "admin reactivate", "reactivated", func(ctx context.Context, a operator.Acts, userID string) error {
		return a.Reactivate(ctx, userID, c.Reason)
	})
}

type adminLogoutCommand struct{ onUser }

// Help shows examples.
func (adminLogoutCommand) Help() string {
	return `Refresh tokens are refused at once, access tokens within LANYARD_SESSION_CHECK_TTL.

  lanyard admin logout ada@example.com --reason "lost laptop"`
}

// Run ends the sessions.
func (c *adminLogoutCommand) Run(ctx context.Context, p *process) error {
	return c.run(ctx, p, "admin logout", "signed out everywhere", func(ctx context.Context, a operator.Acts, userID string) error {
		return a.SignOut(ctx, userID, c.Reason)
	})
}

type adminRoleCommand struct {
	onUser
	Role string `arg:"" help:"ADMIN or USER." enum:"ADMIN,USER"`
}

// Help shows examples.
func (adminRoleCommand) Help() string {
	return `ADMIN is a super admin of the whole deployment. The last one stays.

  lanyard admin role ada@example.com ADMIN --reason "on call"
  lanyard admin role ada@example.com USER --as root@example.com`
}

// Run changes the role.
func (c *adminRoleCommand) Run(ctx context.Context, p *process) error {
	return c.run(ctx, p, "admin role", "of role "+c.Role, func(ctx context.Context, a operator.Acts, userID string) error {
		_, err := a.SetRole(ctx, userID, caller.Role(c.Role), c.Reason)
		return err
	})
}
