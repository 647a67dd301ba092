#!/usr/bin/env bash
# Builds one Go program and keeps saying how far it is.
#
#   scripts/build.sh OUTPUT [go build flags] PACKAGE
#
# The first build compiles the embedded Temporal server, some 2,000 packages: 5 to 10 minutes on two cores, in which
# `go build` alone prints nothing and looks hung. Later builds use Go's cache and take seconds. The flags are the ones
# that `go test` uses too, on purpose: another flag such as -trimpath would compile all of it a second time.
set -euo pipefail

output=$1
shift

if ! command -v go >/dev/null; then
  echo "Go is not installed: the version that go.mod names is needed" >&2
  exit 1
fi

log=$(mktemp)
job=
# Also on Ctrl-C: a build nobody waits for must not go on eating both cores.
trap '[ -z "$job" ] || kill "$job" 2>/dev/null || :; rm -f "$log" "$log.out"' EXIT
trap 'exit 130' INT TERM

# say TEXT: progress. On a terminal it rewrites one line; in a log it is a line of its own.
say() {
  if [ -t 2 ]; then printf '\r\033[K%.*s' "$(($(tput cols 2>/dev/null || echo 80) - 1))" "$1" >&2; else printf '%s\n' "$1" >&2; fi
}

# watch LABEL TOTAL COMMAND...: runs COMMAND, which prints a line to standard error for each thing it does, and reports
# the number of lines. TOTAL is how many to expect, or empty. What the command prints to standard output is in $log.out.
watch() {
  local label=$1 total=$2 every=15 begun=$SECONDS next count status=0
  shift 2
  [ ! -t 2 ] || every=1
  next=$((SECONDS + every))
  "$@" >"$log.out" 2>"$log" &
  job=$!
  while kill -0 "$job" 2>/dev/null; do
    if [ "$SECONDS" -ge "$next" ]; then
      next=$((SECONDS + every))
      count=$(wc -l <"$log")
      say "$label: $count${total:+ of $total}, $((SECONDS - begun)) s so far; now $(tail -n 1 "$log")"
    fi
    sleep 0.2
  done
  wait "$job" || status=$?
  job=
  [ ! -t 2 ] || printf '\r\033[K' >&2
  if [ "$status" -ne 0 ]; then
    # Without the progress lines: what remains is why it failed.
    grep -vE '^(go: downloading .*|[[:alnum:]._~/+-]+)$' "$log" >&2 || :
    exit "$status"
  fi
}

# Finds out what is to compile, and downloads the modules on the way.
watch 'modules downloaded' '' go list -deps -f '{{if .Stale}}{{.ImportPath}}{{end}}' "$@"
stale=$(grep -c . "$log.out" || :)
if [ "$stale" -gt 500 ]; then
  echo "Compiling $stale packages, the embedded Temporal server among them: 5 to 10 minutes on two cores, this once." >&2
fi
begun=$SECONDS
watch 'packages compiled' "$stale" go build -v -o "$output" "$@"
echo "built $output in $((SECONDS - begun)) s" >&2
