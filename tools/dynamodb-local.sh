#!/usr/bin/env bash
# Runs a command with AWS's DynamoDB Local beside it, its URL in
# LANYARD_TEST_DYNAMODB. The npm package amplify-dynamodb-simulator carries the
# jar; it is unpacked into .tools/ once.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
dir="$root/.tools/dynamodb-local"
version=2.9.30
if [ ! -f "$dir/$version" ]; then
  rm -rf "$dir" && mkdir -p "$dir"
  (cd "$dir" && npm pack --silent "amplify-dynamodb-simulator@$version" >/dev/null && tar xzf ./*.tgz && rm ./*.tgz)
  touch "$dir/$version"
fi
port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
cd "$dir/package/emulator"
java -Djava.library.path=./DynamoDBLocal_lib -jar DynamoDBLocal.jar -inMemory -sharedDb -port "$port" >"$dir/log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  if node -e "require('net').connect($port,'127.0.0.1').on('connect',()=>process.exit(0)).on('error',()=>process.exit(1))"; then break; fi
  kill -0 $server || { cat "$dir/log"; exit 1; }
  sleep 0.1
done
cd "$root"
LANYARD_TEST_DYNAMODB="http://127.0.0.1:$port" "$@"
