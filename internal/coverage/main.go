// Command coverage prints the statement coverage of a profile, counted over
// all of its packages, and fails below a bound. A block that several test
// binaries report counts once, covered when any of them ran it.
package main

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

type count struct{ all, covered int }

func (c count) percent() float64 {
	if c.all == 0 {
		return 100
	}
	return 100 * float64(c.covered) / float64(c.all)
}

func main() {
	profile := flag.String("profile", "coverage.out", "profile of go test -coverprofile")
	least := flag.Float64("least", 0, "fail below so many percent")
	flag.Parse()
	total, byPackage, err := read(*profile)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	names := slices.SortedFunc(maps.Keys(byPackage), func(a, b string) int { return cmp.Compare(byPackage[a].percent(), byPackage[b].percent()) })
	for _, n := range names {
		fmt.Printf("%6.1f %%  %s\n", byPackage[n].percent(), n)
	}
	fmt.Printf("%6.1f %%  in all\n", total.percent())
	if total.percent() < *least {
		fmt.Printf("that is below %.1f %%\n", *least)
		os.Exit(1)
	}
}

// read counts statements by package. A line is "file:from,to statements times".
func read(name string) (count, map[string]count, error) {
	f, err := os.Open(name)
	if err != nil {
		return count{}, nil, err
	}
	defer f.Close()
	type block struct {
		statements int
		ran        bool
	}
	blocks := map[string]block{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			continue
		}
		n, err1 := strconv.Atoi(fields[1])
		times, err2 := strconv.Atoi(fields[2])
		if err1 != nil || err2 != nil {
			return count{}, nil, fmt.Errorf("not a coverage line: %q", lines.Text())
		}
		blocks[fields[0]] = block{n, blocks[fields[0]].ran || times > 0}
	}
	total, byPackage := count{}, map[string]count{}
	for where, b := range blocks {
		file, _, _ := strings.Cut(where, ":")
		c := byPackage[path.Dir(file)]
		c.all += b.statements
		total.all += b.statements
		if b.ran {
			c.covered += b.statements
			total.covered += b.statements
		}
		byPackage[path.Dir(file)] = c
	}
	return total, byPackage, lines.Err()
}
