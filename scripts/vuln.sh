#!/usr/bin/env bash
# Scans for known vulnerabilities in what the program really calls.
#
#   scripts/vuln.sh GOVULNCHECK [--if-reachable]
#
# The scan needs the Go vulnerability database, from the internet or a mirror (GOVULNDB). Where there is none, nothing
# was scanned: it says so in as many words, and fails, unless --if-reachable says that this is to be expected here.
set -euo pipefail

govulncheck=("$1" ${GOVULNDB:+-db="$GOVULNDB"})
# A query reads the database alone. The scan itself would load the whole program first, and only then find no database.
if ! answer=$(timeout 60 "${govulncheck[@]}" -mode=query -json stdlib@"$(go env GOVERSION | sed 's/^go//;s/ .*//;s/^/v/')" 2>&1); then
  echo "make vuln: NOT RUN: no database reachable (set GOVULNDB to a mirror). Nothing was scanned." >&2
  printf '  %s\n' "${answer##*$'\n'}" >&2
  [ "${2:-}" = --if-reachable ]
  exit
fi
exec "${govulncheck[@]}" ./...
