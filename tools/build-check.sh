#!/usr/bin/env bash
# Builds every function twice, the second time from nothing in a copy of the
# project at another path, compares the hashes, and bounds the zipped size.
set -euo pipefail
arch=${1:-arm64}
limit=$((5 * 1024 * 1024))
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

make --no-print-directory build ARCH="$arch" >/dev/null
git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$copy"
make --no-print-directory -C "$copy" build ARCH="$arch" >/dev/null
diff <(cd dist && sha256sum ./*/bootstrap) <(cd "$copy/dist" && sha256sum ./*/bootstrap) || {
  echo "the two builds differ"
  exit 1
}

failed=0
for f in dist/*/bootstrap; do
  size=$(gzip -9 -c "$f" | wc -c) # zip's deflate, but for some bytes of headers
  printf '%-36s %5d KB\n' "$(basename "$(dirname "$f")")" $((size / 1024))
  ((size <= limit)) || { echo "  over 5 MB"; failed=1; }
done
exit $failed
