package mfa

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Bounds of imported secrets: RFC 4226 §4 asks for 128 bits and recommends 160,
// but others have issued 80.
const (
	minImported = 10
	maxImported = 64
)

// CheckImported reads the base32 secret of an authenticator app that another
// system enrolled: SHA-1, six digits, 30 seconds, which is what apps assume.
func CheckImported(text string) ([]byte, error) {
	text = strings.TrimRight(strings.ToUpper(strings.ReplaceAll(text, " ", "")), "=")
	raw, err := noPadding.DecodeString(text)
	if err != nil || len(raw) < minImported || len(raw) > maxImported {
		return nil, fault.Invalidf("body.totpSecret", "expected %d to %d bytes in base32", minImported, maxImported)
	}
	return raw, nil
}

// Imported gives the write of an authenticator app that is in force at once: its
// owner confirmed it where they come from. The state that says so is the
// account's.
func Imported(ctx context.Context, seal Sealer, userID string, secret []byte, now time.Time) (*table.Write, error) {
	sealed, err := seal.Seal(ctx, secret, userID)
	if err != nil {
		return nil, fault.Wrap(fault.CodeUnavailable, fmt.Errorf("seal TOTP secret: %w", err))
	}
	return table.Create(item{Key: table.TOTP(userID), Secret: sealed, CreatedAt: table.At(now), ConfirmedAt: table.At(now)}), nil
}
