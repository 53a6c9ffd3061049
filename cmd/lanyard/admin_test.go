package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const phrase = "a phrase nobody has used before\n"

func TestAdminCreateMakesOneSuperAdminOfAnAddress(t *testing.T) {
	dir := shortDir(t)
	create := []string{"admin", "create", "--data", dir, "--email", "root@example.com"}
	lanyard(t, phrase, append(create, "--dry-run")...).want(t, exitDone).says(t, "nothing was written")
	r := lanyard(t, phrase, create...).want(t, exitDone).says(t, "root@example.com is a super admin (user ")
	if strings.Contains(r.out+r.err, "phrase") {
		t.Errorf("the password is said: %q %q", r.out, r.err)
	}
	lanyard(t, phrase, create...).want(t, exitRefused).says(t, "lanyard admin role root@example.com ADMIN")
	lanyard(t, phrase, append(create, "--dry-run")...).want(t, exitRefused).says(t, "lanyard admin role root@example.com ADMIN")
	for _, password := range []string{"", "short", "password1234"} {
		lanyard(t, password, "admin", "create", "--data", dir, "--email", "root2@example.com").want(t, exitUsage).says(t, "password:")
	}
}

func TestAdminCommandsActInTheNameOfASuperAdmin(t *testing.T) {
	dir := withAdmin(t)
	run := func(args ...string) result { return lanyard(t, phrase, append(args, "--data", dir)...) }
	// The only super admin acts without being named, and cannot be lost.
	for _, args := range [][]string{{"suspend", "root@example.com"}, {"role", "root@example.com", "USER"}} {
		run(append([]string{"admin"}, args...)...).want(t, exitRefused).says(t, "last_admin")
		run(append(append([]string{"admin"}, args...), "--dry-run")...).want(t, exitRefused).says(t, "last_admin")
	}
	run("admin", "create", "--email", "second@example.com").want(t, exitDone)
	// With two, one is named.
	run("admin", "suspend", "second@example.com").want(t, exitUsage).says(t, "--as")
	as := []string{"--as", "root@example.com", "--reason", "gone"}
	run(append([]string{"admin", "suspend", "second@example.com", "--dry-run"}, as...)...).want(t, exitDone).says(t, "nothing was written")
	run("admin", "list").want(t, exitDone).says(t, "second@example.com", "root@example.com")
	run(append([]string{"admin", "suspend", "second@example.com"}, as...)...).want(t, exitDone).says(t, "is suspended")
	if out := run("admin", "list").want(t, exitDone).out; strings.Contains(out, "second@") || !strings.Contains(out, "root@") {
		t.Errorf("super admins:\n%s", out)
	}
	run("admin", "logout", "root@example.com", "--as", "second@example.com").want(t, exitRefused).says(t, "active super admin")

	var users []struct{ Email, Role, Status string }
	out := run("admin", "list", "--status", "suspended", "-o", "json").want(t, exitDone).out
	if err := json.Unmarshal([]byte(out), &users); err != nil || len(users) != 1 || users[0].Email != "second@example.com" || users[0].Role != "ADMIN" {
		t.Errorf("%v: %s", err, out)
	}
	run(append([]string{"admin", "reactivate", "second@example.com"}, as...)...).want(t, exitDone)
	run(append([]string{"admin", "role", "second@example.com", "USER"}, as...)...).want(t, exitDone).says(t, "of role USER")
	run("admin", "logout", "second@example.com").want(t, exitDone).says(t, "signed out everywhere")
	run("admin", "logout", "nobody@example.com").want(t, exitRefused).says(t, "not_found")
	run("admin", "list", "--email", "Second@Example.com").want(t, exitDone).says(t, "USER", "active")
}
