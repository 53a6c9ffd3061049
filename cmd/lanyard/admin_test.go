package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestAdminCreateMakesOneSuperAdminOfAnAddress(t *testing.T) {
	c := &adminCreateCommand{Email: "root@example.com", Data: t.TempDir()}
	environ := []string{"LANYARD_BCRYPT_COST=4"}
	var out bytes.Buffer
	if err := c.run(t.Context(), environ, strings.NewReader("a phrase nobody has used before\n"), &out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "root@example.com is a super admin (user ") || strings.Contains(out.String(), "phrase") {
		t.Errorf("said %q", out.String())
	}
	if err := c.run(t.Context(), environ, strings.NewReader("a phrase nobody has used before\n"), &out); err == nil {
		t.Error("the address was taken twice")
	}
	weak := &adminCreateCommand{Email: "root2@example.com", Data: c.Data}
	for _, password := range []string{"", "short", "password1234"} {
		if err := weak.run(t.Context(), environ, strings.NewReader(password), &out); err == nil {
			t.Errorf("%q was taken as a password", password)
		}
	}
	if err := c.run(t.Context(), []string{"LANYARD_NOSUCH=1"}, strings.NewReader(""), &out); err == nil {
		t.Error("a setting that is none was taken")
	}
}
