#!/bin/sh
# dist.sh CARGO - makes target/dist/jitsi-recording-pipeline-VERSION-ARCHITECTURE.tar.gz: `make dist`.
#
# The programs in it need no library of the system's, and so run on any Linux of that architecture, old or new, and inside of
# Jibri's container. What is to be beside them is what `make install` puts there.
set -eu
cd "$(dirname "$0")/.."
cargo=$1
architecture=$(uname -m)
target=$architecture-unknown-linux-musl
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

# ring, of the TLS library, has parts in C.
sh tests/needs.sh cargo make musl-gcc file
if ! rustc --print target-libdir --target "$target" | xargs -d '\n' test -d; then
    rustup target add "$target" || {
        echo "Rust has no $target here. Install Rust from https://rustup.rs, or what your distribution calls its standard library for it." >&2
        exit 1
    }
fi
"$cargo" build --release --locked --workspace --bins --target "$target"

name=jitsi-recording-pipeline-$version-$architecture
rm -rf "target/dist/$name"
make --no-print-directory -s install DESTDIR="target/dist/$name" PREFIX= NOBUILD=1 BUILD="target/$target/release"
for program in "target/dist/$name/bin"/*; do
    if grep -q REC_FAULT "$program"; then
        echo "$program has the places at which tests kill it: build it without the feature fault-points" >&2
        exit 1
    fi
    case $(file -b "$program") in
    *"static-pie linked"* | *"statically linked"*) ;;
    *)
        echo "$program needs libraries:" >&2
        ldd "$program" >&2
        exit 1
        ;;
    esac
done
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
tar -C target/dist --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - "$name" | gzip -9n >"target/dist/$name.tar.gz"
ls -sh --block-size=k "target/dist/$name/bin"/* "target/dist/$name.tar.gz"
