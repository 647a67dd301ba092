#!/usr/bin/env bash
# Sees to it that the tests of the clients and examples find Node.js with npm, Python 3, and what the TypeScript client
# depends on. Installs Debian's packages where it may.
#
# Where it may not, it still exits 0 on a developer's machine: the tests that need them are skipped and say so; with
# CI=true they fail.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian.sh

missing=()
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then missing+=(nodejs npm); fi
command -v python3 >/dev/null || missing+=(python3)
if [ ${#missing[@]} -gt 0 ] && ! install "Clients' tests" "${missing[@]}"; then
  echo "Clients' tests: no ${missing[*]}. The tests that need them are skipped (with CI=true they fail)." >&2
fi

# npm notes in node_modules what it installed.
folder=clients/typescript
if command -v npm >/dev/null && [ ! "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ]; then
  echo "Clients' tests: installing what $folder/package-lock.json lists (once, some seconds)"
  npm --prefix "$folder" ci
fi
echo "Clients' tests: node $(node --version 2>/dev/null || echo none), $(python3 --version 2>/dev/null || echo no Python)"
