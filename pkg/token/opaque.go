package token

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Opaque tokens share one frame, base64url without padding:
//
//	format (1) ‖ kind (1) ‖ secret version (2) ‖ body ‖ HMAC-SHA-256 (32)
//
// The MAC covers everything before it, with a key derived for the kind's
// purpose, so that no kind can pass for another. The secret's version is inside,
// so that rotating the secret logs nobody out.
const (
	opaqueFormat = 1
	opaqueHead   = 4
	maxOpaque    = 4 << 10
)

type kind byte

const (
	kindRefresh kind = 1
	kindTicket  kind = 2
	kindCursor  kind = 3
)

// Codec makes and reads the opaque tokens. Reading checks the MAC before
// anything is believed and needs no store.
type Codec struct {
	keys Source
	now  func() time.Time
}

// NewCodec makes a codec on a source of rings.
func NewCodec(keys Source, now func() time.Time) *Codec { return &Codec{keys: keys, now: now} }

// derive gives the keys of a purpose.
func (c *Codec) derive(ctx context.Context, p Purpose) (DerivedKeys, error) {
	ring, err := c.keys.Load(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	d, err := ring.Derive(p)
	if err != nil {
		return nil, unavailable(err)
	}
	return d, nil
}

// seal frames a body and signs it with the purpose's current key. bound goes
// into the MAC and not into the token.
func (c *Codec) seal(ctx context.Context, k kind, p Purpose, body, bound []byte) (string, error) {
	keys, err := c.derive(ctx, p)
	if err != nil {
		return "", err
	}
	key := keys.Current()
	out := make([]byte, 0, opaqueHead+len(body)+sha256.Size)
	out = append(out, opaqueFormat, byte(k))
	out = binary.BigEndian.AppendUint16(out, key.Version)
	out = append(out, body...)
	out = opaqueMAC(out, key, out, bound)
	return b64.EncodeToString(out), nil
}

// open checks a frame and gives its body. size is the body's exact size, or -1.
func (c *Codec) open(ctx context.Context, k kind, p Purpose, raw string, size int, bound []byte) ([]byte, error) {
	if len(raw) > maxOpaque || size >= 0 && len(raw) != b64.EncodedLen(opaqueHead+size+sha256.Size) {
		return nil, fmt.Errorf("%w: not the size of a %s token", ErrMalformed, p)
	}
	all, err := decode64(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url", ErrMalformed)
	}
	if len(all) < opaqueHead+sha256.Size || all[0] != opaqueFormat || all[1] != byte(k) {
		return nil, fmt.Errorf("%w: not a %s token", ErrMalformed, p)
	}
	keys, err := c.derive(ctx, p)
	if err != nil {
		return nil, err
	}
	key, ok := keys.Version(binary.BigEndian.Uint16(all[2:4]))
	if !ok {
		return nil, fmt.Errorf("%w: %w", ErrForged, ErrUnknownKey)
	}
	signed, tag := all[:len(all)-sha256.Size], all[len(all)-sha256.Size:]
	var want [sha256.Size]byte
	if !hmac.Equal(opaqueMAC(want[:0], key, signed, bound), tag) {
		return nil, fmt.Errorf("%w: bad MAC", ErrForged)
	}
	return signed[opaqueHead:], nil
}

// opaqueMAC appends the MAC of signed and bound to dst. Both are preceded by
// their length, so that no byte can move from one to the other.
func opaqueMAC(dst []byte, key DerivedKey, signed, bound []byte) []byte {
	m := hmac.New(sha256.New, key.Key[:])
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(signed)))
	m.Write(n[:])
	m.Write(signed)
	m.Write(bound)
	return m.Sum(dst)
}

// RefreshToken is what a refresh token says: which generation of which session
// of which user. Whether that generation is the latest is the store's to know.
type RefreshToken struct {
	UserID     string // canonical UUID
	SessionID  string // canonical UUID
	Generation uint32 // from 1
}

const refreshSize = 16 + 16 + 4

// Successor gives the one token that follows t: the same for everybody who
// presents t, however often, so that a retried refresh does not fork the family.
func (t RefreshToken) Successor() RefreshToken {
	t.Generation++
	return t
}

// EncodeRefresh makes the refresh token. It is a pure function of t and the
// ring's current secret; nothing about it needs to be stored.
func (c *Codec) EncodeRefresh(ctx context.Context, t RefreshToken) (string, error) {
	if t.Generation == 0 {
		return "", fmt.Errorf("refresh token: generation 0 is no generation")
	}
	body, err := appendUUIDs(make([]byte, 0, refreshSize), t.UserID, t.SessionID)
	if err != nil {
		return "", fmt.Errorf("refresh token: %w", err)
	}
	body = binary.BigEndian.AppendUint32(body, t.Generation)
	return c.seal(ctx, kindRefresh, PurposeRefresh, body, nil)
}

