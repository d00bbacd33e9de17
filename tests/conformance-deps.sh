#!/usr/bin/env bash
# The conformance tests need Python 3.10 or later and the packages of conformance/requirements.txt. Installs the packages into a
# virtual environment below target/, unless they are there.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=tests/conformance/requirements.txt
environment=target/conformance
# Copied last: without it, the installation was interrupted.
installed=$environment/requirements.txt
if cmp --silent "$wanted" "$installed" && "$environment/bin/python" -c "import kosoku" 2>/dev/null; then
  exit 0
fi

# On Debian a virtual environment needs the package python3-venv.
python3 -c "import ensurepip, venv" 2>/dev/null || tests/debian-install.sh "The conformance tests" python3 python3-venv
if ! python3 -c "import sys; sys.exit(sys.version_info < (3, 10))"; then
  echo "The conformance tests need Python 3.10 or later; this is $(python3 --version)" >&2
  exit 1
fi
echo "Making the environment of the conformance tests in $environment"
rm -rf "$environment"
python3 -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$wanted"
cp "$wanted" "$installed"
