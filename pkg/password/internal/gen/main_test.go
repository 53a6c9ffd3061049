package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDigestFoldsSortsAndBounds(t *testing.T) {
	var list strings.Builder
	list.WriteString("short\nLongPassword12\nlongpassword12\nbroken\xffbroken\xff\n")
	for i := range shortCount + 10 {
		fmt.Fprintf(&list, "s%08d\n", i)
	}
	got, err := digest(strings.NewReader(list.String()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got) / digestBytes; n != shortCount+1 {
		t.Fatalf("%d digests, want %d", n, shortCount+1)
	}
	for i := digestBytes; i < len(got); i += digestBytes {
		if bytes.Compare(got[i-digestBytes:i], got[i:i+digestBytes]) >= 0 {
			t.Fatal("not sorted")
		}
	}
}

func TestRunWritesTheList(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "list.txt"), filepath.Join(dir, "out.bin")
	if err := run(in, out); err == nil {
		t.Fatal("no list, no error")
	}
	if err := os.WriteFile(in, []byte("correcthorsebattery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(in, out); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(out); err != nil || len(b) != digestBytes {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
}
