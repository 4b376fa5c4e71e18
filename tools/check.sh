#!/usr/bin/env bash
# The checks behind `make check` and, with --all, `make test`. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
run=${RUN:-.venv/bin}
step() { printf '== %s\n' "$1"; }

step "ruff"
"$run/ruff" check --quiet .
"$run/ruff" format --quiet --check .
step "import contracts"
"$run/lint-imports" --no-cache 2>&1 | tail -n 12
step "pyright (in the background)"
types=$(mktemp)
trap 'rm -f "$types"' EXIT
"$run/pyright" --warnings >"$types" 2>&1 &
pyright=$!
finish_types() { wait "$pyright" || { cat "$types"; exit 1; }; tail -n 1 "$types"; }
if [ "${1:-}" = "--all" ]; then
  finish_types
  step "lock file"
  tools/lock.sh --check
  step "every test, real servers included"
  QIANTANG_TEST_SERVERS=required "$run/python" -m pytest
else
  step "tests without servers"
  "$run/python" -m pytest -q -m "not redis and not zookeeper and not postgresql and not mariadb and not process and not slow"
  finish_types
fi
