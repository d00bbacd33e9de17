#!/usr/bin/env bash
# The tests that set the clock of the real binary need Debian's faketime.
set -euo pipefail
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || "$(dirname "$0")/debian-install.sh" "The tests of clocks" faketime
