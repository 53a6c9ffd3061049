package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// result is what came of one command line.
type result struct {
	code     int
	out, err string
}

// lanyard runs a command line in this process.
func lanyard(t *testing.T, in string, args ...string) result {
	t.Helper()
	return lanyardIn(t.Context(), environ(), in, args...)
}

func lanyardIn(ctx context.Context, environ []string, in string, args ...string) result {
	var out, errs bytes.Buffer
	code := make(chan int, 1)
	p := &process{environ: environ, in: strings.NewReader(in), out: &out, err: &errs}
	p.exit = func(c int) { code <- c; runtime.Goexit() }
	go func() { code <- execute(ctx, args, p) }()
	return result{<-code, out.String(), errs.String()}
}

// want checks the exit code.
func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\n%s%s", r.code, code, r.out, r.err)
	}
	return r
}

// says checks for words on standard output and in the errors.
func (r result) says(t *testing.T, words ...string) result {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(r.out+r.err, w) {
			t.Errorf("not said: %q in\n%s%s", w, r.out, r.err)
		}
	}
	return r
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	var c commands
	k, err := parser(t.Context(), &process{}, &c)
	if err != nil {
		t.Fatal(err)
	}
	var leaves func(*kong.Node)
	seen := 0
	leaves = func(n *kong.Node) {
		for _, child := range n.Children {
			leaves(child)
		}
		if n.Type != kong.CommandNode || !n.Leaf() || n.Name == "completion" {
			return
		}
		seen++
		if n.Help == "" || !strings.Contains(n.Detail, "lanyard "+n.Path()) && !strings.Contains(n.Detail, n.FullPath()) {
			t.Errorf("%s: help %q, detail without an example: %q", n.FullPath(), n.Help, n.Detail)
		}
	}
	leaves(k.Model.Node)
	if seen < 5 {
		t.Errorf("%d commands", seen)
	}
}

func TestHelpAndVersionEndTheCommand(t *testing.T) {
	lanyard(t, "", "--help").want(t, exitDone).says(t, "Exit codes: 0 done", "serve", "completion")
	lanyard(t, "", "export", "--help").want(t, exitDone).says(t, "lanyard export --with-secrets backup.jsonl")
	if got := lanyard(t, "", "--version").want(t, exitDone).out; got != version+"\n" {
		t.Errorf("version %q", got)
	}
}

func TestWrongUseIsToldApartFromFailure(t *testing.T) {
	dir := withAdmin(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no command":      {nil, exitUsage, "expected one of"},
		"unknown command": {[]string{"bake"}, exitUsage, "unexpected argument bake"},
		"unknown flag":    {[]string{"export", "--nosuch"}, exitUsage, "unknown flag --nosuch"},
		"missing flag":    {[]string{"admin", "create"}, exitUsage, "--email"},
		"less than none":  {[]string{"admin", "list", "--users", "--limit=-3", "--data", dir}, exitUsage, "0 or more"},
		"negative pace":   {[]string{"export", "--rate=-5", "--data", dir}, exitUsage, "0 or more"},
		"no such type":    {[]string{"audit", "search", "--type", "session.signin_failed", "--data", dir}, exitUsage, "session.sign_in_failed"},
		"no such area":    {[]string{"audit", "search", "--type", "login", "--data", dir}, exitUsage, "session.…"},
		"no time between": {[]string{"audit", "search", "--since", "7d", "--until", "30d", "--data", dir}, exitUsage, "--until"},
		"no such version": {[]string{"migrate", "up", "--to", "99", "--data", dir}, exitUsage, "0 to"},
		"nor that":        {[]string{"migrate", "down", "--to=-1", "--data", dir}, exitUsage, "0 to"},
		"no such key":     {[]string{"keys", "retire", "nope", "--data", dir}, exitRefused, "nope"},
		"no such secret":  {[]string{"keys", "retire", "--secret", "99", "--dry-run", "--data", dir}, exitRefused, "99"},
		"current secret":  {[]string{"keys", "retire", "--secret", "1", "--data", dir}, exitRefused, "rotate first"},
		"no address":      {[]string{"serve", "--listen", "nope", "--memory"}, exitUsage, "--listen"},
		"no port":         {[]string{"db", "--listen", "127.0.0.1:99999", "--memory"}, exitUsage, "--listen"},
		"has an account":  {[]string{"admin", "create", "--email", "root@example.com", "--data", dir}, exitRefused, "lanyard admin role root@example.com ADMIN"},
		"weak password":   {[]string{"admin", "create", "--email", "b@example.com", "--data", dir}, exitUsage, "policy: password: The password must"},
		"failure":         {[]string{"export", "--data", dir, dir + "/nowhere/x"}, exitFailed, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			in := "a phrase nobody has used before\n"
			if name == "weak password" {
				in = ""
			}
			lanyard(t, in, c.args...).want(t, c.code).says(t, c.says)
		})
	}
	lanyardIn(t.Context(), []string{"LANYARD_NOSUCH=1"}, "", "export", "--data", dir).want(t, exitUsage).says(t, "LANYARD_NOSUCH")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	lanyardIn(ended, environ(), "", "export", "--data", dir).want(t, exitInterrupted)
}

func TestWordsThatManyTryFirstAreUnderstood(t *testing.T) {
	lanyard(t, "", "help").want(t, exitDone).says(t, "Exit codes", "migrate up")
	lanyard(t, "", "help", "keys", "rotate").want(t, exitDone).says(t, "lanyard keys rotate --dry-run")
	lanyard(t, "", "version").want(t, exitDone).says(t, version)
}

