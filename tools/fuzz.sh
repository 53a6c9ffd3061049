#!/usr/bin/env bash
# Runs every native fuzz target for a while: tools/fuzz.sh 10s
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for_each=${1:-10s}
grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' pkg internal cmd | sort | while read -r file; do
  dir=./$(dirname "$file")
  for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$file" | awk '{print $2}'); do
    echo "fuzz $dir $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$for_each" -fuzzminimizetime 20x "$dir" </dev/null >"$log" 2>&1 || { cat "$log"; exit 1; }
  done
done
