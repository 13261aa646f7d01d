#!/bin/sh
# needs.sh COMMAND… - sees to it that each command is there: installs its Debian package where we are root, else names it.
set -eu

package() {
    case $1 in
    ffmpeg | ffprobe) echo ffmpeg ;;
    find) echo findutils ;;
    gcc | make | strip) echo build-essential ;;
    node) echo nodejs ;;
    musl-gcc) echo musl-tools ;;
    pip3) echo python3-pip ;;
    systemd-analyze) echo systemd ;;
    getfacl | setfacl) echo acl ;;
    setpriv | taskset) echo util-linux ;;
    useradd) echo passwd ;;
    ip) echo iproute2 ;;
    unshare) echo util-linux ;;
    *) echo "$1" ;;
    esac
}

packages=
for command; do
    command -v "$command" >/dev/null 2>&1 && continue
    # No command, but a part of Python.
    [ "$command" = python3-yaml ] && python3 -c 'import yaml' 2>/dev/null && continue
    if [ "$command" = cargo ]; then
        # Debian 12's own is too old.
        echo 'Missing: cargo. Install Rust 1.89 or later from https://rustup.rs, then open a new shell.' >&2
        exit 1
    fi
    package=$(package "$command")
    case " $packages " in
    *" $package "*) ;;
    *) packages="$packages $package" ;;
    esac
done
packages=${packages# }
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing the Debian packages that are missing: $packages"
    # shellcheck disable=SC2086 # a list of words
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages; } >/dev/null
else
    echo "Missing: $packages. Install it, then run the same command again: sudo apt-get install $packages" >&2
    exit 1
fi
