#!/usr/bin/env bash
# A folder -> external tools installed in it, pinned: those of npm (the official JavaScript SDK, the YAML language server, ajv, the
# multitool of SARIF), those of PyPI (schemathesis, a reader of XSD, an interpreter of Rego), and the XSD of Jenkins.
# One that cannot be installed is reported on stderr, and the tests that need it are skipped.
set -uo pipefail
cd "$(dirname "$0")/.."
folder=$1
mkdir -p "$folder"

npm_judges() {
  command -v node npm >/dev/null || { echo "node and npm are missing"; return 1; }
  cp tests/judges/package.json tests/judges/package-lock.json "$folder/"
  (cd "$folder" && npm ci --silent --ignore-scripts --no-audit --no-fund) || { echo "the registry of npm cannot be reached"; return 1; }
}

python_judges() {
  [ -x "$folder/python/bin/python" ] || "${PYTHON:-python3}" -m venv "$folder/python" || return 1
  "$folder/python/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt schemathesis xmlschema regopy ||
    { echo "the index of Python packages cannot be reached"; return 1; }
}

# pytest's source archive has the XSD that its own JUnit documents are held to: the one of Jenkins' xunit plugin.
xsd() {
  [ -f "$folder/junit-10.xsd" ] && return
  "$folder/python/bin/python" -m pip download --quiet --disable-pip-version-check -c constraints.txt --no-deps \
    --no-binary pytest --dest "$folder" pytest || { echo "the source archive of pytest cannot be downloaded"; return 1; }
  tar -xzf "$folder"/pytest-*.tar.gz -C "$folder" --strip-components 3 --wildcards '*/testing/example_scripts/junit-10.xsd'
}

for judge in npm_judges python_judges xsd; do
  "$judge" >&2 || echo "judge skipped: $judge" >&2
done
