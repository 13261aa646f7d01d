#!/bin/sh
# run.sh [--long] [ARGUMENT…] - runs the tests by `cargo test`, then tells how many passed, failed and were skipped, and why. --long:
# those that take minutes, and so are not among the others: browsers, the rest of large tables, the package in a Debian of its own.
set -eu
cd "$(dirname "$0")/.."

# More threads than cores: many tests wait for a deadline, a lock or a signal.
of='' threads=8
if [ "${1:-}" = --long ]; then
    # A table of these keeps every core busy by itself.
    of=--ignored threads=3
    shift
fi
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$threads}
export RUST_TEST_THREADS

# What encodes, plays or installs for minutes has a lane of its own beside the others. Tests are taken in the order of their
# names, and the others would wait for it, or it would come last and alone. What the one lane skips is what the other asks for.
apart='conformance package:: watch::'
skip=
for name in $apart; do skip="$skip --skip $name"; done
# cargo runs one after another what has a file of its own: in that lane, too.
others=--bins
for file in crates/*/tests/*.rs crates/*/tests/*/main.rs tests/*/tests/*.rs; do
    [ -e "$file" ] || continue
    file=${file%/main.rs}
    others="$others --test $(basename "$file" .rs)"
done

# With the places at which tests kill the tools; lib.rs builds those with it too, and nothing is built twice.
cargo='cargo test --locked --workspace --features rec-core/fault-points --no-fail-fast'

scratch=$(mktemp -d)
beside=
# With all that it has started: it has a process group of its own.
trap '[ -z "$beside" ] || kill -- "-$beside"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# lane NAME ARGUMENT… - shows some of the tests. sh has no pipefail, so the status of cargo goes by a file.
lane() {
    name=$1
    shift
    {
        status=0
        # shellcheck disable=SC2086 # words
        $cargo "$@" 2>&1 || status=$?
        echo "$status" >"$scratch/$name.status"
    } | tee "$scratch/$name.output"
}

if [ $# -gt 0 ]; then
    lane asked "$@"
else
    # Once, so that no lane waits for what the other builds.
    $cargo --no-run
    setsid sh -c "
        status=0
        RUST_TEST_THREADS=2 $cargo --test it -- $of $apart || status=\$?
        $cargo $others -- $of || status=\$?
        $cargo --doc -- $of || status=\$?
        exit \$status
    " >"$scratch/apart.output" 2>&1 &
    beside=$!
    # shellcheck disable=SC2086 # words
    lane rest --lib --test it -- $of $skip
    status=0
    wait "$beside" || status=$?
    beside=
    echo "$status" >"$scratch/apart.status"
    cat "$scratch/apart.output"
fi

echo
cat "$scratch"/*.output | grep '^skipped: ' || true
cat "$scratch"/*.output | awk '
    /^test result:/ { passed += $4; failed += $6; long += $8 }
    /^skipped: / { skipped++ }
    END {
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        if (long) printf "%d more that take long: make test-long\n", long
    }
'
# The worst of all.
exit "$(sort -n "$scratch"/*.status | tail -n 1)"
