package oneline_test

import (
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/oneline"
)

func TestNamesOfEveryScriptFitAndControlCharactersDoNot(t *testing.T) {
	for name, fits := range map[string]bool{
		"":                                     true, // whether it may be empty is another question
		"Ann O'Neill-Smith":                    true,
		"Łukasz Żółć":                          true,
		"e\u0301\u0323":                        true, // combining marks
		"नरेन्द्र":                             true,
		"می\u200cخواهم":                        true, // the non-joiner of Persian
		"ක්\u200dර":                            true, // the joiner of Sinhala
		"\u200eשלום\u200f":                     true, // marks of direction
		"山田太郎":                                 true,
		"👩\u200d👩\u200d👧":                      true,
		"❤\ufe0f":                              true,
		"🏴\U000e0067\U000e0062\U000e007f":      true, // a flag of tags
		"full\u3000width":                      true,
		"two\nlines":                           false,
		"carriage\rreturn":                     false,
		"tab\tstop":                            false,
		"nul\x00":                              false,
		"\x1b[31mred":                          false,
		"delete\x7f":                           false,
		"next\u0085line":                       false,
		"line\u2028separator":                  false,
		"paragraph\u2029separator":             false,
		"evil\u202egnp.exe":                    false,
		"\u2067isolated":                       false,
		"not \xff UTF-8":                       false,
		"the end of an isolate alone \u2069 x": false,
	} {
		if got := oneline.Fits(name); got != fits {
			t.Errorf("%q fits: %v", name, got)
		}
		err := oneline.Check("body.name", name)
		if fits != (err == nil) {
			t.Errorf("%q: %v", name, err)
		}
		if err != nil && (fault.From(err).Kind != fault.Invalid || fault.From(err).Fields[0].Location != "body.name") {
			t.Errorf("%q: %+v", name, fault.From(err))
		}
	}
}
