#!/bin/sh
# tools.sh - sees to it that cargo-deb is in target/tools/bin or in PATH, in the version that the package is made with.
set -eu
cd "$(dirname "$0")/../.."
version=3.8.0

sh tests/needs.sh cargo make strip
PATH=$PWD/target/tools/bin:$PATH
if [ "$(cargo deb --version 2>/dev/null)" != "cargo-deb $version" ]; then
    echo "Installing cargo-deb $version in target/tools"
    cargo install --quiet --locked --root target/tools --version "$version" cargo-deb
fi
