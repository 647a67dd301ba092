#!/usr/bin/env bash
# Generates the Go client from clients/openapi.json, or checks that what is checked in is what would be generated.
#
#   scripts/clients.sh OAPI-CODEGEN [--check]
set -euo pipefail
cd "$(dirname "$0")/.."

out=clients/go/posthorn.gen.go
if [ "${2:-}" = --check ]; then
  out=$(mktemp --suffix .go)
  trap 'rm -f "$out"' EXIT
fi
"$1" -config clients/go/oapi-codegen.yaml -o "$out" clients/openapi.json
if ! cmp -s "$out" clients/go/posthorn.gen.go; then
  echo "clients/go/posthorn.gen.go is not what $(basename "$1") makes of clients/openapi.json: make clients" >&2
  exit 1
fi
