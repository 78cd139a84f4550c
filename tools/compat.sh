#!/usr/bin/env bash
# FOLDER [lowest|newest [TESTS]] -> tests in a virtual environment of FOLDER for each Python and each end of the versions.
# Pythons: $PYTHON alone with `lowest` or `newest`; else each of 3.11 to 3.14 on PATH, of pyenv or of uv.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 only=${2:-} tests=${3:-tests}

python() {
  local one
  for one in "python3.$1" "$HOME/.pyenv/versions/3.$1."*/bin/python; do
    if "$one" -c '' 2>/dev/null; then echo "$one"; return; fi
  done
  uv python find --no-python-downloads "3.$1" 2>/dev/null
}

# PYTHON END: installs the package with its lowest or newest dependencies and runs the tests; then the demo on the wheel.
try() {
  local venv end=() python=$1
  [ "$2" = newest ] || end=(-c constraints-lowest.txt)
  venv="$folder/$2-$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
  echo "== $venv"
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || return 1
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade ${end[@]+"${end[@]}"} -e '.[emulator,test]' || return 1
  # shellcheck disable=SC2086  # several paths
  "$venv/bin/python" -m pytest -q -n auto --dist worksteal -m "not sweep" -p no:cacheprovider $tests || return 1
  [ -z "$only" ] || return 0
  rm -rf "$venv/wheel"
  "$venv/bin/python" -m build --wheel --no-isolation --outdir "$venv/wheel" . > /dev/null || return 1
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$venv"/wheel/*.whl || return 1
  "$venv/bin/python" demo/run.py > /dev/null
}

if [ -n "$only" ]; then
  try "${PYTHON:-python3}" "$only"
  exit
fi
failed=()
for minor in 11 12 13 14; do
  found=$(python "$minor") || { echo "== Python 3.$minor is not there" >&2; continue; }
  for end in lowest newest; do
    try "$found" "$end" || failed+=("3.$minor $end")
  done
done
[ ${#failed[@]} = 0 ] || { printf 'failed: %s\n' "${failed[@]}" >&2; exit 1; }
