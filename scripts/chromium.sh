#!/usr/bin/env bash
# Sees to it that the tests of the dashboard find a Chromium, and installs Debian's where it may.
#
# internal/app looks for the same names. Without one it still exits 0 on a developer's machine, where the tests that need
# it are skipped and say so; with CI=true they fail.
set -euo pipefail
. "$(dirname "$0")/debian.sh"

found() {
  command -v chromium || command -v chromium-browser || command -v google-chrome || command -v google-chrome-stable
}

if path=$(found); then
  echo "Chromium for the tests: $path"
  exit
fi

if install "Chromium for the tests" chromium; then
  found
  exit
fi

echo "Chromium for the tests: none found. The tests that need it are skipped (with CI=true they fail)." >&2
echo "Install it (Debian: apt-get install chromium; macOS: a Chrome whose google-chrome is in the PATH)." >&2
