#!/bin/sh
# run.sh [TARGET…] - gives each reader of foreign bytes what libFuzzer makes of its corpus, for FUZZ_SECONDS (60) each.
set -eu
cd "$(dirname "$0")"

# Another version may want another libfuzzer-sys.
fuzzer=0.13.2

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo 'make fuzz: no nightly compiler: rustup toolchain install nightly' >&2
    exit 1
fi
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "make fuzz: no cargo-fuzz: cargo install --locked cargo-fuzz --version $fuzzer" >&2
    exit 1
fi

if [ "$#" -eq 0 ]; then
    # shellcheck disable=SC2046 # names without blanks
    set -- $(ls corpus)
fi
failed=
for target; do
    # What is new goes to found/, so that the corpus in the tree stays small.
    mkdir -p "found/$target"
    echo "$target"
    cargo +nightly fuzz run --fuzz-dir . "$target" "found/$target" "corpus/$target" -- \
        -max_total_time="${FUZZ_SECONDS:-60}" -max_len=20000 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -verbosity=0 || failed="$failed $target"
done
if [ -n "$failed" ]; then
    echo "make fuzz: these broke a promise, by what is in tests/fuzz/artifacts:$failed" >&2
    exit 1
fi
