package mfa

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// ResealOptions say how secrets are sealed anew.
type ResealOptions struct {
	Seal Sealer // opens what there is
	// To, when set, seals instead of Seal: to take secrets back from a key service.
	To     Sealer
	DryRun bool
	// Failed is told of a user whose secret was not sealed anew, and why; it stays
	// as it was.
	Failed   func(userID string, err error) error
	Progress func(items int64)
	Pace     func(ctx context.Context, items int) error
}

// Resealed is what came of it.
type Resealed struct {
	Apps    int64 `json:"apps"`    // authenticator apps, of which
	Sealed  int64 `json:"sealed"`  // were sealed anew, or would be
	Current int64 `json:"current"` // had the present seal
	Failed  int64 `json:"failed"`
}

// errMoved says that a secret was replaced by its user meanwhile.
var errMoved = errors.New("replaced meanwhile")

// Reseal seals every secret anew that has another seal than a new one gets, so
// that an earlier key is needed no more. Sign-ins go on meanwhile: a secret is
// replaced on the condition that it is still the one that was opened. It reads
// the whole table, for an operator's command.
func Reseal(ctx context.Context, t *table.Table, o ResealOptions) (Resealed, error) {
	var sum Resealed
	var read int64
	err := t.Scan(ctx, 0, 1, nil, func(records []table.Record, _ table.Position) error {
		for _, r := range records {
			userID, ok := strings.CutPrefix(r.Key().PK, table.User(""))
			if !ok || r.Key() != table.TOTP(userID) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			sum.Apps++
			done, err := reseal(ctx, t, o, userID, r)
			switch {
			case err != nil:
				sum.Failed++
				if err := o.Failed(userID, err); err != nil {
					return err
				}
			case done:
				sum.Sealed++
			default:
				sum.Current++
			}
		}
		if read += int64(len(records)); o.Progress != nil {
			o.Progress(read)
		}
		if o.Pace != nil {
			return o.Pace(ctx, len(records))
		}
		return nil
	})
	if err != nil {
		return sum, fmt.Errorf("seal second factors anew: %w", err)
	}
	return sum, nil
}

// reseal seals one secret anew where it needs that.
func reseal(ctx context.Context, t *table.Table, o ResealOptions, userID string, r table.Record) (bool, error) {
	var app item
	if err := r.Decode(&app); err != nil {
		return false, err
	}
	secret, stale, err := o.Seal.Open(ctx, app.Secret, userID)
	if err != nil {
		return false, err
	}
	to := o.Seal
	if o.To != nil {
		to = o.To
		if _, stale, err = to.Open(ctx, app.Secret, userID); errors.Is(err, ErrKeyService) {
			stale = true
		} else if err != nil {
			return false, err
		}
	}
	if !stale || o.DryRun {
		return stale, nil
	}
	again, err := to.Seal(ctx, secret, userID)
	if err != nil {
		return false, err
	}
	err = t.Write(ctx, table.Update(app.Key).Set("secret", again).If("secret = ?", app.Secret).Else(errMoved))
	if errors.Is(err, errMoved) {
		return false, nil // by a sign-in, with the present seal, or a new app
	}
	return err == nil, err
}
