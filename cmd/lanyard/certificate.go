package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is the server's certificate. Files that were renewed are taken
// over while it serves: certificates live for weeks, servers longer.
type certificate struct {
	cert, key string
	now       func() time.Time
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamp   time.Time // of the files that current was read from
	looked  time.Time
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = 30 * time.Second

// newCertificate reads the certificate.
func newCertificate(cert, key string, now func() time.Time, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, now: now, log: log, looked: now()}
	var err error
	if c.stamp, err = c.changed(); err != nil {
		return nil, err
	}
	if c.current, err = c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// changed gives the time of the later change of the two files.
func (c *certificate) changed() (time.Time, error) {
	var latest time.Time
	for _, name := range []string{c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return time.Time{}, fmt.Errorf("certificate: %w", err)
		}
		if info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest, nil
}

func (c *certificate) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return &pair, nil
}

// get is tls.Config.GetCertificate. Files that cannot be read, or of which only
// one is new yet, leave the certificate as it is.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked) < lookEvery {
		return c.current, nil
	}
	c.looked = now
	stamp, err := c.changed()
	if err == nil && stamp.Equal(c.stamp) {
		return c.current, nil
	}
	next := c.current
	if err == nil {
		next, err = c.read()
	}
	if err != nil {
		c.log.Warn("the renewed certificate cannot be used yet", "error", err.Error())
		return c.current, nil
	}
	c.current, c.stamp = next, stamp
	c.log.Info("certificate renewed", "until", next.Leaf.NotAfter)
	return c.current, nil
}
