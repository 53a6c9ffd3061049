package browser

import (
	"os/exec"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

func TestTwoTabsOfABrowserStaySignedIn(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no Node here")
	}
	w := lanyardtest.Serve(t)
	if out, err := exec.Command(node, "session.test.mjs", w.URL).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
