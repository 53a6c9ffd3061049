package token

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	encryptFormat = 1
	nonceSize     = 12
)

// Encrypt seals plaintext with AES-256-GCM under the purpose's current key and
// binds it to context (the user's id, say), without which it cannot be opened:
//
//	format (1) ‖ secret version (2) ‖ nonce (12) ‖ ciphertext and tag
//
// Nonces are drawn at random, which is safe for 2^32 values a key (SP 800-38D §8.3).
func (c *Codec) Encrypt(ctx context.Context, p Purpose, plaintext []byte, boundTo string, rand io.Reader) (string, error) {
	keys, err := c.derive(ctx, p)
	if err != nil {
		return "", err
	}
	key := keys.Current()
	aead, err := newGCM(key)
	if err != nil {
		return "", fmt.Errorf("encrypt: %w", err)
	}
	out := binary.BigEndian.AppendUint16([]byte{encryptFormat}, key.Version)
	out = append(out, make([]byte, nonceSize)...)
	if _, err := io.ReadFull(rand, out[3:]); err != nil {
		return "", fmt.Errorf("encrypt: draw nonce: %w", err)
	}
	return b64.EncodeToString(aead.Seal(out, out[3:3+nonceSize], plaintext, encryptScope(out[:3], boundTo))), nil
}

// Decrypt opens what Encrypt made for the same purpose and context. stale says
// that it was made with an earlier secret and should be encrypted anew.
func (c *Codec) Decrypt(ctx context.Context, p Purpose, sealed, boundTo string) (plaintext []byte, stale bool, err error) {
	all, err := decode64(sealed)
	if err != nil || len(all) < 3+nonceSize+16 || all[0] != encryptFormat {
		return nil, false, fmt.Errorf("%w: not a sealed %s value", ErrMalformed, p)
	}
	keys, err := c.derive(ctx, p)
	if err != nil {
		return nil, false, err
	}
	key, ok := keys.Version(binary.BigEndian.Uint16(all[1:3]))
	if !ok {
		return nil, false, fmt.Errorf("%w: %w", ErrForged, ErrUnknownKey)
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, false, fmt.Errorf("decrypt: %w", err)
	}
	plaintext, err = aead.Open(nil, all[3:3+nonceSize], all[3+nonceSize:], encryptScope(all[:3], boundTo))
	if err != nil {
		return nil, false, fmt.Errorf("%w: sealed %s value does not open", ErrForged, p)
	}
	return plaintext, key.Version != keys.Current().Version, nil
}

func encryptScope(head []byte, boundTo string) []byte {
	return append(append([]byte(nil), head...), boundTo...)
}

func newGCM(k DerivedKey) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.Key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
