package id_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/id"
)

func TestNewIDsAreCanonicalOrderedAndDated(t *testing.T) {
	before := time.Now().Add(-time.Second)
	last := ""
	for range 100 {
		s, err := id.New()
		if err != nil || !id.Valid(s) || s <= last {
			t.Fatalf("%q after %q: %v", s, last, err)
		}
		if at := id.Time(s); at.Before(before) || at.After(time.Now().Add(time.Second)) {
			t.Fatalf("time of %s: %v", s, at)
		}
		last = s
	}
}

func TestOnlyTheCanonicalFormIsAccepted(t *testing.T) {
	good := "0190a5d2-7c1e-7b3a-9f10-0123456789ab"
	if got, err := id.Parse(good); err != nil || got != good {
		t.Fatalf("%v %v", got, err)
	}
	for _, bad := range []string{
		"", good[:35], good + "0", strings.ToUpper(good), "{" + good[:34] + "}", strings.ReplaceAll(good, "-", ""),
		"urn:uuid:" + good, "0190a5d2-7c1e-7b3a-9f10-0123456789aK", "USER#90a5d2-7c1e-7b3a-9f10-0123456789ab", good[:35] + "\x00",
	} {
		if id.Valid(bad) {
			t.Errorf("%q is accepted", bad)
		}
	}
	if !id.Time("nonsense").IsZero() || !id.Time("00000000-0000-4000-8000-000000000000").IsZero() {
		t.Error("time of an id without one")
	}
}
