#!/usr/bin/env bash
# The browser tests need Debian's chromium and chromium-driver, and any font that has Korean: without one its text is boxes,
# whose widths say nothing.
set -euo pipefail

has_korean_font() {
  if command -v fc-list >/dev/null; then
    [ -n "$(fc-list :lang=ko family)" ]
  else
    # Nothing can tell of other fonts; this one can be asked for.
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' fonts-nanum 2>/dev/null)" = installed ]
  fi
}

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
has_korean_font || missing+=(fonts-nanum)
[ ${#missing[@]} -gt 0 ] || exit 0
"$(dirname "$0")/debian-install.sh" "The browser tests" "${missing[@]}"
