#!/usr/bin/env bash
# Looks at the built functions of dist/.
#
#   tools/build-check.sh sizes [ARCH]  every zip is at most 5 MB (arm64)
#   tools/build-check.sh arm64|amd64   the same, after building every function
#                                      twice from nothing, in copies of the
#                                      project at two paths, and comparing hashes
set -euo pipefail
what=${1:-arm64}
arch=$what
[[ $what != sizes ]] || arch=${2:-arm64}
limit=$((5 * 1024 * 1024))

if [[ $what != sizes ]]; then
  copy=$(mktemp -d)
  trap 'rm -rf "$copy"' EXIT
  # What is edited while this runs is in neither copy, or in both.
  git ls-files -z | tar --null -T - -cf "$copy/sources.tar"
  for place in "$copy/one" "$copy/two/deeper"; do
    mkdir -p "$place"
    tar -xf "$copy/sources.tar" -C "$place"
    make --no-print-directory -C "$place" build ARCH="$what" >/dev/null
  done
  diff <(cd "$copy/one/dist" && sha256sum ./*/bootstrap) <(cd "$copy/two/deeper/dist" && sha256sum ./*/bootstrap) || {
    echo "the two builds differ"
    exit 1
  }
  cd "$copy/one"
fi

sizes=$(tools/zip-sizes.sh "$arch")
failed=0
while read -r name size; do
  printf '%-36s %5d KB\n' "$name" $((size / 1024))
  ((size <= limit)) || { echo "  over 5 MB"; failed=1; }
done <<<"$sizes"
exit $failed
