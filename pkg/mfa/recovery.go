package mfa

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

const (
	recoveryCodes = 10
	recoveryChars = 12 // of 32: 60 bits
	groupChars    = 4
)

// recoveryAlphabet is Crockford's base 32: no i, l, o or u.
const recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// recoveryItem is the unused recovery codes in the table: their hashes by slot.
// Using one up removes its slot.
type recoveryItem struct {
	table.Key
	Codes     map[string]string `dynamo:"codes"`
	CreatedAt table.Time        `dynamo:"createdAt"`
}

// newRecoveryCodes draws a full set, as people see it: abcd-efgh-jkmn.
func newRecoveryCodes(rand io.Reader) ([]string, error) {
	out := make([]string, recoveryCodes)
	for i := range out {
		var b [recoveryChars]byte
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return nil, fmt.Errorf("draw recovery code: %w", err)
		}
		var s strings.Builder
		for j, c := range b {
			if j > 0 && j%groupChars == 0 {
				s.WriteByte('-')
			}
			s.WriteByte(recoveryAlphabet[c%32])
		}
		out[i] = s.String()
	}
	return out, nil
}

// normalizeRecovery undoes what people do to a code: upper case, spaces, and
// the letters that the alphabet leaves out because they look like digits.
func normalizeRecovery(typed string) (string, bool) {
	var s strings.Builder
	for _, c := range []byte(typed) {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		switch c {
		case '-', ' ':
			continue
		case 'o':
			c = '0'
		case 'i', 'l':
			c = '1'
		}
		if strings.IndexByte(recoveryAlphabet, c) < 0 {
			return "", false
		}
		s.WriteByte(c)
	}
	return s.String(), s.Len() == recoveryChars
}

// recoveryHash is "version:hex HMAC-SHA-256" over user and code. The key keeps
// somebody who holds the table alone from trying codes out.
func recoveryHash(key token.DerivedKey, userID, code string) string {
	m := hmac.New(sha256.New, key.Key[:])
	m.Write([]byte(userID))
	m.Write([]byte{0})
	m.Write([]byte(code))
	return strconv.Itoa(int(key.Version)) + ":" + hex.EncodeToString(m.Sum(nil))
}

// recoveryKeys gives the keys that codes are hashed with.
func (s *Service) recoveryKeys(ctx context.Context) (token.DerivedKeys, error) {
	ring, err := s.Keys.Load(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.CodeUnavailable, fmt.Errorf("hash recovery codes: %w", err))
	}
	keys, err := ring.Derive(token.PurposeRecoveryCodes)
	if err != nil {
		return nil, fault.Wrap(fault.CodeUnavailable, err)
	}
	return keys, nil
}

// freshRecoveryCodes gives a new set for the user to keep, and the item that
// replaces the old one.
func (s *Service) freshRecoveryCodes(ctx context.Context, userID string) ([]string, recoveryItem, error) {
	codes, err := newRecoveryCodes(s.Rand)
	if err != nil {
		return nil, recoveryItem{}, err
	}
	keys, err := s.recoveryKeys(ctx)
	if err != nil {
		return nil, recoveryItem{}, err
	}
	it := recoveryItem{Key: table.RecoveryCodes(userID), Codes: map[string]string{}, CreatedAt: table.At(s.Now())}
	for i, c := range codes {
		plain, _ := normalizeRecovery(c)
		it.Codes["c"+strconv.Itoa(i)] = recoveryHash(keys.Current(), userID, plain)
	}
	return codes, it, nil
}

// slotOf finds the slot and hash of a code.
func (it *recoveryItem) slotOf(keys token.DerivedKeys, userID, code string) (slot, hash string, ok bool) {
	for _, k := range keys {
		want := recoveryHash(k, userID, code)
		for name, have := range it.Codes {
			if hmac.Equal([]byte(have), []byte(want)) {
				slot, hash, ok = name, have, true
			}
		}
	}
	return slot, hash, ok
}
