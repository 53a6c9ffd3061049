#!/usr/bin/env bash
# Runs the built functions under `sam local start-api` on a store of this
# machine. Credentials are dummies and every function is led to that store, so
# no account is reached. Needs Docker and the SAM CLI.
#
#   tools/sam-local.sh              start; data stays in .lanyard/sam
#   tools/sam-local.sh --dry-run    print the commands and run none
set -euo pipefail
cd "$(dirname "$0")/.."
port=${PORT:-3000}
db_port=${DB_PORT:-8000}
data=.lanyard/sam
case $(uname -m) in arm64 | aarch64) arch=arm64 of_lambda=arm64 ;; *) arch=amd64 of_lambda=x86_64 ;; esac

dry=
if [[ ${1:-} == --dry-run ]]; then dry=1; fi

# The store has no lock: it listens where containers reach it and the network
# does not. Docker Desktop leads containers to this machine's loopback; on Linux
# the bridge has an address of its own.
listen=${DB_LISTEN:-127.0.0.1}
if [[ -z ${DB_LISTEN:-} && $(uname -s) == Linux ]]; then
  listen=$(docker network inspect bridge --format '{{(index .IPAM.Config 0).Gateway}}' 2>/dev/null || echo 172.17.0.1)
fi

run() {
  if [[ $dry ]]; then printf '%q ' "$@"; echo; else "$@"; fi
}

run make --no-print-directory build ARCH="$arch"
run make --no-print-directory build-cli
if [[ $dry ]]; then
  run bin/lanyard db --listen "$listen:$db_port" --data "$data"
else
  bin/lanyard db --listen "$listen:$db_port" --data "$data" &
  db=$!
  trap 'kill "$db" 2>/dev/null; wait "$db" 2>/dev/null' EXIT
fi
run go run ./internal/samlocal -store "http://$listen:$db_port" -store-of-functions "http://host.docker.internal:$db_port" \
  -public-url "http://127.0.0.1:$port" -keys "$data/keys.json" -out "$data/env.json"
export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1
unset AWS_PROFILE AWS_SESSION_TOKEN
run env AWS_EC2_METADATA_DISABLED=true AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_CONFIG_FILE=/dev/null \
  sam local start-api --template template.yaml --port "$port" --env-vars "$data/env.json" \
  --parameter-overrides "Architecture=$of_lambda" --add-host host.docker.internal:host-gateway --warm-containers LAZY
