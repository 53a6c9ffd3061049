// Command lanyard is everything Lanyard does outside Lambda, in one binary:
// the single-machine server, the embedded store on a port, and the operators'
// tools.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
)

// version is set by the linker on a release.
var version = "dev"

type commands struct {
	Serve      serveCommand              `cmd:"" help:"Serve the whole API on one machine, on the embedded store."`
	DB         dbCommand                 `cmd:"" name:"db" help:"Serve the embedded store on a port, for the AWS CLI and SAM."`
	Admin      adminCommand              `cmd:"" help:"Manage super admins and users."`
	Keys       keysCommand               `cmd:"" help:"Look at the key ring, rotate it, put keys away."`
	Audit      auditCommand              `cmd:"" help:"Read the audit log."`
	Mail       mailCommand               `cmd:"" help:"Look at mail that was not sent, and send it again."`
	Doctor     doctorCommand             `cmd:"" help:"Look for what is wrong with a deployment or a running server."`
	Export     exportCommand             `cmd:"" help:"Write everything in the table to a file."`
	Restore    restoreCommand            `cmd:"" help:"Put an export into an empty table."`
	Import     importCommand             `cmd:"" help:"Bring users and everything else from other systems."`
	Migrate    migrateCommand            `cmd:"" help:"Bring the table to another version of its schema."`
	Completion kongcompletion.Completion `cmd:"" help:"Print what turns on completion in bash, zsh or fish."`
	Version    kong.VersionFlag          `help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := execute(ctx, os.Args[1:], &process{
		environ: os.Environ(), in: os.Stdin, out: os.Stdout, err: os.Stderr, exit: os.Exit,
	})
	stop()
	os.Exit(code)
}

// process is what a command has from the process it runs in. A Run method that
// takes one can be tested without starting another.
type process struct {
	environ  []string
	in       io.Reader
	out, err io.Writer
	exit     func(int) // ends the process: after --help and --version
}

// parser makes the parser of the command line.
func parser(ctx context.Context, p *process, into *commands) (*kong.Kong, error) {
	return kong.New(into, kong.Name("lanyard"), kong.Vars{"version": version},
		kong.Description("Multi-tenant sign-in and permissions. Settings are LANYARD_* environment variables; see docs/configuration.md."+
			"\n\nExit codes: "+exitCodes()),
		kong.Writers(p.out, p.err), kong.Exit(p.exit), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(p))
}
