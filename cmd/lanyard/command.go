package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	"golang.org/x/term"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// The exit codes. Scripts rely on them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitWanting     = 3
	exitRefused     = 4
	exitInterrupted = 130 // 128 and SIGINT, as shells have it
)

// exitCodes spells the exit codes out for the help.
func exitCodes() string {
	return "0 done; 1 failed; 2 wrong usage or configuration, nothing was done; 3 a check found something wanting (doctor, --verify); " +
		"4 refused: no such thing, or its state does not permit it; 130 interrupted."
}

// wanting says that a command did what it was to do, which was to look, and
// that what it looked at is not as it should be.
type wanting struct{ error }

// usage says that the command line or the configuration is wrong.
type usage struct{ error }

// refusal says that what a command was to work on is not there.
type refusal struct{ error }

func (e wanting) Unwrap() error { return e.error }
func (e usage) Unwrap() error   { return e.error }
func (e refusal) Unwrap() error { return e.error }

// execute runs one command line and gives its exit code.
func execute(ctx context.Context, args []string, p *process) int {
	var c commands
	k, err := parser(ctx, p, &c)
	if err != nil {
		fmt.Fprintln(p.err, "lanyard: "+err.Error())
		return exitFailed
	}
	kongcompletion.Register(k, kongcompletion.WithExitFunc(p.exit))
	parsed, err := k.Parse(spelled(args))
	if err != nil {
		var wrong *kong.ParseError
		if errors.As(err, &wrong) && wrong.Context != nil {
			_ = wrong.Context.PrintUsage(true) // the error itself follows
		}
		fmt.Fprintln(p.err, "lanyard: "+err.Error())
		return exitUsage
	}
	err = parsed.Run()
	code := exitCode(ctx, err)
	switch {
	case code == exitInterrupted:
		fmt.Fprintln(p.err, "lanyard: interrupted")
	case err != nil:
		fmt.Fprintln(p.err, "lanyard: "+plain(err))
	}
	return code
}

// spelled gives the command line with the flags that the words "help" and
// "version", which many try first, stand for.
func spelled(args []string) []string {
	if len(args) == 0 {
		return args
	}
	switch args[0] {
	case "help":
		return append(append([]string{}, args[1:]...), "--help")
	case "version":
		return append([]string{"--version"}, args[1:]...)
	}
	return args
}

// exitCode classes what came of a command.
func exitCode(ctx context.Context, err error) int {
	var refused *fault.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &wanting{}):
		return exitWanting
	case errors.As(err, &usage{}):
		return exitUsage
	case errors.As(err, &refusal{}):
		return exitRefused
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return exitInterrupted
	case errors.As(err, &refused):
		switch refused.Kind {
		case fault.Malformed, fault.Invalid:
			return exitUsage
		case fault.Forbidden, fault.NotFound, fault.Conflict:
			return exitRefused
		default:
			return exitFailed
		}
	}
	return exitFailed
}

// plain gives an error as a person wants to read it: a refusal in its own
// words, with what each part was to be.
func plain(err error) string {
	var refused *fault.Error
	if !errors.As(err, &refused) || refused.Err != nil {
		return err.Error()
	}
	said := refused.Detail
	if len(refused.Fields) > 0 {
		said = strings.TrimSuffix(said, "; see errors.")
		for i, f := range refused.Fields {
			sign := ";"
			if i == 0 {
				sign = ":"
			}
			name := strings.TrimPrefix(strings.TrimPrefix(f.Location, "body."), "query.")
			said += sign + " " + name + ": " + strings.TrimSuffix(f.Message, ".")
		}
		said += "."
	}
	return said + " (" + string(refused.Code) + ")"
}

// where names the table that a command works on.
type where struct {
	Data     string `help:"Directory of the embedded store and the keys. A server may have it open." default:".lanyard" type:"path"`
	DynamoDB string `name:"dynamodb" help:"URL of a DynamoDB to use instead of the embedded store." placeholder:"URL"`
	Table    string `help:"Name of the table (LANYARD_TABLE)." placeholder:"NAME"`
}

