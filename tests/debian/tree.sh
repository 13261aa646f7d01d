#!/bin/sh
# tree.sh PLACE - makes a small Debian of this machine's release, with ffmpeg and cron in it, and prints where: PLACE/RELEASE.
#
# From where this machine's apt gets its packages. What is there already is left as it is.
set -eu
place=$1
# shellcheck source=/dev/null
. /etc/os-release
tree=$place/$VERSION_CODENAME-2
if [ ! -e "$tree/made" ]; then
    sh "$(dirname "$0")/../needs.sh" debootstrap >&2
    # shellcheck disable=SC2016 # apt's own fields
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
    if [ -z "$mirror" ]; then
        echo "apt knows no packages of Debian: apt-get update" >&2
        exit 1
    fi
    mkdir -p "$place"
    # debootstrap takes no path with a blank in it.
    beside=$(mktemp -d /var/tmp/debian-tree.XXXXXX)
    trap 'rm -rf "$beside"' EXIT
    chmod 755 "$beside"
    debootstrap --variant=minbase --include=adduser,ca-certificates,cron,ffmpeg,logrotate,systemd "$VERSION_CODENAME" "$beside" "$mirror" >"$place/log" 2>&1 || {
        tail -n 20 "$place/log" >&2
        exit 1
    }
    rm -rf "$beside"/var/cache/apt/archives/*.deb "$beside/debootstrap"
    touch "$beside/made"
    mv -T "$beside" "$tree" 2>/dev/null || [ -e "$tree/made" ]
    trap - EXIT
fi
echo "$tree"
