package fault_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

func TestEveryCodeIsListedOnceWithAMeaning(t *testing.T) {
	listed := map[fault.Code]bool{}
	form := regexp.MustCompile(`^[a-z][a-z_]*[a-z]$`)
	for _, d := range fault.Descriptions() {
		if listed[d.Code] || !form.MatchString(string(d.Code)) || !strings.HasSuffix(d.Meaning, ".") {
			t.Errorf("%+v is listed twice, misspelt or without a sentence", d)
		}
		listed[d.Code] = true
		if d.Code.Kind() != d.Kind || d.Code.Meaning() != d.Meaning {
			t.Errorf("%s describes itself otherwise", d.Code)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			declared++
			if code, err := strconv.Unquote(lit.Value); err != nil || !listed[fault.Code(code)] {
				t.Errorf("%s is declared and not listed (%v)", lit.Value, err)
			}
		}
		return true
	})
	if declared != len(listed) {
		t.Errorf("%d codes are declared, %d listed", declared, len(listed))
	}
	if fault.Code("nonsense").Kind() != fault.Internal {
		t.Error("an unknown code is not the server's own fault")
	}
}

func TestFaultsAreFoundInWrappedErrors(t *testing.T) {
	cause := errors.New("the disk is full")
	err := fmt.Errorf("register: %w", fault.Wrap(fault.CodeUnavailable, cause))
	if !errors.Is(err, cause) || !errors.Is(err, fault.New(fault.CodeUnavailable, "")) || errors.Is(err, fault.New(fault.CodeNotFound, "")) {
		t.Error("errors.Is")
	}
	if !fault.HasCode(err, fault.CodeUnavailable) || fault.HasCode(cause, fault.CodeUnavailable) {
		t.Error("HasCode")
	}
	if f := fault.From(err); f.Code != fault.CodeUnavailable || strings.Contains(f.Detail, "disk") || !strings.Contains(f.Error(), "disk") {
		t.Errorf("a cause is for the log and not for the client: %v", f)
	}
	if f := fault.From(cause); f.Kind != fault.Internal || strings.Contains(f.Detail, "disk") {
		t.Errorf("an unclassified error: %+v", f)
	}
	if f := fault.Invalidf("body.email", "longer than %d", 5); f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Message != "longer than 5" || !strings.Contains(f.Error(), string(fault.CodeValidation)) {
		t.Errorf("%+v", f)
	}
}
