#!/usr/bin/env bash
# The checks behind `make check` and, with --all, `make test`. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
run=${RUN:-.venv/bin}
alone="redis or zookeeper or postgresql or mariadb or kafka or rabbitmq or activemq or rocketmq or process or slow or browser"
step() { printf '== %s\n' "$1"; }

step "types (meanwhile)"
types=$(mktemp)
trap 'rm -f "$types"' EXIT
"$run/pyright" --warnings >"$types" 2>&1 &
pyright=$!

step "lint"
"$run/ruff" check --quiet .
"$run/ruff" format --quiet --check .
step "pages: types and lint"
"$run/python" portal/build_pages.py npm run check --silent
step "import contracts"
"$run/lint-imports" --no-cache >"$types.contracts" 2>&1 || { cat "$types.contracts"; rm -f "$types.contracts"; exit 1; }
tail -n 2 "$types.contracts"; rm -f "$types.contracts"
quick="not ($alone)"
if [ "${1:-}" = "--all" ]; then export QIANTANG_TEST_EXAMPLES=100; else quick="$quick and not thorough"; fi
step "tests without servers"
"$run/python" -m pytest -q -n 3 --dist loadfile -m "$quick"
step "types"
wait "$pyright" || { cat "$types"; exit 1; }
tail -n 1 "$types"

if [ "${1:-}" = "--all" ]; then
  step "lock file"
  tools/lock.sh --check
  step "pages in a real browser"
  QIANTANG_TEST_SERVERS=required "$run/python" -m pytest -q -n 2 --dist load -m browser tests/pages
  step "tests with real servers and processes"
  QIANTANG_TEST_SERVERS=required "$run/python" -m pytest -q -n 2 --dist loadfile -m "($alone) and not browser"
fi
