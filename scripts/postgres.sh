#!/usr/bin/env bash
# Sees to it that the tests find a Postgres, and installs Debian's where it may.
#
# It only needs the programs: internal/testpg starts throw-away clusters itself, and looks in the same places.
# Without Postgres it still exits 0 on a developer's machine, where the tests that need it are skipped and say so; with
# CI=true they fail.
set -euo pipefail
. "$(dirname "$0")/debian.sh"

# found prints the folder of the first complete set of Postgres programs.
found() {
  local dir
  for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) \
    "$(pg_config --bindir 2>/dev/null || :)" \
    "$(dirname "$(command -v initdb || echo /nowhere/initdb)")"; do
    if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
      echo "$dir"
      return
    fi
  done
  return 1
}

if [ -n "${POSTHORN_TEST_DATABASE_URL:-}" ]; then
  echo "Postgres for the tests: the server that POSTHORN_TEST_DATABASE_URL names"
  exit
fi
if dir=$(found); then
  echo "Postgres for the tests: $dir"
  exit
fi

if install "Postgres for the tests" postgresql; then
  found
  exit
fi

echo "Postgres for the tests: none found. The tests that need it are skipped (with CI=true they fail)." >&2
echo "Install it (Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql), or set" >&2
echo "POSTHORN_TEST_DATABASE_URL to a server whose user may create databases." >&2
