package main

import (
	"os"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/config"
)

// settings gives the assignments of a systemd file, without its comments.
func settings(t *testing.T, path string) (out []string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); strings.Contains(line, "=") && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

func TestTheSystemdUnitStartsWhatThereIs(t *testing.T) {
	var c commands
	k, err := parser(t.Context(), &process{}, &c)
	if err != nil {
		t.Fatal(err)
	}
	started := false
	for _, s := range settings(t, "../../deploy/systemd/lanyard.service") {
		if line, ok := strings.CutPrefix(s, "ExecStart="); ok {
			started = true
			if _, err := k.Parse(strings.Fields(line)[1:]); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	if !started || c.Serve.Data != "/var/lib/lanyard" || c.Serve.Log != "json" {
		t.Errorf("it starts %+v", c.Serve)
	}
	cfg, err := config.Load(settings(t, "../../deploy/systemd/lanyard.env"))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Local() || len(cfg.TrustedProxies) != 1 || cfg.Mail.Sender != "smtp" {
		t.Errorf("its settings are %+v", cfg.Mail)
	}
	if _, err := mailServer(cfg); err != nil {
		t.Error(err)
	}
}
