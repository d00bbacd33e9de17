#!/usr/bin/env bash
# The browser tests need Debian's chromium and chromium-driver, and a font with Korean letters: without one Korean text is painted
# as boxes, and tests of its width prove nothing.
set -euo pipefail

has_korean_font() {
  if command -v fc-list >/dev/null; then
    [ -n "$(fc-list :lang=ko family)" ]
  else
    # Without fc-list other fonts cannot be detected, but this package can.
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' fonts-nanum 2>/dev/null)" = installed ]
  fi
}

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
has_korean_font || missing+=(fonts-nanum)
[ ${#missing[@]} -gt 0 ] || exit 0
"$(dirname "$0")/debian-install.sh" "The browser tests" "${missing[@]}"
