package entity

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Expiry is the end of a grant or share in a request: not sent, null for never,
// or a moment.
type Expiry struct {
	Sent bool
	At   time.Time // zero: never
}

// UnmarshalJSON reads a moment or null. It is called only where the field is there.
func (e *Expiry) UnmarshalJSON(b []byte) error {
	e.Sent, e.At = true, time.Time{}
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		return nil
	}
	return json.Unmarshal(b, &e.At)
}

// MarshalJSON gives the moment, or null.
func (e Expiry) MarshalJSON() ([]byte, error) {
	if e.At.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(e.At)
}

// Schema says what an expiry is in the OpenAPI document.
func (Expiry) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true, Description: "When it ends, in the future; null: never."}
	s.PrecomputeMessages()
	return s
}

// end gives the moment as the table keeps it, to the millisecond, and refuses
// one that is not in the future.
func (e Expiry) end(now time.Time) (time.Time, error) {
	if e.At.IsZero() {
		return time.Time{}, nil
	}
	at := e.At.UTC().Truncate(time.Millisecond)
	if !at.After(now) || at.Year() > 9999 {
		return time.Time{}, fault.Invalidf("body.expiresAt", "expected a moment in the future")
	}
	return at, nil
}

// outlasts reports whether one end, zero for never, is later than another.
func outlasts(end time.Time, other table.Time) bool {
	return other != 0 && (end.IsZero() || table.At(end) > other)
}

// shown gives a moment for an answer; nil for never.
func shown(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
