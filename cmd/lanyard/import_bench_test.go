package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// BenchmarkImport imports users with password hashes and personal organizations
// into an embedded store that is on disk and synced, with the program itself in a
// process of its own, and then the same file again. BENCH_USERS is how
// many (10,000 otherwise). It reports the time and the process's peak of resident
// memory, which counts the pages of the store that it has mapped.
func BenchmarkImport(b *testing.B) {
	users := 10_000
	if s := os.Getenv("BENCH_USERS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		users = n
	}
	dir := b.TempDir()
	bin, file := filepath.Join(dir, "lanyard"), filepath.Join(dir, "users.jsonl")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	writeUsers(b, file, users)
	run := func(b *testing.B, data string, args ...string) (time.Duration, float64) {
		b.Helper()
		cmd := exec.Command(bin, append(args, "--data", data)...)
		start := time.Now()
		out, err := cmd.CombinedOutput()
		took := time.Since(start)
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		peak := 0.0
		if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			peak = float64(u.Maxrss) / 1024 // Linux counts in kilobytes
		}
		return took, peak
	}
	for i := 0; b.Loop(); i++ {
		data := filepath.Join(dir, strconv.Itoa(i))
		for _, step := range []struct {
			name string
			args []string
		}{
			{"import", []string{"import", "users", file, "--personal-organizations"}},
			{"again", []string{"import", "users", file, "--personal-organizations"}},
			{"export", []string{"export", "--with-secrets", filepath.Join(dir, "backup.jsonl")}},
			{"rollback", []string{"import", "batch", "--rollback", "bench"}},
		} {
			if step.name == "import" || step.name == "again" {
				step.args = append(step.args, "--batch", "bench")
			}
			took, peak := run(b, data, step.args...)
			b.ReportMetric(took.Seconds(), step.name+"-s")
			b.ReportMetric(peak, step.name+"-peak-MB")
		}
	}
	b.ReportMetric(float64(users), "users")
}

// writeUsers writes a file of users.
func writeUsers(b *testing.B, path string, n int) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		fmt.Fprintf(w, `{"id":"%d","email":"user%d@bench.example","emailVerified":true,"profile":{"firstName":"User","lastName":"%d"},`+
			`"passwordHash":"$2b$12$YFtZALwlkI5hoRLWVN0YP.J9cAmmXpgd37cd170KYpBBl.QZrzlTe"}`+"\n", i, i, i)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}
