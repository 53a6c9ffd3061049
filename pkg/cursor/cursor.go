package cursor

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// Codec makes and reads authenticated cursors. A cursor that was not made for
// that caller and query is an error; so are keys that cannot be had, and
// Unavailable tells the two apart.
type Codec interface {
	EncodeCursor(ctx context.Context, position []byte, caller, query string) (string, error)
	ParseCursor(ctx context.Context, raw, caller, query string) ([]byte, error)
}

// Cursors binds cursors to the caller of a request.
type Cursors struct {
	Codec Codec
	// Unavailable reports whether an error of the codec says that nothing was
	// decided; nil: never.
	Unavailable func(error) bool
}

// Next gives the cursor of a position in a query; none for no position.
func (c Cursors) Next(ctx context.Context, position, query string) (string, error) {
	if position == "" {
		return "", nil
	}
	raw, err := c.Codec.EncodeCursor(ctx, []byte(position), who(ctx), query)
	if err != nil {
		return "", fault.Wrap(fault.CodeUnavailable, fmt.Errorf("make cursor: %w", err))
	}
	return raw, nil
}

// Read gives the position in a cursor that a client sent for a query; none for
// no cursor. Any cursor that this list did not hand to this caller is
// invalid_cursor.
func (c Cursors) Read(ctx context.Context, raw, query string) (string, error) {
	if raw == "" {
		return "", nil
	}
	position, err := c.Codec.ParseCursor(ctx, raw, who(ctx), query)
	switch {
	case err == nil && len(position) > 0:
		return string(position), nil
	case err != nil && c.Unavailable != nil && c.Unavailable(err):
		return "", fault.Wrap(fault.CodeUnavailable, err)
	}
	return "", fault.New(fault.CodeInvalidCursor, fault.CodeInvalidCursor.Meaning())
}

// Query spells out what a list was asked for: its name and every parameter
// that decides what is in it, in a fixed order.
func Query(list string, params ...string) string {
	return list + "\x00" + strings.Join(params, "\x00")
}

func who(ctx context.Context) string {
	if p := caller.Of(ctx).Principal; p != nil {
		return p.UserID
	}
	return ""
}
