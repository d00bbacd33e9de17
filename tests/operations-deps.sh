#!/usr/bin/env bash
# The tests of operations need Debian's nginx, Caddy and Prometheus, and systemd-analyze; and from PyPI sslyze and schemathesis, each in a
# virtual environment. All but systemd-analyze are unpacked below target/operations: an installation of the first three would start them
# as services.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=target/operations
command -v systemd-analyze >/dev/null || tests/debian-install.sh "The tests of operations" systemd

for name in sslyze schemathesis; do
  wanted=tests/operations/$name.txt environment=$folder/$name
  # Copied last: without it, the installation was interrupted.
  cmp --silent "$wanted" "$environment/requirements.txt" && "$environment/bin/python" -c "" 2>/dev/null && continue
  # On Debian a virtual environment needs the package python3-venv.
  python3 -c "import ensurepip, venv" 2>/dev/null || tests/debian-install.sh "The tests of operations" python3 python3-venv
  if ! python3 -c "import sys; sys.exit(sys.version_info < (3, 11))"; then
    echo "The tests of operations need Python 3.11 or later; this is $(python3 --version)" >&2
    exit 1
  fi
  echo "Making the environment of $name in $environment"
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$wanted"
  cp "$wanted" "$environment/requirements.txt"
done

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
if ! apt-get download --quiet "${missing[@]}"; then
  [ "$(id -u)" -eq 0 ] || { echo "Perhaps the lists of packages are out of date: sudo apt-get update" >&2; exit 1; }
  apt-get update --quiet
  apt-get download --quiet "${missing[@]}"
fi
for package in *.deb; do dpkg-deb --extract "$package" ..; done
cd .. && rm -rf packages
