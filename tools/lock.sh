#!/usr/bin/env bash
# Compile requirements.lock from the pyproject.toml files: names, versions and hashes for every platform, no address.
# With --check: fail when the lock no longer says what the pyproject.toml files ask for.
set -euo pipefail
cd "$(dirname "$0")/.."
target=requirements.lock
if [ "${1:-}" = "--check" ]; then
  target=$(mktemp)
  trap 'rm -f "$target"' EXIT
  cp requirements.lock "$target"
fi
compile() {
  .boot/bin/uv pip compile "$@" --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --all-extras \
    --no-emit-package qiantang --no-emit-package qiantang-server \
    --group pyproject.toml:dev --group pyproject.toml:bench \
    sdk/pyproject.toml server/pyproject.toml -o "$target" >/dev/null
}
if [ "${1:-}" != "--check" ]; then
  compile
else
  # what is at hand is enough after the first run: a second run of the tests asks nobody
  compile --offline 2>/dev/null || compile
  diff <(grep -v '^ *#' requirements.lock) <(grep -v '^ *#' "$target") >/dev/null || {
    echo "requirements.lock is out of date: run tools/lock.sh and commit it" >&2
    exit 1
  }
fi
