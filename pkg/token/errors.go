package token

import "errors"

// What may be wrong with a presented token, by class. Their order is the order
// of the checks: an expired token with a bad signature is ErrForged.
var (
	// ErrMalformed: not in the form of any token of ours; nothing was checked.
	ErrMalformed = errors.New("token is malformed")
	// ErrForged: no key of ours made it: unknown or retired key, another
	// algorithm than the key's, bad signature.
	ErrForged = errors.New("token is forged")
	// ErrClaims: signed by us, and not meant for this: issuer, audience, type,
	// missing or senseless claims, another caller or query.
	ErrClaims = errors.New("token claims are not acceptable")
	// ErrExpired: ours, meant for this, and past its end.
	ErrExpired = errors.New("token has expired")

	// ErrUnavailable: the keys could not be had, so nothing was decided. It is
	// never a reason to let anybody in.
	ErrUnavailable = errors.New("token keys are unavailable")

	// ErrUnknownKey is how a KeySet says that it holds no usable key of that
	// id; a Verifier turns it into ErrForged.
	ErrUnknownKey = errors.New("unknown key")
	// ErrCurrentSecret says that a secret is the one in use, which cannot be put
	// away before another has taken its place.
	ErrCurrentSecret = errors.New("it is the current one")
)
