package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a lanyard that was started for the run.
type server struct {
	cmd *exec.Cmd
	url string
	dir string
}

// start runs `lanyard serve` on a free port and an empty directory, and waits
// until it answers.
func start(ctx context.Context, o options) (*server, error) {
	dir, err := os.MkdirTemp("", "lanyard-load-")
	if err != nil {
		return nil, fmt.Errorf("directory for the store: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	s := &server{url: "http://" + address, dir: dir}
	s.cmd = exec.CommandContext(ctx, o.serve, "serve", "--listen", address, "--data", filepath.Join(dir, "data"), "--log", "json")
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 20 * time.Second
	s.cmd.Env = append(os.Environ(), "LANYARD_THROTTLE=off", "LANYARD_PUBLIC_URL="+s.url, "LANYARD_BCRYPT_COST="+strconv.Itoa(o.bcrypt))
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", o.serve, err), log.Close())
	}
	for range 200 {
		if req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/healthz", nil); err == nil {
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
				return s, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("%s does not answer; its log is in %s", s.url, dir), s.cmd.Cancel())
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// end stops the server and removes its store.
func (s *server) end() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already, which Wait tells
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the server: %w; its log is in %s", err, s.dir)
	}
	return os.RemoveAll(s.dir)
}

// peakMemory is the most memory that a process has had resident (proc_pid_status(5),
// VmHWM); 0 where that cannot be known.
func peakMemory(pid int) int64 {
	if pid == 0 {
		return 0
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}
