package main

import (
	"path/filepath"
	"testing"
)

func TestMigrateTellsAndChangesTheVersion(t *testing.T) {
	data, dir := withAdmin(t), samples(t)
	run := func(args ...string) result { return lanyard(t, "", append(args, "--data", data)...) }
	for _, kind := range []string{"users", "organizations", "entities", "documents"} {
		run("import", kind, filepath.Join(dir, kind+".jsonl")).want(t, exitDone)
	}
	run("migrate", "status").want(t, exitDone).says(t, "1        done", "2        done")
	run("migrate", "up").want(t, exitDone).says(t, "version 2: 0 items changed")
	run("migrate", "status", "-o", "json").want(t, exitDone).says(t, `"version": 2`, `"latest": 2`)
	run("migrate", "down", "--to", "1", "--rate", "1000").want(t, exitDone).says(t, "version 1: 2 items changed")
	run("migrate", "status").want(t, exitWanting).says(t, "1        done", "2        pending")
	run("migrate", "up", "--dry-run").want(t, exitDone).says(t, "from version 1 to 2: 2 items")
	run("migrate", "up").want(t, exitDone).says(t, "2 items changed")
	run("migrate", "up", "--repair").want(t, exitDone).says(t, "0 items repaired")
	run("migrate", "verify").want(t, exitDone).says(t, "as version 2 leaves it")
	run("migrate", "up", "--to", "1").want(t, exitUsage)
	run("migrate", "up", "--to", "9").want(t, exitUsage)
	run("migrate", "down", "--to", "9").want(t, exitUsage)
	run("migrate", "down", "--to", "0").want(t, exitFailed).says(t, "holds something")
	run("migrate", "status").want(t, exitWanting).says(t, "1        done")
}
