#!/usr/bin/env bash
# The browser tests need Debian's chromium and chromium-driver. Installs them where it may, says what is missing where not.
set -euo pipefail

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
[ ${#missing[@]} -gt 0 ] || exit 0

install="apt-get install --yes --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "The browser tests need the packages: ${missing[*]}. Install them, on Debian with: sudo $install" >&2
  exit 1
fi
echo "The browser tests need the packages: ${missing[*]}. Installing them with: $install"
apt-get update --quiet
DEBIAN_FRONTEND=noninteractive $install
