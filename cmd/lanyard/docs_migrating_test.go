package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// fenced finds the blocks of a page: their language, a file name, the text.
var fenced = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")

var endsWith = regexp.MustCompile(`# ends with (\d+)`)

// TestThePageOnMigratingWorks writes the files of the page and runs its commands
// in order, in a directory with the samples of every system.
func TestThePageOnMigratingWorks(t *testing.T) {
	page, err := os.ReadFile("../../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := samples(t)
	t.Chdir(dir)
	run := map[string]int{}
	for _, m := range fenced.FindAllStringSubmatch(string(page), -1) {
		language, name, text := m[1], m[2], m[3]
		if name != "" {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if language != "sh" {
			continue
		}
		for line := range strings.Lines(text) {
			code := exitDone
			if m := endsWith.FindStringSubmatch(line); m != nil {
				code, _ = strconv.Atoi(m[1])
			}
			command, _, _ := strings.Cut(strings.TrimSpace(line), " #")
			args := strings.Fields(command)
			if len(args) < 2 || args[0] != "lanyard" {
				t.Errorf("%q is not a command of lanyard", command)
				continue
			}
			if r := lanyard(t, "", args[1:]...); r.code != code {
				t.Errorf("%s: exit code %d, want %d\n%s%s", command, r.code, code, r.out, r.err)
			}
			run[args[1]]++
		}
	}
	for _, command := range []string{"import", "export", "restore", "migrate"} {
		if run[command] == 0 {
			t.Errorf("the page has no lanyard %s", command)
		}
	}
	if run["import"] < 15 {
		t.Errorf("only %d imports", run["import"])
	}
}

// TestTheExamplesOfTheHelpsAreCommands parses the examples of import, export,
// restore and migrate.
func TestTheExamplesOfTheHelpsAreCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"backup.jsonl", "hash.txt"} { // flags ask that they are there
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for _, help := range []string{importCommand{}.Help(), exportCommand{}.Help(), restoreCommand{}.Help(), migrateUpCommand{}.Help(),
		migrateDownCommand{}.Help(), migrateStatusCommand{}.Help(), migrateVerifyCommand{}.Help()} {
		for line := range strings.Lines(help) {
			command, ok := strings.CutPrefix(line, "  lanyard ")
			if !ok {
				continue
			}
			command, _, _ = strings.Cut(command, "|")
			var c commands
			k, err := parser(t.Context(), &process{}, &c)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := k.Parse(strings.Fields(command)); err != nil {
				t.Errorf("lanyard %s: %v", command, err)
			}
			seen++
		}
	}
	if seen < 10 {
		t.Errorf("only %d examples", seen)
	}
}