// configuration reads the settings and lets the flags override them.
func (w *where) configuration(environ []string) (config.Config, error) {
	environ = append([]string{}, environ...)
	if w.DynamoDB != "" {
		environ = append(environ, config.Prefix+"DYNAMODB="+w.DynamoDB)
	}
	if w.Table != "" {
		environ = append(environ, config.Prefix+"TABLE="+w.Table)
	}
	cfg, err := config.Load(environ)
	if err != nil {
		return cfg, usage{err}
	}
	return cfg, nil
}

// ifAbsent is what a command does where nothing has been stored yet.
type ifAbsent int

const (
	refuseAbsent  ifAbsent = iota // it is for what is there: a mistyped directory must not look like an empty deployment
	makeAbsent                    // it makes what is not there
	pretendAbsent                 // it rehearses that, in memory
	reportAbsent                  // it looks for itself
)

// orRehearse is what a command that makes something does under --dry-run.
func (f dryRun) orRehearse() ifAbsent {
	if f.DryRun {
		return pretendAbsent
	}
	return makeAbsent
}

// open reads the configuration and opens the table.
func (w *where) open(ctx context.Context, environ []string, absent ifAbsent) (config.Config, *store, error) {
	cfg, err := w.configuration(environ)
	if err != nil {
		return cfg, nil, err
	}
	s, err := openStore(ctx, cfg, w.Data, absent)
	return cfg, s, err
}

// bound is how many there may be of something: 0 or more.
type bound int

// Validate refuses less; kong calls it.
func (b bound) Validate() error {
	if b < 0 {
		return errors.New("expected 0 or more")
	}
	return nil
}

// dryRun is the flag of commands that change something.
type dryRun struct {
	DryRun bool `help:"Say what would be done, and do nothing."`
}

// output is the flag of commands that show something.
type output struct {
	Output string `short:"o" help:"table for people, json for programs." enum:"table,json" default:"table"`
}

// show writes v as JSON, or rows under their headings.
func (o output) show(w io.Writer, v any, headings []string, rows [][]string) error {
	if o.Output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		return nil
	}
	for _, r := range rows {
		for i := range r {
			r[i] = printable(r[i])
		}
	}
	lines := tabulate(headings, rows)
	if columns := columnsOf(w); columns > 0 {
		lines = fit(lines, columns, headings, rows)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

// tabulate gives rows under their headings, one a line.
func tabulate(headings []string, rows [][]string) []string {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(headings, "\t"))
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	_ = t.Flush() // a buffer takes everything
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return lines
}

// columnsOf is how wide a terminal is, 0 for what is none.
func columnsOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// fit gives a table that a terminal would break as it can be read there: without
// the columns that say nothing or, if that is not enough, a field a line.
func fit(lines []string, columns int, headings []string, rows [][]string) []string {
	wide := func(lines []string) bool {
		return slices.ContainsFunc(lines, func(l string) bool { return utf8.RuneCountInString(l) > columns })
	}
	if !wide(lines) || len(rows) == 0 {
		return lines
	}
	says := func(cell string) bool { return cell != "" && cell != "-" }
	var some []int
	widest := 0
	for i, h := range headings {
		if slices.ContainsFunc(rows, func(r []string) bool { return says(r[i]) }) {
			some = append(some, i)
			widest = max(widest, utf8.RuneCountInString(h))
		}
	}
	of := func(cells []string) []string {
		out := make([]string, len(some))
		for n, i := range some {
			out[n] = cells[i]
		}
		return out
	}
	fewer := make([][]string, len(rows))
	for i, r := range rows {
		fewer[i] = of(r)
	}
	if lines = tabulate(of(headings), fewer); !wide(lines) {
		return lines
	}
	lines = nil
	for i, r := range rows {
		if i > 0 {
			lines = append(lines, "")
		}
		for _, n := range some {
			if says(r[n]) {
				lines = append(lines, fmt.Sprintf("%-*s  %s", widest, headings[n], r[n]))
			}
		}
	}
	return lines
}

// say writes one thing that was done: v as JSON, or a sentence.
func (o output) say(w io.Writer, v any, format string, args ...any) error {
	if o.Output == "json" {
		return o.show(w, v, nil, nil)
	}
	if _, err := fmt.Fprintf(w, format+"\n", args...); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// printable replaces what could move the cursor or start a new row: what users
// chose, such as a user agent, is shown on an operator's terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return '\ufffd'
		}
		return r
	}, s)
}
