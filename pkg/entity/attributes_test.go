package entity

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

func TestValuesAreTheTokensTheyWereSentAs(t *testing.T) {
	for in, want := range map[string]string{
		`"a"`: `"a"`, `"\u00e9\u2028"`: "\"é\\u2028\"", ` 1.50 `: "1.50", `-0`: "-0", `1E3`: "1E3", `true`: "true", `false`: "false", `""`: `""`,
	} {
		var v, again Value
		if err := json.Unmarshal([]byte(in), &v); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		stored, err := v.MarshalText()
		if err != nil || again.UnmarshalText(stored) != nil || again != v || string(stored) != want {
			t.Errorf("%s is kept as %s, want %s; %v", in, stored, want, err)
		}
	}
	for _, in := range []string{`null`, `{}`, `[]`, `nul`, `1e999`, `-`, `01`, `"`, ``, `truer`} {
		var v Value
		if err := v.UnmarshalJSON([]byte(in)); err == nil {
			if _, err = json.Marshal(v); err == nil {
				t.Errorf("%q is the value %v", in, v)
			}
		}
	}
	if _, err := json.Marshal(Value{}); err == nil {
		t.Error("no value is a value")
	}
	made, err := json.Marshal(Attributes{"a": Text(`x"`), "b": Number(12.5), "c": Truth(true)})
	if err != nil || string(made) != `{"a":"x\"","b":12.5,"c":true}` {
		t.Errorf("%s, %v", made, err)
	}
	if err := (Attributes{"a": Value{}}).check(); !fault.HasCode(err, fault.CodeValidation) {
		t.Errorf("%v", err)
	}
}

func TestExpiriesTellNotSentFromNever(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]Expiry{
		`{}`: {}, `{"e":null}`: {Sent: true}, `{"e":"2026-03-01T13:00:00+01:00"}`: {Sent: true, At: at},
	} {
		var got struct{ E Expiry }
		if err := json.Unmarshal([]byte(in), &got); err != nil || got.E.Sent != want.Sent || !got.E.At.Equal(want.At) {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	for e, want := range map[Expiry]string{{}: "null", {At: at}: `"2026-03-01T12:00:00Z"`} {
		if b, err := json.Marshal(e); err != nil || string(b) != want {
			t.Errorf("%s, %v", b, err)
		}
	}
	if _, err := (Expiry{At: at.AddDate(9000, 0, 0)}).end(at); err == nil {
		t.Error("an end after the year 9999")
	}
	if got, err := (Expiry{At: at.Add(time.Hour + 123456)}).end(at); err != nil || !got.Equal(at.Add(time.Hour)) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestChangesGiveUpWhenOthersAreAlwaysFirst(t *testing.T) {
	n := 0
	err := again(func() error { n++; return errStale })
	if !errors.Is(err, errConflict) || n != attempts {
		t.Errorf("%v after %d attempts", err, n)
	}
	if _, err := parsePosition("{"); err == nil {
		t.Error("half a position is a position")
	}
}