// ParseRefresh reads a refresh token. The error is ErrMalformed, ErrForged or
// ErrUnavailable.
func (c *Codec) ParseRefresh(ctx context.Context, raw string) (RefreshToken, error) {
	body, err := c.open(ctx, kindRefresh, PurposeRefresh, raw, refreshSize, nil)
	if err != nil {
		return RefreshToken{}, err
	}
	return RefreshToken{
		UserID:     uuid.UUID(body[:16]).String(),
		SessionID:  uuid.UUID(body[16:32]).String(),
		Generation: binary.BigEndian.Uint32(body[32:]),
	}, nil
}

// Ticket is a short statement about a user, for one purpose and until an end:
// "the password was right, the second factor is due" (PurposeMFAPending), "this
// device signed in before" (PurposeDevice).
type Ticket struct {
	Purpose   Purpose
	UserID    string // canonical UUID
	ID        string // canonical UUID: of the pending sign-in, of the device
	IssuedAt  time.Time
	ExpiresAt time.Time
}

const ticketSize = 16 + 16 + 8 + 8

// EncodeTicket makes the ticket; its times are kept to the second.
func (c *Codec) EncodeTicket(ctx context.Context, t Ticket) (string, error) {
	if t.Purpose == "" || t.IssuedAt.Unix() < 0 || !t.ExpiresAt.After(t.IssuedAt) {
		return "", fmt.Errorf("ticket: want a purpose, and an end after its beginning")
	}
	body, err := appendUUIDs(make([]byte, 0, ticketSize), t.UserID, t.ID)
	if err != nil {
		return "", fmt.Errorf("%s ticket: %w", t.Purpose, err)
	}
	body = binary.BigEndian.AppendUint64(body, uint64(t.IssuedAt.Unix()))
	body = binary.BigEndian.AppendUint64(body, uint64(t.ExpiresAt.Unix()))
	return c.seal(ctx, kindTicket, t.Purpose, body, nil)
}

// ParseTicket reads a ticket of that purpose. The error is ErrMalformed,
// ErrForged (also for a ticket of another purpose), ErrExpired or
// ErrUnavailable. Whether it was used before is the store's to know.
func (c *Codec) ParseTicket(ctx context.Context, p Purpose, raw string) (Ticket, error) {
	body, err := c.open(ctx, kindTicket, p, raw, ticketSize, nil)
	if err != nil {
		return Ticket{}, err
	}
	t := Ticket{
		Purpose:   p,
		UserID:    uuid.UUID(body[:16]).String(),
		ID:        uuid.UUID(body[16:32]).String(),
		IssuedAt:  time.Unix(int64(binary.BigEndian.Uint64(body[32:])), 0).UTC(),
		ExpiresAt: time.Unix(int64(binary.BigEndian.Uint64(body[40:])), 0).UTC(),
	}
	if !c.now().Before(t.ExpiresAt) {
		return Ticket{}, ErrExpired
	}
	return t, nil
}

// EncodeCursor makes an opaque list cursor of a position, good for that caller
// and that query only. Neither is in the cursor; both are in its MAC.
func (c *Codec) EncodeCursor(ctx context.Context, position []byte, caller, query string) (string, error) {
	if b64.EncodedLen(opaqueHead+len(position)+sha256.Size) > maxOpaque {
		return "", fmt.Errorf("cursor: a position of %d bytes is too long", len(position))
	}
	return c.seal(ctx, kindCursor, PurposeCursor, position, cursorScope(caller, query))
}

// ParseCursor gives the position in a cursor made for that caller and query.
// The error is ErrMalformed, ErrForged (also for another caller's or query's
// cursor) or ErrUnavailable.
func (c *Codec) ParseCursor(ctx context.Context, raw, caller, query string) ([]byte, error) {
	return c.open(ctx, kindCursor, PurposeCursor, raw, -1, cursorScope(caller, query))
}

func cursorScope(caller, query string) []byte {
	out := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(caller)+len(query)), uint32(len(caller)))
	return append(append(out, caller...), query...)
}

func appendUUIDs(dst []byte, ids ...string) ([]byte, error) {
	for _, s := range ids {
		if !canonicalUUID(s) {
			return nil, fmt.Errorf("%.40q is not a canonical UUID", s)
		}
		u, err := uuid.Parse(s)
		if err != nil {
			return nil, err
		}
		dst = append(dst, u[:]...)
	}
	return dst, nil
}
