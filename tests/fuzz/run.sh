#!/bin/bash
# Runs each fuzz target RUNS times (10,000,000), one after another, and prints a table; see docs/FUZZING.md. Installs the toolchain and
# cargo-fuzz that it lacks, the latter below `target`.
#
# TARGETS: only these. SECONDS_MAX: at most so long for each. SANITIZER: `address` finds errors of memory in dependencies, at half the
# speed. FUZZ_TOOLCHAIN: another nightly toolchain.
set -euo pipefail
cd "$(dirname "$0")/../.."

toolchain=${FUZZ_TOOLCHAIN:-nightly-2026-05-20}
version=0.13.1
runs=${RUNS:-10000000}
# Seconds for one input, and megabytes.
timeout=${TIMEOUT:-10}
memory=${MEMORY:-1024}
tools=target/fuzz-tools
out=target/fuzz

command -v rustup >/dev/null || { echo "rustup is missing: fuzzing needs a nightly toolchain (rustup.rs)" >&2; exit 1; }
rustup run "$toolchain" rustc --version >/dev/null 2>&1 || rustup toolchain install "$toolchain" --profile minimal --no-self-update
if [ "$("$tools/bin/cargo-fuzz" --version 2>/dev/null)" != "cargo-fuzz $version" ]; then
  cargo install cargo-fuzz --version "$version" --locked --root "$tools" --target-dir "$tools/build" --quiet
fi

build() {
  PATH="$PWD/$tools/bin:$PATH" RUSTUP_TOOLCHAIN=$toolchain cargo fuzz "$@" --fuzz-dir tests/fuzz
}
# No unsafe code of ours is there for the address sanitizer.
build build --sanitizer "${SANITIZER:-none}" --target-dir "$out"
folder=$out/$(rustc +"$toolchain" -vV | sed -n 's/^host: //p')/release

stat() { sed -n "s/^stat::$2: *//p" "$out/logs/$1" | tail -1; }
rows="target|runs|per second|peak MB|result"
failed=0
for target in ${TARGETS:-$(build list)}; do
  mkdir -p "$out/corpus/$target" "$out/artifacts/$target" "$out/logs"
  echo "fuzz $target"
  # New inputs of interest go to the first folder.
  result=good
  "$folder/$target" "$out/corpus/$target" "tests/fuzz/corpus/$target" -dict="tests/fuzz/words/$target.dict" \
    -artifact_prefix="$out/artifacts/$target/" -runs="$runs" -max_total_time="${SECONDS_MAX:-0}" -timeout="$timeout" \
    -rss_limit_mb="$memory" -max_len=4096 -print_final_stats=1 >"$out/logs/$target" 2>&1 || result="FOUND, see $out/logs/$target"
  [ "$result" = good ] || failed=1
  rows+=$'\n'"$target|$(stat "$target" number_of_executed_units)|$(stat "$target" average_exec_per_sec)|$(stat "$target" peak_rss_mb)|$result"
done
column -t -s '|' <<<"$rows"
exit $failed
