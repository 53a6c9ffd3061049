// Command lanyard is everything Lanyard does outside Lambda, in one binary:
// the single-machine server, the embedded store on a port, and the operators'
// tools.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker on a release.
var version = "dev"

type commands struct {
	Serve   serveCommand     `cmd:"" help:"Serve the whole API on one machine, on the embedded store."`
	DB      dbCommand        `cmd:"" name:"db" help:"Serve the embedded store on a port, for the AWS CLI and SAM."`
	Admin   adminCommand     `cmd:"" help:"Manage super admins."`
	Export  exportCommand    `cmd:"" help:"Write everything in the table to a file."`
	Restore restoreCommand   `cmd:"" help:"Put an export into an empty table."`
	Version kong.VersionFlag `help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	k := kong.Parse(&c, kong.Name("lanyard"), kong.UsageOnError(), kong.Vars{"version": version},
		kong.Description("Multi-tenant sign-in and permissions. Settings are LANYARD_* environment variables; see docs/configuration.md."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "lanyard: "+err.Error())
		os.Exit(1)
	}
}
