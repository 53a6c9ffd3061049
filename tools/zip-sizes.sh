#!/usr/bin/env bash
# Builds functions, all or those that are named after the architecture, and
# prints how many bytes each takes in a zip (its deflate, but for some bytes of
# headers).
set -euo pipefail
arch=${1:-arm64}
shift || true
if [ $# -eq 0 ]; then
  make --no-print-directory build ARCH="$arch" >/dev/null
  directory=dist/.$arch
  set -- $(ls functions)
else
  directory=$(mktemp -d)
  trap 'rm -rf "$directory"' EXIT
  CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -buildvcs=false -trimpath -tags lambda.norpc -ldflags '-s -w' -o "$directory/" "${@/#/./functions/}"
fi
export directory
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} sh -c 'printf "%s %d\n" {} "$(gzip -c "$directory/{}" | wc -c)"' | sort
