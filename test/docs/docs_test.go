// Package docs runs the commands of the documents as printed, each page
// against a Lanyard of its own, and holds printed answers and code to what is
// really there.
//
// In README.md and docs/*.md:
//   - a block of sh is run by bash, all of a page in one shell, in an empty
//     directory, with the built lanyard first in PATH; 127.0.0.1:8080 is the
//     page's own server, with the example organization filled in;
//   - a block of text or json after one of sh is what that one prints; … stands
//     for anything within a line, a line of … for any lines;
//   - a block of go or js is part of the file that the comment above it names:
//     <!-- file: examples/leads/main.go -->;
//   - <!-- not run: why --> above a block exempts it;
//   - <!-- server: none --> on the page means that it starts its own, on ports
//     of 127.0.0.1 from 18480 to 18489, for which free ones are taken;
//   - <!-- run by: cmd/lanyard/x_test.go --> means that another test runs the
//     page's commands, with files that they need.
package docs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// block is one fenced block of a page.
type block struct {
	line    int
	lang    string
	text    string
	comment string // the one directly above, without its marks
}

// page is a document.
type page struct {
	name   string
	server string // "demo", or "none"
	runBy  string // the test that runs its commands, if not this one
	blocks []block
}

func read(t *testing.T, path string) page {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := page{name: filepath.Base(path), server: "demo"}
	var open *block
	above := ""
	for i, line := range strings.Split(string(raw), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case open != nil && trimmed == "```":
			p.blocks = append(p.blocks, *open)
			open, above = nil, ""
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(trimmed, "```"):
			open = &block{line: i + 1, lang: strings.TrimPrefix(trimmed, "```"), comment: above}
		case strings.HasPrefix(trimmed, "<!--"):
			above = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(trimmed, "<!--"), "-->"))
			if s, ok := strings.CutPrefix(above, "server: "); ok {
				p.server = s
			}
			if s, ok := strings.CutPrefix(above, "run by: "); ok {
				p.runBy = s
			}
		case trimmed != "":
			above = ""
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the block is not closed", p.name, open.line)
	}
	return p
}

func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(found, root+"/README.md")
}

// build gives a directory with the built lanyard.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(bin, "lanyard"), "./cmd/lanyard")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

func TestCommandsOfTheDocumentsWorkAsPrinted(t *testing.T) {
	bin := build(t)
	ran := 0
	for _, path := range pages(t) {
		p := read(t, path)
		script := p.script()
		if script == "" {
			continue
		}
		if p.runBy != "" {
			raw, err := os.ReadFile(filepath.Join(root, p.runBy))
			if err != nil || !strings.Contains(string(raw), p.name) {
				t.Errorf("%s: %s does not run it: %v", p.name, p.runBy, err)
			}
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			dir := t.TempDir()
			env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "LANYARD_BCRYPT_COST=4", "NO_COLOR=1", "HOME="+dir)
			if p.server == "demo" {
				origin := serve(t, filepath.Join(bin, "lanyard"), env)
				script = strings.ReplaceAll(script, "http://127.0.0.1:8080", origin)
			}
			script = freePorts(t, script)
			// Without pipefail, as in the shell that readers paste into.
			cmd := exec.Command("bash", "-eu", "-c", script)
			cmd.Dir, cmd.Env = dir, env
			var out, failed bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &failed
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s\n%s", err, &out, &failed)
			}
			p.compare(t, out.String())
		})
		ran++
	}
	if ran == 0 {
		t.Fatalf("no page has commands")
	}
}

// freePorts puts free ports in the place of those that a page's own servers have.
func freePorts(t *testing.T, script string) string {
	t.Helper()
	taken := map[string]string{}
	return regexp.MustCompile(`127\.0\.0\.1:1848[0-9]`).ReplaceAllStringFunc(script, func(printed string) string {
		if taken[printed] == "" {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			taken[printed] = l.Addr().String()
		}
		return taken[printed]
	})
}

// mark separates what the blocks print.
const mark = "----- end of block %d -----"

// script gives the page's commands, each block followed by a mark.
func (p page) script() string {
	var b strings.Builder
	for i, k := range p.blocks {
		if k.lang == "sh" && !strings.HasPrefix(k.comment, "not run:") {
			fmt.Fprintf(&b, "%s\nprintf '\\n%s\\n'\n", k.text, fmt.Sprintf(mark, i))
		}
	}
	return b.String()
}

// compare holds what was printed to the blocks that say so.
func (p page) compare(t *testing.T, out string) {
	t.Helper()
	for i, k := range p.blocks {
		if k.lang != "sh" || strings.HasPrefix(k.comment, "not run:") {
			continue
		}
		printed, rest, ok := strings.Cut(out, fmt.Sprintf("\n"+mark+"\n", i))
		if !ok {
			t.Fatalf("%s:%d: no end of the block in %q", p.name, k.line, out)
		}
		out = rest
		if i+1 == len(p.blocks) || (p.blocks[i+1].lang != "text" && p.blocks[i+1].lang != "json") {
			continue
		}
		if want := p.blocks[i+1]; !pattern(want.text).MatchString(strings.TrimSpace(printed)) {
			t.Errorf("%s:%d: printed was\n%s\nand the page says\n%s", p.name, k.line, printed, want.text)
		}
	}
}

// pattern makes an expression of what a page says is printed.
func pattern(text string) *regexp.Regexp {
	s := regexp.QuoteMeta(strings.TrimSpace(text))
	s = regexp.MustCompile(`(?m)^\s*…$`).ReplaceAllString(s, `(?s:.*?)`)
	s = strings.ReplaceAll(s, "…", `[^\n]*?`)
	return regexp.MustCompile(`\A` + s + `\z`)
}

// serve runs a server with the example and gives its origin.
func serve(t *testing.T, binary string, env []string) string {
	t.Helper()
	cmd := exec.Command(binary, "serve", "--demo", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"), "--log", "json")
	cmd.Env = env
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended already
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct{ Msg, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
			return line.URL
		}
	}
	t.Fatal("the server did not say where it listens")
	return ""
}

func TestCodeInTheDocumentsIsPartOfWhatIsTested(t *testing.T) {
	for _, path := range pages(t) {
		p := read(t, path)
		for _, k := range p.blocks {
			if k.lang != "go" && k.lang != "js" && k.lang != "html" {
				continue
			}
			file, ok := strings.CutPrefix(k.comment, "file: ")
			if !ok {
				t.Errorf("%s:%d: no file is named for this %s", p.name, k.line, k.lang)
				continue
			}
			raw, err := os.ReadFile(filepath.Join(root, file))
			if errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s:%d: there is no %s", p.name, k.line, file)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(squeeze(string(raw)), squeeze(k.text)) {
				t.Errorf("%s:%d: this is not in %s", p.name, k.line, file)
			}
		}
	}
}

// squeeze drops what indentation may differ in.
func squeeze(s string) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]*)(#[^)]*)?\)`)
	for _, path := range append(pages(t), root+"/CONTRIBUTING.md", root+"/SECURITY.md") {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(raw), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			target := path
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(path), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", filepath.Base(path), m[1])
			} else if m[2] != "" && !anchors(t, target)[m[2]] {
				t.Errorf("%s: %s has no %s", filepath.Base(path), filepath.Base(target), m[2])
			}
		}
	}
}

// anchors gives the headings of a page as links name them: in lower case, without
// punctuation, with hyphens for spaces.
func anchors(t *testing.T, path string) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(raw), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		out["#"+strings.ReplaceAll(name, " ", "-")] = true
	}
	return out
}
