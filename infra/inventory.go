package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// inventory is api/operations.json: what the code says of itself.
type inventory struct {
	Index        string      `json:"index"`
	TTL          string      `json:"ttl"`
	Namespace    string      `json:"metricsNamespace"`
	Metrics      []metricSet `json:"metrics"`
	CORS         cors        `json:"cors"`
	Authorizer   []grant     `json:"authorizer"`
	Mailer       []grant     `json:"mailer"`
	MailerFilter string      `json:"mailerFilter"`
	Operations   []operation `json:"operations"`
}

type operation struct {
	ID      string  `json:"id"`
	Method  string  `json:"method"`
	Path    string  `json:"path"`
	Access  string  `json:"access"`
	Hashes  bool    `json:"hashes"`
	Secrets bool    `json:"secrets"`
	Seals   bool    `json:"seals"`
	Opens   bool    `json:"opens"`
	Policy  []grant `json:"policy"`
}

// metricSet is metrics that requests are counted in, with the same dimensions.
type metricSet struct {
	Dimensions []string `json:"dimensions"`
	Metrics    []string `json:"metrics"`
}

// cors is what pages of listed origins may send and read.
type cors struct {
	Methods []string `json:"methods"`
	Headers []string `json:"headers"`
	Exposed []string `json:"exposed"`
	MaxAge  float64  `json:"maxAge"`
}

// grant allows actions on items whose leading keys match one of the patterns.
type grant struct {
	Actions []string `json:"actions"`
	Keys    []string `json:"keys"`
	Index   bool     `json:"index"`
}

func readInventory(path string) (*inventory, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	var v inventory
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("read inventory %s: %w", path, err)
	}
	if len(v.Operations) == 0 {
		return nil, fmt.Errorf("inventory %s has no operations", path)
	}
	return &v, nil
}
