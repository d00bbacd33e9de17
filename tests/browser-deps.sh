#!/usr/bin/env bash
# The browser tests need Debian's chromium and chromium-driver.
set -euo pipefail

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
[ ${#missing[@]} -gt 0 ] || exit 0
"$(dirname "$0")/debian-install.sh" "The browser tests" "${missing[@]}"
