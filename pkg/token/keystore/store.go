package keystore

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

// Store is a source whose ring can be replaced.
type Store interface {
	token.Source
	// Update replaces the ring by what change makes of it, with nobody else's
	// update in between, and gives the new one. An error of change leaves the
	// ring as it was. change may be called more than once.
	Update(ctx context.Context, change func(*token.Ring) (*token.Ring, error)) (*token.Ring, error)
}

// FromString reads a ring from the text of an environment variable or
// parameter: the JSON of token.Ring.Marshal, or its standard base64.
func FromString(s string) (*token.Ring, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, fmt.Errorf("%w: the key ring is empty", token.ErrUnavailable)
	}
	raw := []byte(s)
	if s[0] != '{' {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(s); err != nil {
			return nil, fmt.Errorf("%w: the key ring is neither JSON nor base64", token.ErrUnavailable)
		}
	}
	ring, err := token.ParseRing(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", token.ErrUnavailable, err)
	}
	return ring, nil
}