func TestACommandForWhatIsThereMakesNothing(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "users.jsonl")
	if err := os.WriteFile(file, []byte(`{"id":"7","email":"ann@team.example"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(dir, "mistyped")
	for _, args := range [][]string{
		{"admin", "list"}, {"admin", "list", "--users"}, {"admin", "suspend", "ann@team.example"}, {"admin", "role", "ann@team.example", "ADMIN"},
		{"keys", "list"}, {"keys", "rotate", "--force"}, {"keys", "retire", "x"}, {"audit", "search"}, {"audit", "export"}, {"audit", "tail"},
		{"mail", "list"}, {"mail", "resend", "--dead"}, {"export"}, {"export", "--with-secrets", filepath.Join(dir, "backup.jsonl")},
		{"import", "users", file, "--verify"}, {"import", "batch", "--rollback", "b"},
		{"migrate", "status"}, {"migrate", "verify"}, {"migrate", "down", "--to", "1"},
	} {
		got := lanyard(t, "", append(args, "--data", nowhere)...).want(t, exitRefused).says(t, "there is no "+nowhere, "--data")
		if got.out != "" {
			t.Errorf("%v said %q", args, got.out)
		}
	}
	// What would make a deployment can be rehearsed without one.
	lanyard(t, "", "import", "users", file, "--dry-run", "--data", nowhere).want(t, exitDone).says(t, "1 would be imported")
	lanyard(t, "a phrase nobody has used before\n", "admin", "create", "--email", "root@example.com", "--dry-run", "--data", nowhere).want(t, exitDone)
	lanyard(t, "", "migrate", "up", "--dry-run", "--data", nowhere).want(t, exitDone)
	if made, err := os.ReadDir(dir); err != nil || len(made) != 1 {
		t.Errorf("made: %v, %v", made, err)
	}

	data := withAdmin(t)
	lanyard(t, "", "admin", "list", "--data", data, "--table", "lanyrad").want(t, exitRefused).says(t, "no table lanyrad")
	if err := os.Rename(filepath.Join(data, keysFile), filepath.Join(data, "aside")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"keys", "list"}, {"admin", "list"}, {"export", "--with-secrets"}} {
		lanyard(t, "", append(args, "--data", data)...).want(t, exitRefused).says(t, "keys.json")
	}
	if _, err := os.Stat(filepath.Join(data, keysFile)); err == nil {
		t.Error("a key ring was made beside data that another has sealed")
	}
}

func TestExitCodesClassFaults(t *testing.T) {
	for code, err := range map[int]error{
		exitRefused: fmt.Errorf("suspend: %w", fault.New(fault.CodeLastAdmin, "The last one stays.")),
		exitUsage:   fault.Invalidf("body.email", "expected an address"),
		exitFailed:  fault.Wrap(fault.CodeUnavailable, errors.New("no answer")),
		exitWanting: fmt.Errorf("doctor: %w", wanting{errors.New("no table")}),
	} {
		if got := exitCode(t.Context(), err); got != code {
			t.Errorf("%v: exit code %d, want %d", err, got, code)
		}
	}
	if got := plain(fault.Invalidf("body.email", "expected an address")); !strings.HasSuffix(got, ": email: expected an address. (validation_failed)") {
		t.Errorf("said %q", got)
	}
}

func TestWhatUsersChoseCannotMoveTheCursor(t *testing.T) {
	var out bytes.Buffer
	err := output{Output: "table"}.show(&out, nil, []string{"AGENT"}, [][]string{{"curl\x1b[2J\nroot\u202e"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "AGENT\ncurl\ufffd[2J\ufffdroot\ufffd\n" {
		t.Errorf("printed %q", got)
	}
}

func TestCompletionScriptsNameTheBinary(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		lanyard(t, "", "completion", "--code", shell).want(t, exitDone).says(t, "lanyard")
	}
	t.Setenv("COMP_LINE", "lanyard adm")
	t.Setenv("COMP_POINT", "11")
	if got := lanyard(t, "", "").want(t, exitDone).out; strings.TrimSpace(got) != "admin" {
		t.Errorf("completed to %q", got)
	}
}

func TestATableFitsItsTerminal(t *testing.T) {
	headings := []string{"ID", "EMAIL", "USERNAME", "STATUS"}
	rows := [][]string{{"01995b2c-8f00-7000-8000-000000000000", "jürgen@example.com", "-", "active"}, {"01995b2c-8f00-7000-8000-000000000001", "-", "-", "pending"}}
	all := tabulate(headings, rows)
	for columns, want := range map[int][]string{
		80: all,
		70: {
			"ID                                    EMAIL               STATUS", "01995b2c-8f00-7000-8000-000000000000  jürgen@example.com  active",
			"01995b2c-8f00-7000-8000-000000000001  -                   pending",
		},
		40: {
			"ID      01995b2c-8f00-7000-8000-000000000000", "EMAIL   jürgen@example.com", "STATUS  active", "",
			"ID      01995b2c-8f00-7000-8000-000000000001", "STATUS  pending",
		},
	} {
		if got := fit(all, columns, headings, rows); !slices.Equal(got, want) {
			t.Errorf("%d columns:\n%s\nwant\n%s", columns, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if columnsOf(&bytes.Buffer{}) != 0 {
		t.Error("a buffer is as wide as a terminal")
	}
}
