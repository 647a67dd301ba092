#!/usr/bin/env bash
# Runs every fuzz target of the given packages, one after the other, for FUZZTIME each (default 1m; Go's own spelling:
# 20s, 10m, 1000x). Targets are found by asking the test binaries. All run, also after one has failed.
set -euo pipefail

fuzztime=${FUZZTIME:-1m}
go=${GO:-go}
failed=0
targets=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

while read -r package; do
	names=$("$go" test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
	for name in $names; do
		targets=$((targets + 1))
		echo "== $package $name"
		# What a crash is found with is kept in testdata/fuzz of the package: commit it with the repair.
		"$go" test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" "$package" 2>&1 | tee "$log" && continue
		# On a busy machine Go's fuzzer sometimes fails for nothing but that its own time is over: no input was found then.
		if grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written to' "$log"; then
			echo "(ended late: nothing was found)"
			continue
		fi
		failed=$((failed + 1))
	done
done < <("$go" list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' "$@" | while read -r package; do
	dir=$("$go" list -f '{{.Dir}}' "$package")
	# The binaries of packages without a target are not built: some hold a whole Temporal server.
	if grep -qs '^func Fuzz' "$dir"/*_test.go; then echo "$package"; fi
done)

echo "$targets fuzz targets, $fuzztime each, $failed failed"
test "$targets" -gt 0
test "$failed" -eq 0
