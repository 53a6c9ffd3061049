package mfa

import (
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"io"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

const (
	period      = 30 // seconds of a step (RFC 6238 §5.2)
	skew        = 1  // steps accepted before and after the present one
	secretBytes = 20 // 160 bits, as RFC 4226 §4 recommends
	codeDigits  = 6
)

var noPadding = base32.StdEncoding.WithPadding(base32.NoPadding)

// newSecret draws a secret. It gives its raw form, and the key that
// authenticator apps read.
func newSecret(issuer, accountName string, rand io.Reader) ([]byte, *otp.Key, error) {
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: issuer, AccountName: accountName, SecretSize: secretBytes, Period: period, Rand: rand,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make TOTP secret: %w", err)
	}
	raw, err := noPadding.DecodeString(key.Secret())
	if err != nil {
		return nil, nil, fmt.Errorf("make TOTP secret: %w", err)
	}
	return raw, key, nil
}

// stepOf gives the time step whose code this is, within the accepted window
// and after the step used last. Every step of the window is computed, whichever
// matches.
func stepOf(secret []byte, code string, now time.Time, last int64) (int64, bool, error) {
	if len(code) != codeDigits {
		return 0, false, nil
	}
	text := noPadding.EncodeToString(secret)
	present, found := now.Unix()/period, int64(0)
	ok := false
	for step := present - skew; step <= present+skew; step++ {
		if step < 0 {
			continue
		}
		want, err := hotp.GenerateCodeCustom(text, uint64(step), hotp.ValidateOpts{Digits: codeDigits, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, fmt.Errorf("compute TOTP code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && step > last {
			found, ok = step, true
		}
	}
	return found, ok, nil
}
