#!/usr/bin/env bash
# A folder -> the judges in it, pinned: the official JavaScript SDK, the YAML language server, and schemathesis.
# One that cannot be installed is named on stderr, and the tests that need it are skipped.
set -uo pipefail
cd "$(dirname "$0")/.."
folder=$1
mkdir -p "$folder"

sdk() {
  command -v node npm >/dev/null || { echo "node and npm are missing"; return 1; }
  cp tests/judges/package.json tests/judges/package-lock.json "$folder/"
  (cd "$folder" && npm ci --silent --ignore-scripts --no-audit --no-fund) || { echo "the registry of npm cannot be reached"; return 1; }
}

schemathesis() {
  [ -x "$folder/python/bin/python" ] || "${PYTHON:-python3}" -m venv "$folder/python" || return 1
  "$folder/python/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt schemathesis ||
    { echo "the index of Python packages cannot be reached"; return 1; }
}

for judge in sdk schemathesis; do
  "$judge" >&2 || echo "judge skipped: $judge" >&2
done
