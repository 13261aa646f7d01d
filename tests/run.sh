#!/bin/sh
# run.sh [ARGUMENT…] - runs all tests by `cargo test`, then tells how many passed, failed and were skipped, and why.
set -eu
cd "$(dirname "$0")/.."

# More threads than cores: many tests wait for a deadline, a lock or a signal.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
export RUST_TEST_THREADS

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# sh has no pipefail, so the status of cargo goes by a file.
{
    status=0
    # With the places at which tests kill the tools; lib.rs builds those with it too, and nothing is built twice.
    cargo test --locked --workspace --features rec-core/fault-points --no-fail-fast "$@" 2>&1 || status=$?
    echo "$status" >"$scratch/status"
} | tee "$scratch/output"

echo
grep '^skipped: ' "$scratch/output" || true
awk '
    /^test result:/ { passed += $4; failed += $6; ignored += $8 }
    /^skipped: / { skipped++ }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, ignored + skipped }
' "$scratch/output"
exit "$(cat "$scratch/status")"
