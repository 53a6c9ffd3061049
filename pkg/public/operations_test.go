package public_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

func TestReferencePageLoadsItsOwnStyleAndNothingElse(t *testing.T) {
	w := lanyardtest.Start(t)
	a := w.Client().Get("/docs").Want(http.StatusOK)
	policy := a.Header.Get("Content-Security-Policy")
	doc, err := html.Parse(strings.NewReader(string(a.Raw)))
	if err != nil {
		t.Fatal(err)
	}
	styles, operations := 0, 0
	for n := range doc.Descendants() {
		switch n.Data {
		case "style":
			styles++
			sum := sha256.Sum256([]byte(n.FirstChild.Data))
			if !strings.Contains(policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
				t.Errorf("the policy %q does not allow the page's style", policy)
			}
		case "script", "link", "img", "iframe":
			t.Errorf("<%s> on the page", n.Data)
		case "h3":
			if n.FirstChild.NextSibling != nil {
				operations++
			}
		}
	}
	if styles != 1 || !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("%d styles, policy %q", styles, policy)
	}
	deployed := 0
	for _, s := range lanyardtest.Operations() {
		if !s.Local {
			deployed++
		}
	}
	if operations < deployed {
		t.Errorf("%d operations on the page, want %d", operations, deployed)
	}
}
