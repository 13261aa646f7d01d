#!/bin/sh
# package.sh BUILD [VERSION] - makes target/debian/jitsi-recording-pipeline_VERSION_ARCHITECTURE.deb of the tools in the
# directory BUILD: `make deb`.
set -eu
cd "$(dirname "$0")/../.."
build=$1
version=${2-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)-1}

# A package of the same sources is the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH

root=target/debian/root
rm -rf "$root"
umask 022
make --no-print-directory -s install DESTDIR="$root" PREFIX=/usr NOBUILD=1 BUILD="$build"
strip --strip-unneeded "$root"/usr/bin/*

shared=$root/usr/share/jitsi-recording-pipeline
doc=$root/usr/share/doc/jitsi-recording-pipeline
examples=$doc/examples
place() {
    install -d "$root/$2"
    mv "$examples/$1"/* "$root/$2/"
    rmdir "$examples/$1"
}
# dpkg may be told to leave documentation out, and the package's scripts need this one.
sed "s|^RECORDINGS_ROOT=.*|RECORDINGS_ROOT='/srv/recordings'|" "$examples/recording-pipeline.env.example" >"$shared/recording-pipeline.env.example"
rm "$examples/recording-pipeline.env.example"
ln -s ../../../jitsi-recording-pipeline/recording-pipeline.env.example "$examples/recording-pipeline.env.example"
place systemd usr/lib/systemd/system
place sysusers.d usr/lib/sysusers.d
place tmpfiles.d usr/lib/tmpfiles.d
place logrotate.d etc/logrotate.d
place cron.d etc/cron.d
# The same lines, for a host whose timers do not run, and for as long as the package is not removed.
for tool in jitsi-hls-worker rec-hook; do
    sed -i "s#^\\([*/0-9 ]* jitsi-recordings \\)$tool #\\1[ -d /run/systemd/system ] || [ ! -x /usr/bin/$tool ] || $tool #" "$root/etc/cron.d/$tool"
    grep -q "|| $tool " "$root/etc/cron.d/$tool"
done

find "$root/usr/share/man" -type f -exec gzip -9n {} +
rm "$doc"/LICENSE*
gzip -9n "$doc/CHANGELOG.md"
mv "$doc/CHANGELOG.md.gz" "$doc/changelog.gz"
{
    printf 'jitsi-recording-pipeline (%s) stable; urgency=medium\n\n' "$version"
    printf '  * What has changed is in changelog.gz.\n\n'
    printf ' -- %s  %s\n' "$(sed -n 's/^maintainer = "\(.*\)"/\1/p' crates/jitsi-hls-worker/Cargo.toml)" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$doc/changelog.Debian.gz"
install -D -m 644 etc/debian/lintian-overrides "$root/usr/share/lintian/overrides/jitsi-recording-pipeline"

PATH=$PWD/target/tools/bin:$PATH
export PATH
out=target/debian/jitsi-recording-pipeline_${version}_$(dpkg --print-architecture).deb
# DEB_OPTIONS=--fast: larger, and much sooner there.
# shellcheck disable=SC2086 # a list of words
cargo deb ${DEB_OPTIONS-} --quiet --locked --package jitsi-hls-worker --no-build --no-strip --deb-version "$version" --output "$out"
echo "$out"
