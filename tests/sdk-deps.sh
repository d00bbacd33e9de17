#!/usr/bin/env bash
# The tests of the vendors' client libraries need these libraries. Each folder of tests/sdk/ may have a requirements.txt, for a virtual
# environment of its own below target/clients/, and a package-lock.json, for its own node_modules. Installs what is not there yet.
set -euo pipefail
cd "$(dirname "$0")/.."

# Returns whether the copy of a list is there, which is made last: without it, the installation was interrupted.
is_installed() { cmp --silent "$1" "$2"; }

for folder in tests/sdk/*/; do
  name=$(basename "$folder")
  wanted=$folder/requirements.txt environment=target/clients/$name
  if [ -f "$wanted" ] && ! { is_installed "$wanted" "$environment/requirements.txt" && "$environment/bin/python" -c ""; } 2>/dev/null; then
    # On Debian a virtual environment needs the package python3-venv.
    python3 -c "import ensurepip, venv" 2>/dev/null || tests/debian-install.sh "The tests of client libraries" python3 python3-venv
    if ! python3 -c "import sys; sys.exit(sys.version_info < (3, 11))"; then
      echo "The tests of client libraries need Python 3.11 or later; this is $(python3 --version)" >&2
      exit 1
    fi
    echo "Making the environment of the client library $name in $environment"
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$wanted"
    cp "$wanted" "$environment/requirements.txt"
  fi
  wanted=$folder/package-lock.json
  if [ -f "$wanted" ] && ! is_installed "$wanted" "$folder/node_modules/.installed"; then
    command -v npm >/dev/null || { echo "npm is missing: install Node.js 20.19 or later with npm (nodejs.org)" >&2; exit 1; }
    echo "Installing the client library $name in ${folder}node_modules"
    npm --prefix "$folder" ci --no-audit --no-fund
    cp "$wanted" "$folder/node_modules/.installed"
  fi
done
