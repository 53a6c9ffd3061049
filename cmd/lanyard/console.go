package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lanyard-auth/lanyard/internal/demo"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/config"
)

// console is where serve speaks: lines for people, or JSON for programs.
type console struct {
	w      io.Writer
	json   bool
	colour bool
	logger *slog.Logger
}

func newConsole(w io.Writer, cfg config.Config) *console {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	c := &console{w: w, json: cfg.Log == "json"}
	if f, ok := w.(*os.File); ok && os.Getenv("NO_COLOR") == "" {
		if info, err := f.Stat(); err == nil {
			c.colour = info.Mode()&os.ModeCharDevice != 0
		}
	}
	o := &slog.HandlerOptions{Level: level}
	if c.json {
		c.logger = slog.New(slog.NewJSONHandler(w, o))
	} else {
		c.logger = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: max(level, slog.LevelWarn)}))
	}
	return c
}

// greet says where everything is.
func (c *console) greet(cfg config.Config, s *serveCommand, local bool) {
	if c.json {
		c.logger.Info("listening", "url", cfg.PublicURL, "version", version)
		return
	}
	store := "embedded, in " + s.Data
	if s.Memory {
		store = "embedded, in memory"
	}
	if cfg.Dynamo != "" {
		store = cfg.Dynamo
	}
	fmt.Fprintf(c.w, "\n  %s %s\n\n", c.bold("Lanyard"), version)
	fmt.Fprintf(c.w, "  API      %s\n  Docs     %s/docs\n", cfg.PublicURL, cfg.PublicURL)
	if local && cfg.Mail.Sender == "local" && cfg.Local() {
		fmt.Fprintf(c.w, "  Mail     %s/dev/mail\n", cfg.PublicURL)
	}
	fmt.Fprintf(c.w, "  Store    %s\n\n  Stop with Ctrl-C.\n\n", store)
}

// tour prints commands that show the worked example, ready to paste, or says in
// the log what they are about.
func (c *console) tour(cfg config.Config, e *demo.Example) {
	if c.json {
		c.logger.Info("example", "organizationId", e.OrganizationID, "entityIds", e.Boats, "documentIds", e.Documents, "users", e.Users)
		return
	}
	fmt.Fprintf(c.w, "  %s: alice is its admin, bob manager, carol member,\n", c.bold("Coastal Marine Services"))
	fmt.Fprint(c.w, "  dave viewer; erin is outside. Everybody's password is\n")
	fmt.Fprintf(c.w, "  %q. Sign in as carol and ask what she may do:\n\n", demo.Password)
	fmt.Fprintf(c.w, "  TOKEN=$(curl -s %s/api/auth/login \\\n    -H 'Content-Type: application/json' \\\n", cfg.PublicURL)
	fmt.Fprintf(c.w, "    -d '{\"email\":\"carol@%s\",\n         \"password\":\"%s\",\"delivery\":\"body\"}' \\\n", demo.Domain, demo.Password)
	fmt.Fprintf(c.w, "    | sed 's/.*\"accessToken\":\"\\([^\"]*\\).*/\\1/')\n\n")
	fmt.Fprintf(c.w, "  curl -s %s/api/permissions/check \\\n", cfg.PublicURL)
	fmt.Fprint(c.w, "    -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n    -d '{\"checks\":[")
	for i, boat := range e.Boats {
		if i > 0 {
			fmt.Fprint(c.w, ",")
		}
		fmt.Fprintf(c.w, "\n      {\"entityId\":\"%s\",\"action\":\"edit\"}", boat)
	}
	fmt.Fprint(c.w, "]}'\n\n")
	fmt.Fprintf(c.w, "  curl -s -H \"Authorization: Bearer $TOKEN\" \\\n    %s/api/organizations/%s/entities\n\n", cfg.PublicURL, e.OrganizationID)
}

func (c *console) bold(s string) string { return c.paint("1", s) }

func (c *console) paint(code, s string) string {
	if !c.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// observer gives what the pipeline tells of each request: a line here, and a
// word to whoever follows up on writes.
func (c *console) observer(wrote func()) func(context.Context, api.Observation) {
	return func(ctx context.Context, o api.Observation) {
		if c.json {
			c.logger.LogAttrs(ctx, slog.LevelInfo, "request", slog.String("requestId", o.RequestID), slog.String("operation", o.Operation),
				slog.String("route", o.RouteKey), slog.String("userId", o.UserID), slog.Int("status", o.Status),
				slog.String("code", o.Code), slog.Float64("ms", float64(o.Duration.Microseconds())/1000))
		} else {
			colour := "32"
			switch {
			case o.Status >= 500:
				colour = "31"
			case o.Status >= 400:
				colour = "33"
			}
			line := fmt.Sprintf("%s %s %s %s", time.Now().Format(time.TimeOnly), c.paint(colour, fmt.Sprint(o.Status)), o.RouteKey, o.Duration.Round(100*time.Microsecond))
			if o.Code != "" {
				line += " " + o.Code
			}
			fmt.Fprintln(c.w, line)
		}
		if len(o.RouteKey) > 3 && o.RouteKey[:3] != "GET" {
			wrote()
		}
	}
}
