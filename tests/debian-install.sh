#!/usr/bin/env bash
# Installs the given Debian packages as root, or else reports that they are missing.
# Usage: debian-install.sh WHO PACKAGE...
set -euo pipefail

who=$1
shift
install="apt-get install --yes --no-install-recommends $*"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "$who need the packages: $*. Install them, on Debian with: sudo $install" >&2
  exit 1
fi
echo "$who need the packages: $*. Installing them with: $install"
apt-get update --quiet
DEBIAN_FRONTEND=noninteractive $install
