package cursor_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

var errKeys, errForged = errors.New("keys are unavailable"), errors.New("forged")

// plain is a codec that shows what it was given.
type plain struct{ fail error }

func (p plain) EncodeCursor(_ context.Context, position []byte, who, query string) (string, error) {
	return strings.Join([]string{string(position), who, query}, "|"), p.fail
}

func (p plain) ParseCursor(_ context.Context, raw, who, query string) ([]byte, error) {
	position, ok := strings.CutSuffix(raw, "|"+who+"|"+query)
	if !ok {
		return nil, errForged
	}
	return []byte(position), p.fail
}

func as(userID string) context.Context {
	return caller.With(context.Background(), &caller.Caller{Principal: &caller.Principal{UserID: userID}})
}

func TestACursorWorksForItsCallerAndQueryOnly(t *testing.T) {
	c := cursor.Cursors{Codec: plain{}}
	raw, err := c.Next(as("alice"), "p9", cursor.Query("members", "org-1"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Read(as("alice"), raw, cursor.Query("members", "org-1")); err != nil || got != "p9" {
		t.Errorf("own cursor: %q, %v", got, err)
	}
	for name, read := range map[string]func() (string, error){
		"another caller": func() (string, error) { return c.Read(as("bob"), raw, cursor.Query("members", "org-1")) },
		"another query":  func() (string, error) { return c.Read(as("alice"), raw, cursor.Query("members", "org-2")) },
		"nobody":         func() (string, error) { return c.Read(context.Background(), raw, cursor.Query("members", "org-1")) },
		"empty position": func() (string, error) { return c.Read(as("alice"), "|alice|q", "q") },
	} {
		if got, err := read(); !fault.HasCode(err, fault.CodeInvalidCursor) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestNoPositionIsNoCursor(t *testing.T) {
	c := cursor.Cursors{Codec: plain{}}
	if raw, err := c.Next(as("alice"), "", "q"); raw != "" || err != nil {
		t.Errorf("%q, %v", raw, err)
	}
	if position, err := c.Read(as("alice"), "", "q"); position != "" || err != nil {
		t.Errorf("%q, %v", position, err)
	}
}

func TestKeysThatCannotBeHadAreNotTheClientsFault(t *testing.T) {
	c := cursor.Cursors{Codec: plain{fail: errKeys}, Unavailable: func(err error) bool { return errors.Is(err, errKeys) }}
	if _, err := c.Next(as("alice"), "p", "q"); !fault.HasCode(err, fault.CodeUnavailable) {
		t.Errorf("make: %v", err)
	}
	if _, err := c.Read(as("alice"), "p|alice|q", "q"); !fault.HasCode(err, fault.CodeUnavailable) {
		t.Errorf("read: %v", err)
	}
	if _, err := c.Read(as("alice"), "forged", "q"); !fault.HasCode(err, fault.CodeInvalidCursor) {
		t.Errorf("forged: %v", err)
	}
}

func TestQueriesWithDifferentParametersDiffer(t *testing.T) {
	if cursor.Query("l", "a", "b") == cursor.Query("l", "ab", "") {
		t.Error("parameters run into each other")
	}
}
