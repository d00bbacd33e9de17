#!/usr/bin/env bash
# The tests of docs/operations need Debian's nginx, Caddy and Prometheus, and systemd-analyze. The first three are unpacked below
# target/operations and not installed, because an installation would start them as services.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v systemd-analyze >/dev/null || tests/debian-install.sh "The tests of operations" systemd

folder=target/operations
missing=()
for program in nginx:usr/sbin/nginx caddy:usr/bin/caddy prometheus:usr/bin/promtool; do
  [ -x "$folder/${program#*:}" ] || missing+=("${program%:*}")
done
[ ${#missing[@]} -gt 0 ] || exit 0
command -v apt-get >/dev/null || { echo "The tests of operations need Debian, for its packages ${missing[*]}" >&2; exit 1; }
echo "The tests of operations need the packages ${missing[*]}. Unpacking them in $folder"
rm -rf "$folder/packages" && mkdir -p "$folder/packages"
cd "$folder/packages"
# The lists of packages may be missing, or older than the archive.
if ! apt-get download --quiet "${missing[@]}" 2>/dev/null; then
  [ "$(id -u)" -eq 0 ] || { echo "The lists of packages are out of date: sudo apt-get update" >&2; exit 1; }
  apt-get update --quiet
  apt-get download --quiet "${missing[@]}"
fi
for package in *.deb; do dpkg-deb --extract "$package" ..; done
