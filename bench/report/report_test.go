package main

import (
	"strings"
	"testing"
)

const printed = `goos: linux
BenchmarkMapHit-2   	 1000	 200.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkMapHit-2   	 1000	 100.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkMapHit-2   	 1000	 400.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkService/sign-in-2 	 300	 9492691 ns/op	 4546639 p50-ns	 153216649 p99-ns
PASS
`

func TestMediansAndSpreadsAreOfWhatWasPrinted(t *testing.T) {
	b := benches{}
	if err := b.parse("pkg/token", printed); err != nil {
		t.Fatal(err)
	}
	f, ok := b.get("pkg/token MapHit", "ns/op")
	if !ok || f != (figure{200, 100, 400, 3}) || f.String() != "200 ns (100 ns – 400 ns)" {
		t.Errorf("%+v %v", f, f)
	}
	if f, ok := b.get("pkg/token Service/sign-in", "p50-ns"); !ok || f.String() != "4.55 ms" {
		t.Errorf("%v", f)
	}
	if _, ok := b.get("pkg/token Other", "ns/op"); ok {
		t.Error("a figure of nothing")
	}
	for _, bad := range []string{"", "PASS\n", "BenchmarkX-2 100 fast ns/op\n"} {
		if err := (benches{}).parse("x", bad); err == nil {
			t.Errorf("%q is taken for measurements", bad)
		}
	}
}

// A figure that was not measured is no figure: the document is not written.
func TestADocumentWithoutItsFiguresFails(t *testing.T) {
	d := &document{o: options{mostUsers: 1000}, benches: benches{}}
	if _, err := d.text(t.Context()); err == nil || !strings.Contains(err.Error(), "CheckCached was not measured") {
		t.Errorf("%v", err)
	}
}
